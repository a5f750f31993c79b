"""Tools by which an agent uses a stream: five functions whose descriptions a language model reads."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias

from blikk_edge.agents.digest import digest
from blikk_edge.agents.found import Finder, Found
from blikk_edge.agents.link import Link
from blikk_edge.agents.subscription import Subscription
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.observation import Observation, Record
from blikk_edge.core.sightings import Label

LABELS: TypeAlias = Literal["person", "vehicle", "animal", "package"]
"""The labels, as a schema shows them."""

AnyLabel: TypeAlias = Annotated[LABELS | None, "Only these; all if left out."]

WATCH_MAX_S: Final = 60.0
"""So long one call may watch: an agent that waits longer is taken to hang."""

LOOKS_ALONE: Final = "looks_like goes without label, zone and before: say it in its words, such as: red car"

CLIP_S: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool, for any framework.

    Attributes:
        name: A word.
        meaning: What a language model reads about it.
        call: Blocking; raises BlikkError.
        acall: The same for a coroutine.
    """

    name: str
    meaning: str
    call: Callable[..., Found]
    acall: Callable[..., Awaitable[Found]]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(inspect.signature(self.call).parameters)


class StreamTools:
    """The tools of one stream, of one `camera` or of all.

    `subscribe` makes a subscription to later Observations of a label, or of all.
    """

    def __init__(
        self, link: Link, finder: Finder, camera: str | None, subscribe: Callable[[str | None], Subscription[Record]]
    ) -> None:
        self._camera = camera
        self._link = link
        self._finder = finder
        self._subscribe = subscribe

    def all(self) -> tuple[Tool, ...]:
        """Watch, now, search, count and ask."""
        several = (self.now, self.search, self.count, self.ask)
        watch = Tool(name="watch", meaning=_meaning(self.watch), call=self.watch, acall=self.awatch)
        return (watch, *(Tool(name=f.__name__, meaning=_meaning(f), call=f, acall=_threaded(f)) for f in several))

    def watch(
        self,
        seconds: Annotated[float, "How long, at most 60."] = 10.0,
        label: AnyLabel = None,
    ) -> Found:
        """Watch the camera from now on for some seconds, and report what changes."""
        end = self._link.now() + _bounded(seconds)
        with self._subscribe(label) as subscription:
            while not subscription.ended and (wait_s := self._left_s(end)) > 0:
                subscription.get(wait_s)
            return _watched(subscription, end)

    async def awatch(
        self,
        seconds: Annotated[float, "How long, at most 60."] = 10.0,
        label: AnyLabel = None,
    ) -> Found:
        """Watch the camera from now on for some seconds, and report what changes."""
        end = self._link.now() + _bounded(seconds)
        with self._subscribe(label) as subscription:
            while not subscription.ended and (wait_s := self._left_s(end)) > 0:
                await subscription.aget(wait_s)
            return _watched(subscription, end)

    def _left_s(self, end: float) -> float:
        """How long to wait for the next record; a file's time runs faster than ours."""
        return min(end - self._link.now(), CLIP_S if self._link.is_clip else WATCH_MAX_S)

    def now(self) -> Found:
        """Who and what the camera sees at this moment."""
        return self._finder.now(self._camera)

    def search(
        self,
        label: AnyLabel = None,
        last_seconds: Annotated[float | None, "Only what began in the last so many seconds."] = None,
        zone: Annotated[str | None, "Only what touched this zone."] = None,
        limit: Annotated[int, "How many events at most."] = 20,
        before: Annotated[str | None, "Only what began before this time, in ISO 8601: to see older ones."] = None,
        looks_like: Annotated[str | None, "What it looked like: red car. Alone, or with last_seconds."] = None,
    ) -> Found:
        """Past events (visits), newest first: when, what, where, how long. With looks_like, the most similar first."""
        if looks_like:
            if label is not None or zone is not None or before is not None:
                raise BlikkError(LOOKS_ALONE)
            return self._finder.look(looks_like, camera=self._camera, last_s=_past(last_seconds), limit=limit)
        return self._finder.search(
            camera=self._camera,
            label=_label(label),
            last_s=_past(last_seconds),
            zone=zone,
            before=before,
            limit=limit,
        )

    def count(
        self,
        label: Annotated[LABELS, "What to count."] = "person",
        last_seconds: Annotated[float, "How far back to count."] = 10.0,
        zone: Annotated[str | None, "Only those who entered this zone."] = None,
    ) -> Found:
        """How many persons, vehicles, animals or packages came in the last seconds."""
        return self._finder.count(_label(label) or "person", _past(last_seconds) or 0.0, camera=self._camera, zone=zone)

    def ask(self, question: Annotated[str, "For example: how many people came this morning?"]) -> Found:
        """Answer a question about what was seen, in plain words."""
        return self._finder.ask(question, camera=self._camera)


def _meaning(function: Callable[..., Any]) -> str:
    return inspect.getdoc(function) or ""


def _threaded(function: Callable[..., Found]) -> Callable[..., Awaitable[Found]]:
    async def threaded(*given: Any, **named: Any) -> Found:
        return await asyncio.to_thread(function, *given, **named)

    return threaded


def _watched(subscription: Subscription[Record], end: float) -> Found:
    seen = tuple(each for each in subscription.seen if isinstance(each, Observation) and each.time <= end)
    return Found(text=digest(seen, dropped=subscription.dropped), observations=seen, count=len(seen))


def _bounded(seconds: float) -> float:
    if not 0 < seconds <= WATCH_MAX_S:
        raise BlikkError(f"seconds must be above 0 and at most {WATCH_MAX_S:.0f}")
    return seconds


def _past(seconds: float | None) -> float | None:
    if seconds is not None and not 0 < seconds < 1e10:
        raise BlikkError("last_seconds must be above 0")
    return seconds


def _label(label: str | None) -> str | None:
    if label is not None and label not in tuple(Label):
        raise BlikkError(f"there is no label {str(label)[:40]!r}: use {', '.join(Label)}")
    return label
