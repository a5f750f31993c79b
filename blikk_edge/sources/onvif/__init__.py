"""Cameras that speak ONVIF: found on the network, asked for their streams, watched without typing an address."""
