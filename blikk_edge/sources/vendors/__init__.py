"""What is known of vendors of cameras: their addresses, their faults, and what helps (`vendors.toml`)."""
