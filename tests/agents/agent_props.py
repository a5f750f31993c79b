"""The clip of the tests: when a square crosses it."""

FPS = 10
SIZE = (320, 240)
MOVES = ((2.0, 4.0), (22.0, 24.0), (42.0, 44.0))
"""When a square crosses the picture of the clip, in seconds: far enough from each other not to be folded."""

SECONDS = 48
