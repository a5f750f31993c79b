"""Text without a model: deterministic, in whole sentences, from facts alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import TEXT_MAX, TITLE_MAX, Importance
from blikk_edge.core.watched import Span
from blikk_edge.enrichers.facts import Facts, Stay
from blikk_edge.enrichers.summaries.note import Note
from blikk_edge.enrichers.summaries.wording import (
    clipped,
    duration,
    kind_of_all,
    listed,
    number,
    plural,
    sentence,
    some,
    the,
    times,
)

PASSING_S: Final = 30.0
"""A vehicle or an animal that is gone sooner has passed."""

_NAME_MAX: Final = 32
_ZONES_MAX: Final = 3
_GAPS_MAX: Final = 3


def template(facts: Facts) -> Note:
    """What there is to say about these facts; never raises, always within the limits of a Note."""
    if facts.about is not None:
        title, text = _event_title, _event_text
    else:
        title, text = (_period_title, _period_text) if facts.ended else (_present_title, _present_text)
    return Note(
        title=clipped(sentence(title(facts)).removesuffix("."), TITLE_MAX),
        text=clipped(text(facts), TEXT_MAX),
        importance=importance(facts),
    )


def with_gaps(note: Note, facts: Facts, gaps: Mapping[str, Sequence[Span]], cameras: int) -> Note:
    """The note about a period, and what of it was not watched, by a camera's name; `cameras` is how many there are.

    Where none of them was watched at any time, and nothing is known, that is all there is to say.
    """
    if not gaps:
        return note
    since, until = _moment(facts, facts.since), _moment(facts, facts.until)
    whole = {name for name, spans in gaps.items() if sum(b - a for a, b in spans) >= 0.99 * facts.duration_s}
    if len(whole) == cameras and quiet(facts):
        return Note(
            title=clipped(f"Not watched: {_name(facts)}", TITLE_MAX),
            text=f"Nothing was watched from {since} to {until}, so nothing is known.",
            importance=Importance.LOW,
        )
    missed = [
        the(name)
        if name in whole
        else f"{the(name)} {listed([f'from {_moment(facts, a)} to {_moment(facts, b)}' for a, b in spans[:_GAPS_MAX]])}"
        for name, spans in [*gaps.items()][:_GAPS_MAX]
    ]
    missed += [f"{number(len(gaps) - _GAPS_MAX)} more"] if len(gaps) > _GAPS_MAX else []
    said = f" Not watched: {listed(missed)}."
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


def who(facts: Facts, label: Label) -> str:
    """`a car`, `two people`: the most that were there at once."""
    return some(facts.peak.get(label, 1), _kind(facts, label))


def _kind(facts: Facts, label: Label) -> str:
    return kind_of_all(label, facts.stays)


def _name(facts: Facts) -> str:
    return clipped(facts.name, _NAME_MAX)


def _where(facts: Facts) -> str:
    """The zones, or the camera: `the path and the porch`, `the front door`."""
    places = [the(clipped(zone, _NAME_MAX)) for zone in facts.zones[:_ZONES_MAX] if zone.strip()]
    return listed(places) or the(_name(facts))


def _own(facts: Facts) -> tuple[Stay, ...]:
    """Those whom the event is about."""
    return tuple(stay for stay in facts.stays if stay.label is facts.about)


def _event_title(facts: Facts) -> str:
    label = facts.about or Label.PERSON
    seen, place = who(facts, label), the(_name(facts))
    if facts.rings:
        return f"Doorbell: {seen} at {place}"
    if facts.loitering:
        return f"{seen} {'stayed long' if facts.ended else _be('staying long', facts, label)} at {place}"
    if label is Label.VEHICLE and facts.parked:
        return f"{seen} parked at {place}"
    if label is Label.VEHICLE and facts.drove_off:
        return f"{seen} drove off from {place}"
    return f"{seen} at {place}"


def _be(doing: str, facts: Facts, label: Label) -> str:
    return f"{'is' if facts.peak.get(label, 1) == 1 else 'are'} {doing}"


def _event_text(facts: Facts) -> str:
    label = facts.about or Label.PERSON
    parts = [_MAIN[label](facts, label), _long(facts), _rang(facts), *_others(facts, label)]
    return " ".join(filter(None, (sentence(part) for part in parts)))


def _stayed(facts: Facts, label: Label) -> str:
    """Of people, animals, and vehicles that neither passed nor parked."""
    one = facts.peak.get(label, 1) == 1
    seen = some(facts.peak.get(label, 1), _kind(facts, label))
    if facts.seen.get(label, 0) > facts.peak.get(label, 1) > 1:
        seen = f"up to {number(facts.peak[label])} {plural(_kind(facts, label))} at once"
    if not facts.ended:
        return f"{seen} {'has' if one else 'have'} been at {_where(facts)} since {_clock(facts, facts.since)}"
    own = _own(facts)
    did = "stood" if own and all(stay.still for stay in own) else "was" if one else "were"
    return f"{seen} {did} at {_where(facts)} for {duration(facts.duration_s)} and left"


def _drove(facts: Facts, label: Label) -> str:
    seen = who(facts, label)
    if facts.drove_off:
        since = _clock(facts, facts.since)
        return f"{seen} that had been parked drove off from {_where(facts)} at {since}"
    if facts.parked:
        return f"{seen} came at {_clock(facts, facts.since)} and parked at {_where(facts)}"
    if facts.ended and facts.duration_s < PASSING_S and not any(stay.still for stay in _own(facts)):
        return f"{seen} passed {_where(facts)}"
    return _stayed(facts, label)


def _lay(facts: Facts, label: Label) -> str:
    seen, be = who(facts, label), ("was" if facts.peak.get(label, 1) == 1 else "were")
    if not facts.ended:
        return f"{seen} {be} put down at {_where(facts)} at {_clock(facts, facts.since)}"
    return f"{seen} {be} at {_where(facts)} for {duration(facts.duration_s)} and {be} then no longer seen"


_MAIN: Final = {Label.PERSON: _stayed, Label.VEHICLE: _drove, Label.ANIMAL: _stayed, Label.PACKAGE: _lay}


def _long(facts: Facts) -> str:
    if not facts.loitering or not (own := _own(facts)):
        return ""
    longest = duration(max(stay.dwell_s for stay in own))
    return f"the longest stay was {longest}" if facts.ended else f"the longest stay is {longest} so far"


def _rang(facts: Facts) -> str:
    if not facts.rings:
        return ""
    last = _clock(facts, max(facts.rings))
    return (
        f"the doorbell rang {f'at {last}' if len(facts.rings) == 1 else f'{times(len(facts.rings))}, last at {last}'}"
    )


def _others(facts: Facts, label: Label) -> tuple[str, ...]:
    """What else was there meanwhile."""
    rest = [who(facts, other) for other in facts.labels if other is not label]
    if not rest:
        return ()
    be = "was" if len(rest) == 1 and rest[0].startswith(("a ", "an ")) else "were"
    return (f"{listed(rest)} {be} there too",)


def _period_title(facts: Facts) -> str:
    if quiet(facts):
        return f"Quiet: {_name(facts)}"
    parcels = facts.visits.get(Label.PACKAGE, 0)
    visits = sum(facts.visits.values()) - parcels
    told = [f"{visits} visit{'s' if visits > 1 else ''}"] if visits else []
    told += [some(parcels, Label.PACKAGE.value)] if parcels else []
    told += [f"{len(facts.rings)} ring{'s' if len(facts.rings) > 1 else ''}"] if facts.rings else []
    return f"{_name(facts)}: {listed(told)}"


def _period_text(facts: Facts) -> str:
    since, until = _moment(facts, facts.since), _moment(facts, facts.until)
    if quiet(facts):
        return f"Nothing was seen from {since} to {until}."
    visits = [_visits(facts, label) for label in facts.labels if label is not Label.PACKAGE]
    seen = f"From {since} to {until}: {listed(visits)}" if visits else f"From {since} to {until} nobody was seen"
    return " ".join(sentence(part) for part in (seen, _parcels(facts), _rang(facts)) if part)


def _parcels(facts: Facts) -> str:
    count = max(facts.visits.get(Label.PACKAGE, 0), facts.peak.get(Label.PACKAGE, 0))
    put = "was" if count == 1 else "were"
    return f"{some(count, Label.PACKAGE.value)} {put} put down" if count else ""


def _present_title(facts: Facts) -> str:
    return f"{_present(facts) or 'nobody'} at {the(_name(facts))}"


def _present_text(facts: Facts) -> str:
    now = _clock(facts, facts.until)
    if not facts.peak:
        return f"Nothing is to be seen at {the(_name(facts))} at {now}."
    since = [f"since {_clock(facts, min(stay.since for stay in facts.stays))}"] if facts.stays else []
    return sentence(" ".join([f"at {now} there {_are(facts)} {_present(facts)} at {the(_name(facts))}", *since]))


def _present(facts: Facts) -> str:
    return listed([who(facts, label) for label in facts.labels])


def _are(facts: Facts) -> str:
    return "is" if sum(facts.peak.values()) == 1 else "are"


def _visits(facts: Facts, label: Label) -> str:
    visits, most, kind = facts.visits.get(label, 1), facts.peak[label], _kind(facts, label)
    told = f"{number(visits)} visit{'s' if visits > 1 else ''}"
    if most == 1:
        return f"{told} by {some(1, kind)}"
    return f"{told} by up to {number(most)} {plural(kind)} at once"


def _clock(facts: Facts, time: float) -> str:
    return f"{facts.local(time):%H:%M}"


def _moment(facts: Facts, time: float) -> str:
    """With the day where the period is longer than one."""
    return f"{facts.local(time):%d %b %H:%M}" if facts.duration_s > 86400 else _clock(facts, time)
