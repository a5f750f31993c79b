"""Small closed vocabularies that more than one floor uses."""

from enum import StrEnum


class Backpressure(StrEnum):
    """What happens to frames that come faster than they can be looked at."""

    DROP = "drop"  # the newest wins
    THROTTLE = "throttle"  # the frame rate is lowered until it fits
    BUFFER = "buffer"  # a short bounded queue, for bursts


class Watch(StrEnum):
    """How much of a stream is decoded while nothing moves: every frame, keyframes only, or whichever is safe."""

    FULL = "full"
    ECO = "eco"
    AUTO = "auto"
