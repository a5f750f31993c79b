"""Cameras that speak WebRTC: fetched from a server (WHEP), or a browser that sends (WHIP)."""
