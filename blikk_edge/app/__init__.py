"""Settings in, wired graph out; no logic."""
