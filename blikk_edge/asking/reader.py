"""Reads a question by rules into a typed Query, or says which words it does not understand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from blikk_edge.asking.phrase import Phrase
from blikk_edge.asking.places import take_names, take_place
from blikk_edge.asking.times import Span, Wall, midnight, seconds_of, take_times
from blikk_edge.core.inquiry import Aggregate, AskQuestion, Query
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo
from blikk_edge.language.reading import Meaning, Reading

_TODAY: Final = {
    *(Aggregate.COUNT, Aggregate.VISITS, Aggregate.LIST, Aggregate.ANY),
    *(Aggregate.FIRST, Aggregate.LONGEST, Aggregate.DURATION, Aggregate.MOST_AT_ONCE),
}
"""What is asked about today where no time is named."""


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A question that was not understood.

    Attributes:
        words: Those that stood in the way.
        place: The place that nobody knows; empty where every place is known.
    """

    words: tuple[str, ...] = ()
    place: str = ""


def read(
    request: AskQuestion, *, cameras: Sequence[CameraInfo], now: float, wall: Wall, reading: Reading
) -> Query | Puzzle:
    """The Query of a question in the language of `reading`, seen from `now` (seconds since 1970 UTC).

    Cameras and times of the request hold where the question names none. Without a time, a question about the past is
    about today, one about the last visit about all that is stored.
    """
    phrase = Phrase(request.question, reading)
    at_least_s = _at_least(phrase)
    phrase.take_all("asks.until_now")
    named = take_names(phrase, cameras)
    span = take_times(phrase, now, wall)
    loitering = bool(phrase.take_all("asks.loitering"))
    measure, ongoing = _measure(phrase, named_time=span is not None, loitering=loitering)
    rings = bool(phrase.take_all("asks.ring"))
    delivered, took = phrase.has("asks.delivered"), phrase.take_all("asks.taken")
    nobody, anything = phrase.has("asks.nobody"), phrase.has("asks.what_was_seen")
    subjects = [found[0] for found in phrase.take_all(reading.subject)]
    for pattern in (reading.measure_words, "asks.now"):
        phrase.take_all(pattern)
    where = take_place(phrase, cameras, named)
    strange = tuple(word for word in phrase.words if word not in reading.filler)
    labels, kinds = _labels([reading.subjects[word] for word in subjects])
    if took and labels and Label.PACKAGE not in labels:
        strange += tuple(found[0] for found in took)
    if where.unknown or strange or not (subjects or rings or loitering or anything or took):
        return Puzzle(words=strange, place=where.unknown)
    if took:
        query = Query(
            measure=measure,
            labels=(Label.PACKAGE,),
            cameras=where.cameras,
            zone=where.zone,
            change=ParcelChange.TAKEN,
            doubt="who" if Label.PERSON in labels else "",
        )
        return _bounded(query, request, span, midnight(now, wall))
    query = Query(
        measure=Aggregate.COUNT if nobody and measure is Aggregate.ANY else measure,
        labels=() if rings else labels or ((Label.PERSON,) if loitering and not subjects else ()),
        kinds=() if rings else kinds,
        cameras=where.cameras,
        zone=where.zone,
        loitering=loitering and not at_least_s,
        ongoing=ongoing,
        rings=rings,
        min_duration_s=at_least_s,
        change=ParcelChange.LEFT_BEHIND if delivered and labels == (Label.PACKAGE,) else None,
        doubt=_doubt(subjects, reading, rings=rings),
    )
    return _bounded(query, request, span, midnight(now, wall))


def _at_least(phrase: Phrase) -> float:
    found = phrase.take("asks.at_least") or phrase.take("asks.lasting")
    return 0.0 if found is None else seconds_of(found, phrase.reading)


def _measure(phrase: Phrase, *, named_time: bool, loitering: bool) -> tuple[Aggregate, bool]:
    """What is asked, and whether only about what goes on now."""
    at_present = not named_time and (phrase.has("asks.is") or phrase.has("asks.now"))
    for pattern, measure in phrase.reading.measures:
        if not phrase.has(pattern):
            continue
        if measure is Aggregate.COUNT and at_present:
            return Aggregate.PRESENT, False
        return measure, measure is Aggregate.STAYING
    if phrase.has("asks.when"):
        return (Aggregate.LIST if named_time else Aggregate.LAST), False
    if at_present:
        return (Aggregate.ANY, True) if loitering else (Aggregate.PRESENT, False)
    if phrase.has("asks.yes_or_no") or phrase.has("asks.is"):
        return Aggregate.ANY, False
    return Aggregate.LIST, False


def _labels(meant: Sequence[Meaning]) -> tuple[tuple[Label, ...], tuple[str, ...]]:
    """What is looked for. A class restricts only where nothing wider of its label is named too ("dogs or animals")."""
    meant = [each for each in meant if not each.weak] or meant
    labels = tuple(dict.fromkeys(each.label for each in meant if each.label is not None))
    wide = {each.label for each in meant if not each.kind}
    return labels, tuple(dict.fromkeys(each.kind for each in meant if each.kind and each.label not in wide))


def _doubt(subjects: Sequence[str], reading: Reading, *, rings: bool) -> str:
    if rings and any(map(reading.is_who, subjects)):
        return "who"
    return next((word for word in subjects if reading.subjects[word].doubtful), "")


def _bounded(query: Query, request: AskQuestion, span: Span | None, today: float) -> Query:
    """With the times and cameras of the request where the question has none, and today where neither has."""
    if not query.cameras and request.camera is not None:
        query = replace(query, cameras=(request.camera,))
    if query.measure is Aggregate.PRESENT or query.ongoing:
        return query
    if span is not None:
        return replace(query, since=span.since, until=span.until)
    if request.since is not None or request.until is not None:
        return replace(query, since=request.since, until=request.until)
    return replace(query, since=today) if query.measure in _TODAY else query
