"""Questions that the tracks answer without a model: who is there, how many, for how long.

Only a question that is understood to its last word is answered here; any other is left to the model.
"""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import AnswerKind, Question
from blikk_edge.enrichers.questions.scene import Here, Scenery
from blikk_edge.language.language import Language
from blikk_edge.language.reading import Reading, readings
from blikk_edge.language.wording import kind_of

SURE_OF_NOBODY: Final = 0.8
"""Confidence in what was not seen: a detector misses some of what it looks for, above all in the dark."""

UNSCORED: Final = 0.7
"""Confidence in what is there by the camera's count alone, as a parked vehicle that was there before the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackAnswer:
    """An answer with its grounds.

    Attributes:
        answer: `yes`, `no`, or a number.
        confidence: 0..1: the detector's score where somebody was seen.
        evidence: What it rests on, a few words in the household's language.
        event: The id of the Event that shows it; None where there is none.
        until_s: After so many seconds it may be another although nothing happened; infinity where it stays.
    """

    answer: str
    confidence: float
    evidence: str
    event: str | None = None
    until_s: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackQuestion:
    """What a question asks of the tracks.

    Attributes:
        label: Of what, as PERSON.
        kind: Of which class of the detector, as `cat`; empty for any of the label.
        zone: In this one, by name; None for the whole picture.
        at_least_s: For at least so long; 0 for any time.
        loiters: Whether somebody stays long, by the camera's own measure.
        parked: Whether it stands still.
        how_many: How many, not whether there are any.
    """

    label: Label
    kind: str = ""
    zone: str | None = None
    at_least_s: float = 0.0
    loiters: bool = False
    parked: bool = False
    how_many: bool = False


def understood(question: Question, *, name: str, zones: Collection[str]) -> TrackQuestion | None:
    """What a question asks of the tracks of its camera, called `name`; None where that is not all it asks.

    It may be in any language that questions are read in, whatever the household's is.
    """
    text = _plain(question.text)
    for reading in readings():
        for form in reading.watched_forms:
            match = form.fullmatch(text)
            asked = _asked(match.groupdict(), name, zones, reading) if match is not None else None
            if asked is not None and asked.how_many is (question.kind is AnswerKind.TEXT):
                return asked
    return None


def _asked(found: dict[str, str | None], name: str, zones: Collection[str], reading: Reading) -> TrackQuestion | None:
    meaning = reading.subjects[found["noun"] or ""]
    place = reading.bare_place(found.get("place") or "")
    zone = next((zone for zone in zones if _plain(zone) == place != ""), None)
    if zone is None and place not in {"", _plain(name), f"{_plain(name)} camera"}:
        return None
    at_least_s = 0.0
    if (n := found.get("n")) is not None:
        at_least_s = (reading.numbers.get(n) or float(n)) * reading.unit_s(found["unit"] or "")
    parked = bool(found.get("parked"))
    if meaning.label is None or (parked and meaning.label is not Label.VEHICLE):
        return None
    return TrackQuestion(
        label=meaning.label,
        kind=meaning.kind,
        zone=zone,
        at_least_s=at_least_s,
        loiters=bool(found.get("loiter")),
        parked=parked,
        how_many=bool(found.get("many")),
    )


def _plain(name: str) -> str:
    return " ".join(re.sub(r"[^\w ]", "", name.lower().replace("_", " ").replace("-", " ")).split())


def answered(asked: TrackQuestion, scenery: Scenery, now: float) -> TrackAnswer | None:
    """What the tracks say; None where they cannot say. Call it only where the scenery is not blind."""
    count = scenery.count(asked.label)
    if count is None:
        return None
    tracked, spoken = scenery.here(asked.label), scenery.spoken
    hidden = count - len(tracked)  # parked, or there since before the start: of no known class, place or time
    found = [here for here in tracked if _fits(asked, here)]
    if hidden and (asked.kind or asked.zone or asked.at_least_s) and not (found and not asked.how_many):
        return None
    if asked.how_many:
        return _number(asked, found, hidden, spoken)
    if asked.at_least_s or asked.loiters:
        return _long(asked, found, scenery, now)
    return _there(asked, [here for here in found if here.sighting.still or not asked.parked], hidden, now, spoken)


def _fits(asked: TrackQuestion, here: Here) -> bool:
    sighting = here.sighting
    return (not asked.kind or kind_of(sighting) == asked.kind) and (asked.zone is None or asked.zone in sighting.zones)


def _there(asked: TrackQuestion, found: Sequence[Here], hidden: int, now: float, spoken: Language) -> TrackAnswer:
    """Whether any of it is there."""
    if not found and hidden:
        counted = spoken.say("evidence.counted", seen=spoken.thing(asked.label.value, hidden))
        return TrackAnswer(answer="yes", confidence=UNSCORED, evidence=counted)
    if not found:
        return _nobody(asked, spoken)
    here = max(found, key=lambda here: here.sighting.score)
    seen, stay = spoken.thing(kind_of(here.sighting)), spoken.duration(here.stay_s(now))
    return TrackAnswer(
        answer="yes",
        confidence=here.sighting.score,
        evidence=spoken.say("evidence.there", seen=seen, duration=stay),
        event=here.event,
    )


def _number(asked: TrackQuestion, found: Sequence[Here], hidden: int, spoken: Language) -> TrackAnswer:
    n = len(found) + (0 if asked.kind or asked.zone else hidden)
    scores = [here.sighting.score for here in found] or [UNSCORED if n else SURE_OF_NOBODY]
    return TrackAnswer(
        answer=str(n),
        confidence=min(scores),
        evidence=spoken.say("evidence.counted", seen=spoken.thing(asked.kind or asked.label.value, n)),
        event=found[0].event if found else None,
    )


def _long(asked: TrackQuestion, found: Sequence[Here], scenery: Scenery, now: float) -> TrackAnswer:
    """Whether somebody has been there for so long, or long by the camera's own measure where no time is asked."""
    spoken = scenery.spoken
    if not found:
        return _nobody(asked, spoken)
    longest = max(found, key=lambda here: here.stay_s(now))
    loitering = {event.id for event in scenery.loiterers()}
    if asked.at_least_s:
        long, left_s = longest.stay_s(now) >= asked.at_least_s, asked.at_least_s - longest.stay_s(now)
    else:
        longest = next((here for here in found if here.event in loitering), longest)
        long, left_s = longest.event in loitering, math.inf
    return TrackAnswer(
        answer="yes" if long else "no",
        confidence=longest.sighting.score,
        evidence=spoken.say("evidence.longest", duration=spoken.duration(longest.stay_s(now))),
        event=longest.event,
        until_s=math.inf if long else left_s,
    )


def _nobody(asked: TrackQuestion, spoken: Language) -> TrackAnswer:
    nobody = spoken.say("evidence.nobody", things=spoken.things(asked.kind or asked.label.value))
    return TrackAnswer(answer="no", confidence=SURE_OF_NOBODY, evidence=nobody)
