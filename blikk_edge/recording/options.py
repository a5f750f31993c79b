"""What `record:` and `recordings:` of a configuration may say."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from blikk_edge.grammar.places import path_in
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import FLAG, choice, duration, number

MINUTE_S: Final = 60.0
DAY_S: Final = 86400.0


class RecordMode(StrEnum):
    """What of a camera's stream is kept."""

    OFF = "off"
    EVENTS = "events"
    CONTINUOUS = "continuous"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOptions:
    """How one camera is recorded.

    Attributes:
        mode: What is kept.
        pre_s: How long before an event its recording begins, at the keyframe before that moment.
        post_s: How long after an event its recording ends.
        keep: How long a recording is kept, seconds.
        max_gb: How much its recordings and redacted clips may take, in gigabytes; the oldest go first.
        redact: Whether only redacted clips of events may leave this machine.
        private_areas_in_recordings: The household agrees that private areas are seen in recordings.
    """

    mode: RecordMode
    pre_s: float = 5.0
    post_s: float = 5.0
    keep: float = 7 * DAY_S
    max_gb: float = 10.0
    redact: bool = False
    private_areas_in_recordings: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingsOptions:
    """Where recordings lie.

    Attributes:
        folder: The folder, with one below it for each camera; None: beside the store.
        min_free_gb: So much of its disk stays free, in gigabytes: with less, recording pauses.
    """

    folder: Path | None = None
    min_free_gb: float = 1.0


RECORD: Final = Section(
    of=RecordOptions,
    plain="mode",
    keys=(
        Key(
            name="mode",
            value=choice(RecordMode),
            required=True,
            meaning="What is kept of the stream: `events` keeps events with what was just before and after them, "
            "`continuous` everything; **faces in recordings are not blurred**.",
        ),
        Key(
            name="pre_s",
            value=duration(0, MINUTE_S),
            meaning="How long before an event its recording begins; it begins at the keyframe before that moment.",
        ),
        Key(name="post_s", value=duration(0, 10 * MINUTE_S), meaning="How long after an event its recording ends."),
        Key(
            name="keep",
            value=duration(MINUTE_S, 3650 * DAY_S),
            meaning="How long a recording is kept: `7d`.",
            default="`7d`",
        ),
        Key(
            name="max_gb",
            value=number(0.01, 1_000_000),
            meaning="How much its recordings and redacted clips may take, in gigabytes; the oldest go first.",
        ),
        Key(
            name="redact",
            value=FLAG,
            meaning="Make a redacted clip of each event afterwards, at 5 pictures a second and without sound, and let "
            "only that one leave this machine.",
        ),
        Key(
            name="private_areas_in_recordings",
            value=FLAG,
            meaning="Agree that the areas of `private` can be seen in recordings; without it they need `redact: true`.",
        ),
    ),
)


def recordings(folder: Path) -> Section:
    """`recordings:`, whose relative path starts at `folder`."""
    return Section(
        of=RecordingsOptions,
        plain="folder",
        keys=(
            Key(name="folder", value=path_in(folder), meaning="Where they lie.", default="beside the store"),
            Key(
                name="min_free_gb",
                value=number(0, 1_000_000),
                meaning="So much of its disk stays free, in gigabytes: with less, recording pauses.",
            ),
        ),
    )
