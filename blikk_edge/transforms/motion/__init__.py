"""The motion gate: whether something moves in a frame, where, and when to look."""
