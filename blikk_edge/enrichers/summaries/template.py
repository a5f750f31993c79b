"""Text without a model: deterministic, from facts alone, in the language of their locale."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import TEXT_MAX, TITLE_MAX, Importance
from blikk_edge.core.watched import Span
from blikk_edge.enrichers.summaries.note import Note
from blikk_edge.language.facts import Facts, Stay
from blikk_edge.language.language import Language, language
from blikk_edge.language.wording import clipped, kind_of_all, sentence

PASSING_S: Final = 30.0
"""A vehicle or an animal that is gone sooner has passed."""

_NAME_MAX: Final = 32
_ZONES_MAX: Final = 3
_GAPS_MAX: Final = 3


def template(facts: Facts) -> Note:
    """What there is to say about these facts; never raises, always within the limits of a Note."""
    writer = _TemplateWriter(facts)
    if facts.about is not None:
        title, text = writer.event_title(facts.about), writer.event_text(facts.about)
    elif facts.ended:
        title, text = writer.period_title(), writer.period_text()
    else:
        title, text = writer.present_title(), writer.present_text()
    return Note(title=_title(title), text=clipped(text, TEXT_MAX), importance=importance(facts))


def with_gaps(note: Note, facts: Facts, gaps: Mapping[str, Sequence[Span]], cameras: int) -> Note:
    """The note about a period, and what of it was not watched, by a camera's name; `cameras` is how many there are.

    Where none of them was watched at any time, and nothing is known, that is all there is to say.
    """
    if not gaps:
        return note
    writer = _TemplateWriter(facts)
    whole = {name for name, spans in gaps.items() if sum(b - a for a, b in spans) >= 0.99 * facts.duration_s}
    if len(whole) == cameras and quiet(facts):
        title, text = writer.unwatched()
        return Note(title=_title(title), text=sentence(text), importance=Importance.LOW)
    said = f" {sentence(writer.gaps(gaps, whole))}"
    return replace(note, text=f"{clipped(note.text, max(1, TEXT_MAX - len(said)))}{said}"[:TEXT_MAX])


def importance(facts: Facts) -> Importance:
    """By rules: a ring, a parcel or a person who stays long is HIGH; what merely passes, or nothing, is LOW."""
    if facts.about is None:
        matters = facts.rings or {Label.PERSON, Label.PACKAGE} & set(facts.labels)
        return Importance.NORMAL if matters else Importance.LOW
    if facts.rings or facts.about is Label.PACKAGE or (facts.about is Label.PERSON and facts.loitering):
        return Importance.HIGH
    if facts.about is Label.PERSON or facts.loitering or facts.parked or facts.drove_off:
        return Importance.NORMAL
    return Importance.LOW if facts.duration_s < PASSING_S else Importance.NORMAL


def quiet(facts: Facts) -> bool:
    """Whether nothing happened: nobody needs a model to say so."""
    return not facts.peak and not facts.rings


def who(facts: Facts, label: Label, spoken: Language) -> str:
    """`a car`, `two people`: the most that were there at once."""
    return spoken.thing(kind_of_all(label, facts.stays), facts.peak.get(label, 1))


def _title(text: str) -> str:
    return clipped(sentence(text).removesuffix("."), TITLE_MAX)


class _TemplateWriter:
    """One text in the making."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._spoken = language(facts.locale.language)
        self._say = self._spoken.say
        self._name = clipped(facts.name, _NAME_MAX)
        self._place = self._spoken.place(self._name)

    # -- an event ------------------------------------------------------------------------------------------------

    def event_title(self, label: Label) -> str:
        facts = self._facts
        key = "seen"
        if facts.rings:
            key = "rang"
        elif facts.loitering:
            key = "stayed_long" if facts.ended else "stays_long"
        elif label is Label.VEHICLE and (facts.parked or facts.drove_off):
            key = "parked" if facts.parked else "drove_off"
        elif label is Label.PACKAGE and facts.taken:
            key = "taken"
        return self._say(f"title.{key}", self._peak(label), seen=self._who(label), place=self._place)

    def event_text(self, label: Label) -> str:
        parts = [self._main(label), self._longest(), self._rang(), self._others(label)]
        return " ".join(sentence(part) for part in parts if part)

    def _main(self, label: Label) -> str:
        facts, seen = self._facts, self._who(label)
        key = self._happening(label)
        if key in {"stays", "stayed", "stood"} and facts.seen.get(label, 0) > self._peak(label) > 1:
            seen = self._say("event.at_once", self._peak(label), seen=seen)
        return self._say(
            f"event.{key}",
            self._peak(label),
            seen=seen,
            where=self._where(),
            time=self._clock(facts.since),
            until=self._clock(facts.until),
            duration=self._spoken.duration(facts.duration_s),
        )

    def _happening(self, label: Label) -> str:
        """Which sentence says it."""
        facts, own = self._facts, self._own()
        if label is Label.PACKAGE:
            return self._of_a_parcel()
        if label is Label.VEHICLE:
            if facts.drove_off:
                return "drove_off"
            if facts.parked:
                return "parked"
            if facts.ended and facts.duration_s < PASSING_S and not any(stay.still for stay in own):
                return "passed"
        if not facts.ended:
            return "stays"
        return "stood" if own and all(stay.still for stay in own) else "stayed"

    def _of_a_parcel(self) -> str:
        facts = self._facts
        if facts.taken:
            return "lay_taken" if facts.put_down else "taken"
        return "lay" if facts.ended else "lies"

    def _longest(self) -> str:
        if not self._facts.loitering or not (own := self._own()):
            return ""
        longest = self._spoken.duration(max(stay.dwell_s for stay in own))
        return self._say("event.longest" if self._facts.ended else "event.longest_yet", duration=longest)

    def _rang(self) -> str:
        rings = self._facts.rings
        if not rings:
            return ""
        key = "event.rang" if len(rings) == 1 else "event.rang_times"
        return self._say(key, len(rings), times=self._spoken.times(len(rings)), time=self._clock(max(rings)))

    def _others(self, label: Label) -> str:
        """What else was there meanwhile."""
        others = [other for other in self._facts.labels if other is not label]
        seen = self._spoken.every([self._who(other) for other in others])
        return self._say("event.others", sum(map(self._peak, others)), seen=seen) if others else ""

    # -- a period ------------------------------------------------------------------------------------------------

    def period_title(self) -> str:
        facts = self._facts
        if quiet(facts):
            return self._say("period.quiet_title", name=self._name)
        parcels = facts.visits.get(Label.PACKAGE, 0)
        visits = sum(facts.visits.values()) - parcels
        parts = [self._say("period.visits_title", visits)] if visits else []
        parts += [self._spoken.thing(Label.PACKAGE.value, facts.put_down)] if facts.put_down else []
        parts += [self._parcels_taken()] if facts.taken and not facts.put_down else []
        parts += [self._say("period.rings_title", len(facts.rings))] if facts.rings else []
        return self._say("period.title", name=self._name, text=self._spoken.every(parts))

    def period_text(self) -> str:
        if quiet(self._facts):
            return sentence(self._say("period.quiet", **self._bounds()))
        visits = [self._visits(label) for label in self._facts.labels if label is not Label.PACKAGE]
        key = "period.seen" if visits else "period.nobody"
        seen = self._say(key, text=self._spoken.every(visits), **self._bounds())
        parts = (seen, self._parcels(), self._parcels_taken(), self._rang())
        return " ".join(sentence(part) for part in parts if part)

    def unwatched(self) -> tuple[str, str]:
        """Title and text where nothing is known."""
        return self._say("period.unwatched_title", name=self._name), self._say("period.unwatched", **self._bounds())

    def gaps(self, gaps: Mapping[str, Sequence[Span]], whole: set[str]) -> str:
        """What was not watched; `whole` are the names of cameras that were not at any time."""
        missed = []
        for name, spans in [*gaps.items()][:_GAPS_MAX]:
            place = self._spoken.place(name)
            times = [
                self._say("period.gap", since=self._moment(since), until=self._moment(until)) for since, until in spans
            ]
            text = self._spoken.every(times[:_GAPS_MAX])
            missed.append(place if name in whole else self._say("period.gap_at", place=place, text=text))
        more = len(gaps) - _GAPS_MAX
        missed += [self._say("period.more", more)] if more > 0 else []
        return self._say("period.gaps", text=self._spoken.every(missed))

    def _visits(self, label: Label) -> str:
        visits, most = self._facts.visits.get(label, 1), self._peak(label)
        return self._say("period.visits" if most == 1 else "period.visits_at_once", visits, seen=self._who(label))

    def _parcels(self) -> str:
        facts = self._facts
        count = max(facts.put_down, facts.peak.get(Label.PACKAGE, 0)) if facts.put_down else 0
        return self._say("period.parcels", count, seen=self._spoken.thing(Label.PACKAGE.value, count)) if count else ""

    def _parcels_taken(self) -> str:
        count = self._facts.taken
        seen = self._spoken.thing(Label.PACKAGE.value, count)
        return self._say("period.parcels_taken", count, seen=seen) if count else ""

    def _bounds(self) -> Mapping[str, Any]:
        return {"since": self._moment(self._facts.since), "until": self._moment(self._facts.until)}

    # -- now -----------------------------------------------------------------------------------------------------

    def present_title(self) -> str:
        return self._say("present.title", seen=self._present() or self._say("present.nobody"), place=self._place)

    def present_text(self) -> str:
        facts, now = self._facts, self._clock(self._facts.until)
        if not facts.peak:
            return sentence(self._say("present.nothing", place=self._place, time=now))
        since = self._clock(min(stay.since for stay in facts.stays)) if facts.stays else ""
        key = "present.seen_since" if since else "present.seen"
        text = self._say(key, sum(facts.peak.values()), time=now, seen=self._present(), place=self._place, since=since)
        return sentence(text)

    def _present(self) -> str:
        return self._spoken.every([self._who(label) for label in self._facts.labels])

    # -- words ---------------------------------------------------------------------------------------------------

    def _who(self, label: Label) -> str:
        return who(self._facts, label, self._spoken)

    def _peak(self, label: Label) -> int:
        return self._facts.peak.get(label, 1)

    def _where(self) -> str:
        """The zones, or the camera: `the path and the porch`, `the front door`."""
        zones = [zone for zone in self._facts.zones[:_ZONES_MAX] if zone.strip()]
        places = [self._spoken.place(clipped(zone, _NAME_MAX)) for zone in zones]
        return self._spoken.every(places) or self._place

    def _own(self) -> tuple[Stay, ...]:
        """Those whom the event is about."""
        return tuple(stay for stay in self._facts.stays if stay.label is self._facts.about)

    def _clock(self, time: float) -> str:
        return f"{self._facts.local(time):%H:%M}"

    def _moment(self, time: float) -> str:
        """With the day where the period is longer than one."""
        if self._facts.duration_s <= 86400:
            return self._clock(time)
        day = self._facts.local(time)
        month = self._spoken.months[day.month - 1]
        return self._say("period.moment", day=day.day, month=month, time=self._clock(time))
