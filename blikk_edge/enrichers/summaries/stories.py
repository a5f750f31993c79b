"""What is happening now, from what passes by: the newest revision of each event, and what belongs to it. Bounded."""

import math
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from blikk_edge.core.inquiry import Forget
from blikk_edge.core.locale import Locale, LocaleNow
from blikk_edge.core.observation import Event, Observation, Phase, Ring
from blikk_edge.core.sightings import Label
from blikk_edge.language.facts import Facts, event_facts

MAX_STORIES: Final = 256
MAX_OBSERVATIONS: Final = 48
MAX_RINGS: Final = 8
RING_BEFORE_S: Final = 20.0
"""A doorbell is often pressed before the camera has made out who is there, or by someone close under it."""

RING_AFTER_S: Final = 5.0

_ORDER: Final = tuple(Label)


@dataclass(slots=True)
class Story:
    """One event as far as it is known.

    Attributes:
        event: Its newest revision.
        first: Its first observations, at most eight.
        newest: Its newest observations after those; together they are at most MAX_OBSERVATIONS.
    """

    event: Event
    first: list[Observation] = field(default_factory=list)
    newest: deque[Observation] = field(default_factory=lambda: deque(maxlen=MAX_OBSERVATIONS - 8))

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self.event.phase is Phase.ENDED

    @property
    def observations(self) -> tuple[Observation, ...]:
        """What is kept of them, by time."""
        return (*self.first, *self.newest)

    @property
    def until(self) -> float:
        """How far it reaches, as known now."""
        ended = self.event.ended
        return ended if ended is not None else max([self.event.time, *(o.until for o in self.newest)])

    def add(self, observation: Observation) -> None:
        """Keep one more."""
        (self.first if len(self.first) < 8 else self.newest).append(observation)


class Stories:
    """The events of all cameras that go on or have just ended; `names` are the cameras' by id.

    At most MAX_STORIES are known: those that ended go first, then the oldest.
    """

    def __init__(self, names: Mapping[str, str], *, locale: LocaleNow = Locale) -> None:
        self._names = names
        self._locale = locale
        self._stories: OrderedDict[str, Story] = OrderedDict()
        self._rings: dict[str, deque[Ring]] = {}

    def get(self, event_id: str) -> Story | None:
        """What is known of an event."""
        return self._stories.get(event_id)

    def revise(self, event: Event) -> tuple[Story, tuple[Story, ...]]:
        """Take in a revision: its story, and those that had to be forgotten for it."""
        story = self._stories.get(event.id)
        if story is None:
            gone = self._make_room()
            story = self._stories[event.id] = Story(event)
            return story, gone
        if event.revision >= story.event.revision:
            story.event = event
        return story, ()

    def forget(self, request: Forget) -> tuple[Story, ...]:
        """Drop the events, and the rings where no single event is meant; the stories that went."""
        gone = tuple(
            story
            for story in self._stories.values()
            if request.covers(story.event.camera, story.event.id, story.event.started)
        )
        for story in gone:
            del self._stories[story.event.id]
        for camera, rings in self._rings.items():
            left = [ring for ring in rings if not request.covers(camera, None, ring.time)]
            self._rings[camera] = deque(left, maxlen=MAX_RINGS)
        return gone

    def observe(self, observation: Observation) -> None:
        """Take in an observation of an event that is known."""
        if observation.event is not None and (story := self._stories.get(observation.event)) is not None:
            story.add(observation)

    def ring(self, ring: Ring) -> Story | None:
        """Take in a ring; the story it belongs to, if one is open."""
        self._rings.setdefault(ring.camera, deque(maxlen=MAX_RINGS)).append(ring)
        return next((story for story in self.open(ring.camera) if ring in self.rings(story)), None)

    def open(self, camera: str) -> tuple[Story, ...]:
        """What goes on at a camera, people first."""
        there = [story for story in self._stories.values() if story.event.camera == camera and not story.ended]
        return tuple(sorted(there, key=lambda story: _ORDER.index(story.event.label)))

    def rings(self, story: Story) -> tuple[Ring, ...]:
        """The rings during an event of people: a car that passes meanwhile did not ring."""
        if story.event.label is not Label.PERSON:
            return ()
        until = story.until + RING_AFTER_S if story.ended else math.inf
        return self.rings_between(story.event.camera, story.event.started - RING_BEFORE_S, until)

    def rings_between(self, camera: str, since: float, until: float) -> tuple[Ring, ...]:
        """Those still known."""
        return tuple(ring for ring in self._rings.get(camera, ()) if since <= ring.time < until)

    def beside(self, story: Story) -> tuple[Story, ...]:
        """Other events of the same camera during this one."""
        return tuple(
            other
            for other in self._stories.values()
            if other is not story
            and other.event.camera == story.event.camera
            and (not story.ended or other.event.started <= story.until)
            and (not other.ended or other.until >= story.event.started)
        )

    def facts(self, story: Story, now: float) -> Facts:
        """All that is known of it `now`, with what else was there meanwhile."""
        beside = self.beside(story)
        return event_facts(
            story.event,
            name=self._names.get(story.event.camera, story.event.camera),
            observations=story.observations,
            others=[other.event for other in beside],
            rings=self.rings(story),
            now=now,
            locale=self._locale(),
        )

    def records(self, story: Story) -> Sequence[Observation | Ring]:
        """What lines are made of: its observations, those of what else was there meanwhile, the rings."""
        since, until = story.event.started, story.until
        beside = [o for other in self.beside(story) for o in other.observations if since <= o.time <= until]
        return (*story.observations, *beside, *self.rings(story))

    def _make_room(self) -> tuple[Story, ...]:
        if len(self._stories) < MAX_STORIES:
            return ()
        key = next((key for key, story in self._stories.items() if story.ended), next(iter(self._stories)))
        return (self._stories.pop(key),)
