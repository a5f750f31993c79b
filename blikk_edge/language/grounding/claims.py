"""What is wrong with a text: a Violation, and of which kind."""

from dataclasses import dataclass
from enum import StrEnum


class Claim(StrEnum):
    """What kind of thing was said without support."""

    LABEL = "label"  # a person, vehicle, animal or package that was not seen, or of another class
    COUNT = "count"
    TIME = "time"
    DURATION = "duration"
    ZONE = "zone"  # a place or camera that is none of those named
    RING = "ring"
    STATE = "state"  # parked, loitering, gone, back again
    IDENTITY = "identity"
    INTENT = "intent"  # also moods and judgements
    AGE = "age"
    GENDER = "gender"
    ETHNICITY = "ethnicity"
    WEAPON = "weapon"
    LOOKS = "looks"  # what only a picture shows, where none was shown
    GUESS = "guess"  # said to be likely, which is to say: not observed
    UNKNOWN = "unknown"  # a word of which nobody knows what it claims
    LANGUAGE = "language"  # not English


@dataclass(frozen=True, slots=True)
class Violation:
    """One unsupported claim.

    Attributes:
        claim: Of which kind it is.
        words: Those that make it, or its field and value in the writer's own account.
        why: Why they are not supported, in words.
    """

    claim: Claim
    words: str
    why: str
