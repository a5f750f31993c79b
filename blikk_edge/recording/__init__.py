"""Recording beside watching: packets as they came, never pixels; only `redacting` decodes."""
