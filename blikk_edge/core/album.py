"""Redacted Pictures of the past, as they can be looked through."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from blikk_edge.core.observation import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A Picture that was kept.

    Attributes:
        id: Names it for as long as it is kept.
        camera: The camera's id.
        event: The id of the Event or Ring that it shows, if any.
        name: Its place on MQTT, as `person`.
        time: When it was captured, seconds since 1970 UTC.
        size_bytes: The size of its JPEG.
    """

    id: str
    camera: str
    event: str | None
    name: str
    time: float
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlbumDay:
    """How many Pictures there are of one camera and one day.

    Attributes:
        day: In local time.
        camera: The camera's id.
        pictures: How many, at least 1.
    """

    day: date
    camera: str
    pictures: int


class Album(Protocol):
    """What was kept, newest first. Blocking; call it off the loop. Raises StoreError."""

    def days(self, *, camera: str | None = None) -> Sequence[AlbumDay]:
        """The days with Pictures."""
        ...

    def pictures(
        self, *, camera: str | None = None, day: date | None = None, event: str | None = None, limit: int = 100
    ) -> Sequence[Kept]:
        """Pictures that match everything given."""
        ...

    def by_event(self, events: Sequence[Event]) -> Mapping[str, Sequence[Kept]]:
        """The newest Pictures (at most 100) of each of these events that has some, by its id."""
        ...

    def jpeg(self, id: str) -> bytes | None:  # noqa: A002  # the word of the contract
        """The bytes of one; None where it is not there (any more)."""
        ...

    def forget(
        self,
        *,
        camera: str | None = None,
        event: str | None = None,
        name: str | None = None,
        since: float | None = None,
        until: float | None = None,
        whole: Collection[str] = (),
    ) -> int:
        """Remove those that match everything given, and all of the events in `whole`; say how many went."""
        ...
