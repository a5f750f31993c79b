"""Small closed vocabularies that more than one floor uses."""

from enum import StrEnum


class Backpressure(StrEnum):
    """What happens to frames that come faster than they can be looked at."""

    DROP = "drop"  # the newest wins
    THROTTLE = "throttle"  # the frame rate is lowered until it fits
    BUFFER = "buffer"  # a short bounded queue, for bursts


class Watch(StrEnum):
    """How much of a stream is decoded."""

    MEASURED = "measured"  # all that this machine has the time for: FULL, else ECO, else KEYFRAMES
    FULL = "full"  # every frame
    ECO = "eco"  # while nothing moves keyframes, then what came since
    AUTO = "auto"  # ECO where nobody slips through between two keyframes, else FULL
    KEYFRAMES = "keyframes"  # nothing else, whatever moves
