"""Application slots: a new version beside the running one, and the way back where it is not healthy.

It runs with Debian's Python and no other package, and is not part of a slot: whatever a slot holds, the way back works.
"""
