"""The one HTTP server of a node: its routes, who may have what, and the limits of everything."""
