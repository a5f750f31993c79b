"""What the sizes of packets say about motion, before anything is decoded."""

# So much larger than the largest of a quiet scene is motion. Noise, flicker and rate control stay below 1.4.
LOUDER = 1.5
# Packets this small hardly hold a picture; ten times larger ones may still hold no motion.
LEAST_BYTES = 300
# How fast the largest is forgotten, a packet: by a half in half a minute at 15 fps.
FORGET = 0.9985
# A keyframe interval at 15 fps and 2 s, without which there is nothing to compare with.
ENOUGH = 30


class Sizes:
    """The largest packet between keyframes while nothing moves, slowly forgotten.

    Under a constant quality what moves must be sent, so packets grow; under a constant bit rate they do not.
    """

    __slots__ = ("_known", "_largest")

    def __init__(self) -> None:
        self._largest = 0.0
        self._known = 0

    def quiet(self, size: int) -> None:
        """A packet of so many bytes came while nothing moved."""
        self._known += 1
        self._largest = max(float(size), LEAST_BYTES, self._largest * FORGET)

    def loud(self, size: int) -> bool:
        """Whether a packet of so many bytes speaks of motion."""
        return self._known >= ENOUGH and size > LOUDER * self._largest
