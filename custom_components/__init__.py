"""Home Assistant components of this repository."""
