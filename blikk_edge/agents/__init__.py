"""Programs that watch: `Stream`, what agents are handed, and servers for them. Nothing here sees a pixel.

A node is reached through `agents.local` (its own, by way of `app.streaming`) or `agents.remote` (one that runs).
"""
