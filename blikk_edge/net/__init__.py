"""What everybody who listens on a port shares: who may connect and for how long, TLS, what a library may log."""
