"""Where records go. Nothing here can name a raw frame."""
