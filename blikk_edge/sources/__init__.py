"""Where frames come from; the only rooms that import `av`."""
