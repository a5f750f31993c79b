"""What is known of a camera now, and the words for what can change."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .contract import Alert, Answer, CameraState, Event, Ring, Summary


class Changed(StrEnum):
    """What of a node changed; entities listen to one or more of them."""

    ANNOUNCE = "announce"
    STATUS = "status"
    HEALTH = "health"
    STATE = "state"
    EVENT = "event"
    RING = "ring"
    ALERT = "alert"
    SUMMARY = "summary"
    DIGEST = "digest"
    ANSWER = "answer"
    MARK = "mark"
    PICTURE = "picture"
    SNOOZE = "snooze"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A redacted JPEG as it came last; `event` is the id of the event or ring that it shows, if it says so.

    `kept` says that the broker had kept it from before.
    """

    content: bytes = field(repr=False)
    time: datetime
    kept: bool
    event: str | None = None


@dataclass(slots=True, kw_only=True)
class CameraNow:
    """What one camera sent last; `still` is the newest picture of any name, `marked` an event and the word for it."""

    online: bool | None = None
    state: CameraState | None = None
    event: Event | None = None
    ring: Ring | None = None
    alert: Alert | None = None
    summary: Summary | None = None
    digest: Summary | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    pictures: dict[str, Picture] = field(default_factory=dict)
    still: Picture | None = None
    marked: tuple[str, str] | None = None
