"""The results of the MCP server's tools: their fields are the output schemas that clients get."""

from typing_extensions import TypedDict


class CameraOut(TypedDict):
    """One camera."""

    id: str
    name: str
    labels: list[str]
    zones: list[str]


class CamerasOut(TypedDict):
    """All of them."""

    cameras: list[CameraOut]


class StateOut(TypedDict):
    """One camera now."""

    camera: str
    online: bool
    motion: bool
    counts: dict[str, int]


class NowOut(TypedDict):
    """Now."""

    cameras: list[StateOut]


class EventOut(TypedDict):
    """One visit; times are ISO 8601, `ended` is null while it goes on."""

    id: str
    camera: str
    label: str
    started: str
    ended: str | None
    most_at_once: int
    zones: list[str]


class EventsOut(TypedDict):
    """Newest first."""

    events: list[EventOut]


class CountOut(TypedDict):
    """A number."""

    count: int


class AnswerOut(TypedDict):
    """An answer in words."""

    text: str
    count: int | None


class WaitedOut(TypedDict):
    """Whether it came in time."""

    came: bool
    label: str | None
    camera: str | None
