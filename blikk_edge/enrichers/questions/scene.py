"""What is in front of one camera now, as far as its records say: who, since when, where; and the newest snapshot."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from blikk_edge.core.clock import JUMP_S
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.locale import Locale, LocaleNow
from blikk_edge.core.observation import MEASURED, Event, Observation, Observed, Phase, Sighting
from blikk_edge.core.picture import SNAPSHOT, Picture
from blikk_edge.core.ports import Item
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraAvailability, CameraState
from blikk_edge.enrichers.summaries.lines import brief_duration, named
from blikk_edge.language.facts import Facts, present_facts
from blikk_edge.language.language import ENGLISH, Language, language
from blikk_edge.language.wording import kind_of

MAX_OPEN: Final = 32
MAX_LINES: Final = 12

_QUIET_KINDS: Final = frozenset({Observed.MOTION}) | MEASURED
"""Observations after which everything is where it was."""


def is_newer(time: float, than: float) -> bool:
    """Whether what comes later was also captured later; one from long before means that the clock was set back."""
    return time > than or time < than - JUMP_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """One object that is there.

    Attributes:
        sighting: As it was in the newest revision.
        event: The id of the Event that it belongs to.
    """

    sighting: Sighting
    event: str

    def stay_s(self, now: float) -> float:
        """Seconds since it was first seen; it has not left."""
        return max(self.sighting.dwell_s, now - self.sighting.since)


@dataclass(slots=True)
class Scenery:
    """One camera as questions see it. `take` says whether an item changed something.

    Attributes:
        camera: The camera's id.
        name: What the user calls it.
        locale: The language and the time zone as they are now.
        snapshot: The newest still; None before the first, and after something was forgotten.
    """

    camera: str
    name: str
    locale: LocaleNow = Locale
    snapshot: Picture | None = field(default=None, repr=False)
    _state: CameraState | None = None
    _online: bool = True
    _open: OrderedDict[str, Event] = field(default_factory=OrderedDict)

    def take(self, item: Item) -> bool:
        """Whether this item is about this camera and news for a question."""
        match item:
            case Event(camera=self.camera):
                return self._event(item)
            case Observation(camera=self.camera):
                return item.kind not in _QUIET_KINDS
            case Picture(camera=self.camera) if item.name == SNAPSHOT:
                newer = self.snapshot is None or is_newer(item.time, self.snapshot.time)
                self.snapshot = item if newer else self.snapshot
                return newer
            case CameraState(camera=self.camera):
                before, self._state, self._online = self._view(), item, item.online
                return self._view() != before
            case CameraAvailability(camera=self.camera):
                before, self._online = self._view(), item.online
                return self._view() != before
            case _:
                return False

    def forget(self, request: Forget) -> None:
        """Drop the Events; one that goes on comes back with its next revision."""
        for event in [one for one in self._open.values() if request.covers(self.camera, one.id, one.started)]:
            del self._open[event.id]
        if request.camera in {None, self.camera}:
            self.snapshot = None

    @property
    def blind(self) -> str | None:
        """Why nothing can be said about what is there, as a key of `evidence`; None where something can."""
        if not self._online:
            return "offline"
        if self._state is None:
            return "unseen"
        return None if self._state.detect else "detection_off"

    @property
    def spoken(self) -> Language:
        """The language in which texts about it are written now."""
        return language(self.locale().language)

    def here(self, label: Label) -> tuple[Here, ...]:
        """Everything of a label that belongs to an Event which goes on."""
        return tuple(
            Here(sighting=sighting, event=event.id)
            for event in self._open.values()
            for sighting in event.objects
            if sighting.label is label
        )

    def count(self, label: Label) -> int | None:
        """How many are there, parked ones too; None where this camera does not look for them."""
        counts = dict(self._state.counts) if self._state is not None else {}
        return max(counts[label], len(self.here(label))) if label in counts else None

    def loiterers(self) -> tuple[Event, ...]:
        """The Events that go on in which somebody stayed long."""
        return tuple(event for event in self._open.values() if event.loitering)

    def facts(self, now: float) -> Facts:
        """For checking what is said about it."""
        counts = {label: self.count(label) or 0 for label in Label}
        events = list(self._open.values())
        return present_facts(events, counts, camera=self.camera, name=self.name, now=now, locale=self.locale())

    def lines(self, now: float) -> tuple[str, ...]:
        """What is there, one line each, bounded; always the same while nobody is there."""
        seen = [self._line(here, now) for label in Label for here in self.here(label)]
        more = {label: (self.count(label) or 0) - len(self.here(label)) for label in Label}
        seen += [
            f"{language(ENGLISH).thing(label.value, count)}, parked or standing"
            for label, count in more.items()
            if count > 0
        ]
        kept = seen[:MAX_LINES]
        return (*kept, *([f"and {len(seen) - len(kept)} more"] if len(seen) > len(kept) else [])) or (
            "nobody, nothing",
        )

    def _line(self, here: Here, now: float) -> str:
        sighting = here.sighting
        where = f" in {', '.join(map(named, sighting.zones[:3]))}" if sighting.zones else ""
        still = ", standing still" if sighting.still else ""
        return f"{kind_of(sighting)} for {brief_duration(here.stay_s(now))}{where}{still}"

    def _event(self, event: Event) -> bool:
        known = self._open.get(event.id)
        if known is not None and event.revision <= known.revision:
            return False
        if event.phase is Phase.ENDED:
            self._open.pop(event.id, None)
            return True
        self._open[event.id] = event
        while len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)
        return True

    def _view(self) -> Sequence[object]:
        """What of a state matters to questions."""
        state = self._state
        return (self._online, None if state is None else (state.counts, state.zones, state.detect))
