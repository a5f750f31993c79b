"""Compact lines of what was observed: what a language model reads; bounded in number and bytes, the newest kept."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from blikk_edge.core.errors import some_of
from blikk_edge.core.observation import Event, Observation, Observed, Ring, Sighting
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label
from blikk_edge.language.facts import Facts, parked, taken
from blikk_edge.language.language import ENGLISH, language
from blikk_edge.language.wording import kind_of, kind_of_all
from blikk_edge.llm.quoting import quoted

MAX_LINES: Final = 16
MAX_BYTES: Final = 900
NAME_MAX: Final = 40
"""Characters of a name of the user's; longer ones are cut."""

_OBJECTS_MAX: Final = 4

_ENGLISH: Final = language(ENGLISH)
"""Lines are English in any language: models read it best, and it is paid by the word."""

_VERBS: Final = {
    Observed.APPEARED: "came",
    Observed.LEFT: "gone",
    Observed.ENTERED_ZONE: "enters",
    Observed.LEFT_ZONE: "leaves",
    Observed.LOITERING: "stays long",
    Observed.STILL: "stands still",
    Observed.MOVING: "moves",
    Observed.RECOUNT: "now",
}
"""What a line says happened. Motion and other views name nobody and get no line."""


_CHANGES: Final = {ParcelChange.LEFT_BEHIND: "was put down", ParcelChange.TAKEN: "was taken"}
"""What is said instead of parcels."""


def named(name: str) -> str:
    """A name of the user's, quoted."""
    return f'"{quoted(name, NAME_MAX)}"'


def event_lines(facts: Facts, records: Iterable[Observation | Ring]) -> tuple[str, ...]:
    """`08:15:07 person 1 came "porch"`: one for each record, by time, within MAX_LINES and MAX_BYTES.

    Objects are numbered by label in the order of `facts.stays`, as tracks are not: their numbers are long.
    """
    numbers = _numbers(facts)
    ordered = sorted(records, key=lambda record: record.time)
    return bounded([line for record in ordered if (line := _line(facts, record, numbers)) is not None])


def visit_lines(facts: Facts, events: Sequence[Event], names: Mapping[str, str]) -> tuple[str, ...]:
    """`08:15 2 people 42s "Front door"`: one for each event of a period, by time; one for each hour where many were.

    `names` are the cameras' by id; they are written where there are several.
    """
    ordered = sorted(events, key=lambda event: event.started)
    shown = names if len({event.camera for event in events}) > 1 else {}
    if len(ordered) <= MAX_LINES:
        return bounded([_visit(facts, event, shown) for event in ordered])
    hours: dict[tuple[str, str, Label], list[Event]] = {}
    for event in ordered:
        hour = f"{facts.local(event.started):%d. %H:00}"
        hours.setdefault((hour, event.camera, event.label), []).append(event)
    return bounded([_hour(*key, several, shown) for key, several in hours.items()], most=2 * MAX_LINES)


def bounded(lines: Sequence[str], *, most: int = MAX_LINES, most_bytes: int = MAX_BYTES) -> tuple[str, ...]:
    """The newest lines that fit; the first one then says how many are missing."""
    kept: list[str] = []
    left = most_bytes
    for line in reversed(lines):
        left -= len(line.encode()) + 1
        if len(kept) == most or left < 0:
            break
        kept.append(line)
    missing = len(lines) - len(kept)
    return ((f"({missing} earlier lines left out)",) if missing else ()) + tuple(reversed(kept))


def halved(lines: Sequence[str]) -> tuple[str, ...]:
    """The newer half, for a model whose context is too small."""
    return bounded(lines, most=len(lines) // 2)


def brief_duration(seconds: float) -> str:
    """`42s`, `12min`: shorter than in prose."""
    return _ENGLISH.duration(seconds).replace(" s", "s").replace(" min", "min").replace(" h", "h")


def _numbers(facts: Facts) -> dict[int, str]:
    """What each track is called: `person 2`."""
    counts: dict[str, int] = {}
    numbers: dict[int, str] = {}
    for stay in facts.stays:
        kind = kind_of(stay)
        counts[kind] = counts.get(kind, 0) + 1
        numbers[stay.track] = f"{kind} {counts[kind]}"
    return numbers


def _line(facts: Facts, record: Observation | Ring, numbers: Mapping[int, str]) -> str | None:
    if isinstance(record, Ring):
        return f"{facts.local(record.time):%H:%M:%S} doorbell rings"
    if record.kind not in _VERBS or not record.objects:
        return None
    verb = _VERBS[record.kind] if record.change is None else _CHANGES[record.change]
    body = f"{_who(record.objects, numbers)} {verb}{_where(record.zones)}{_dwell(record)}"
    # that somebody has left is known a little later than it was so
    left = max(one.since + one.dwell_s for one in record.objects)
    time = min(record.time, left) if record.kind is Observed.LEFT else record.time
    return f"{facts.local(time):%H:%M:%S} {body}"


def _who(objects: Sequence[Sighting], numbers: Mapping[int, str]) -> str:
    """`person 1, person 2`, or how many more there were."""
    shown = [numbers.get(one.track, kind_of(one)) for one in objects]
    return some_of(shown, _OBJECTS_MAX)


def _where(zones: Sequence[str]) -> str:
    return f" {', '.join(named(zone) for zone in zones[:3])}" if zones else ""


def _dwell(observation: Observation) -> str:
    longest = max(one.dwell_s for one in observation.objects)
    return f" {brief_duration(longest)}" if longest >= 1.0 and observation.kind is not Observed.APPEARED else ""


def _visit(facts: Facts, event: Event, names: Mapping[str, str]) -> str:
    kind = kind_of_all(event.label, event.objects)
    who = kind if event.peak == 1 else f"{event.peak} {_ENGLISH.things(kind)}"
    stayed = " parked" if parked(event) else " taken" if taken(event) else " long" if event.loitering else ""
    return f"{facts.local(event.started):%H:%M} {who} {brief_duration(event.duration_s)}{stayed}{_at(event, names)}"


def _hour(hour: str, _camera: str, label: Label, events: Sequence[Event], names: Mapping[str, str]) -> str:
    visits = f"{len(events)} visit{'s' if len(events) > 1 else ''}"
    most = max(event.peak for event in events)
    several = f", up to {most} at once" if most > 1 else ""
    longest = brief_duration(max(event.duration_s for event in events))
    return f"{hour} {label.value} {visits}{several}, longest {longest}{_at(events[0], names)}"


def _at(event: Event, names: Mapping[str, str]) -> str:
    return f" {named(names[event.camera])}" if event.camera in names else ""
