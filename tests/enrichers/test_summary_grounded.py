"""What the template says is supported by the facts, as the check of the models' texts sees it."""

from hypothesis import given
from hypothesis import strategies as st
from summary_props import IN_UTC, NOON, ended, event, ring, sighting

from blikk_edge.core.observation import Observed
from blikk_edge.core.sightings import Label
from blikk_edge.enrichers.summaries.template import template
from blikk_edge.language.facts import event_facts, period_facts, present_facts
from blikk_edge.language.grounding import check

CLASSES = {
    Label.PERSON: ("person",),
    Label.VEHICLE: ("car", "truck", "bus", "vehicle"),
    Label.ANIMAL: ("dog", "cat", "animal"),
    Label.PACKAGE: ("package",),
}
NAMES = st.sampled_from(["Front door", "Camera 1", "Anna's room", "Einfahrt", "the shed", "Back yard"])
ZONES = st.lists(st.sampled_from(["porch", "path", "garden", "street"]), max_size=2, unique=True).map(tuple)


@st.composite
def happened(draw, key=1):
    """An event as the reporter makes them."""
    label = draw(st.sampled_from(Label))
    start, length = draw(st.floats(0, 3000)), draw(st.sampled_from([0.0, 3.0, 20.0, 45.0, 200.0, 4000.0, 9000.0]))
    zones = draw(ZONES)
    seen = [
        sighting(
            10 * key + n,
            label=label,
            since=start,
            dwell_s=length * draw(st.sampled_from([0.5, 0.75, 1.0])),
            zones=zones,
            still=draw(st.booleans()),
            sub_label=draw(st.sampled_from(CLASSES[label])),
        )
        for n in range(draw(st.integers(1, 4)))
    ]
    peak = draw(st.integers(1, len(seen)))
    loitering = label is Label.PERSON and length >= 60 and draw(st.booleans())
    common = {"label": label, "peak": peak, "zones": zones, "loitering": loitering, "key": f"porch-{key}"}
    if draw(st.booleans()):
        still = label is Label.VEHICLE and draw(st.booleans())
        return ended(
            *seen,
            at=start + length,
            started=start,
            reason=Observed.STILL if still else Observed.LEFT,
            **common,
        )
    return event(*seen, at=start + length, started=start, **common)


@given(happened(), st.lists(happened(2), max_size=1), st.lists(st.floats(0, 4000), max_size=3), NAMES)
def test_of_an_event(one, others, bells, name):
    facts = event_facts(one, name=name, others=others, rings=[ring(at) for at in bells], locale=IN_UTC)
    note = template(facts)
    assert check(note.title, note.text, facts) == ()


@given(st.lists(happened(), max_size=4), st.lists(st.floats(0, 3000), max_size=2), NAMES, st.sampled_from([1, 24]))
def test_of_a_period(events, bells, name, hours):
    facts = period_facts(
        events,
        camera="porch",
        name=name,
        since=NOON,
        until=NOON + 3600 * hours,
        rings=[ring(at) for at in bells],
        locale=IN_UTC,
    )
    note = template(facts)
    assert check(note.title, note.text, facts) == ()


@given(st.lists(happened(), max_size=2), st.dictionaries(st.sampled_from(Label), st.integers(0, 3)), NAMES)
def test_of_now(events, counts, name):
    there = [one for one in events if one.ended is None]
    facts = present_facts(there, counts, camera="porch", name=name, now=NOON + 5000, locale=IN_UTC)
    note = template(facts)
    assert check(note.title, note.text, facts) == ()
