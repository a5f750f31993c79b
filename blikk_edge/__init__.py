"""Blikk Edge: any camera as Home Assistant observations, faces blurred before a pixel leaves."""

__version__ = "0.1.0"
