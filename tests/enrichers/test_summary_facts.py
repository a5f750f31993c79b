from summary_props import IN_UTC, NOON, ended, event, observation, ring, sighting

from blikk_edge.core.observation import Observed
from blikk_edge.core.sightings import Label
from blikk_edge.language.facts import MAX_STAYS, MAX_TIMES, event_facts, period_facts


def test_someone_who_left_before_the_end_is_still_known_from_the_observations():
    came = [observation(sighting(1)), observation(sighting(2, since=3.0, dwell_s=0.0), key="porch-o2", at=3.0)]
    gone = ended(sighting(2, since=3.0, dwell_s=9.0), at=12.0, peak=2)
    facts = event_facts(gone, name="Front door", observations=came)
    assert [(s.track, s.since - NOON, s.dwell_s) for s in facts.stays] == [(1, 0.0, 2.0), (2, 3.0, 9.0)]
    assert (facts.peak, facts.seen) == ({Label.PERSON: 2}, {Label.PERSON: 2})
    assert facts.durations_s == (12.0, 2.0, 9.0)


def test_a_track_is_one_stay_with_all_its_zones():
    seen = [
        observation(sighting(1, dwell_s=1.0, zones=("path",))),
        observation(sighting(1, dwell_s=4.0, zones=("porch",))),
    ]
    (stay,) = event_facts(event(sighting(1, dwell_s=2.0)), name="Door", observations=seen).stays
    assert (stay.dwell_s, stay.zones) == (4.0, ("path", "porch"))


def test_track_numbers_of_two_runs_are_two_people():
    visits = [ended(sighting(1), at=5.0), ended(sighting(1, since=500.0), at=505.0, started=500.0, key="porch-2")]
    facts = period_facts(visits, camera="porch", name="Door", since=NOON, until=NOON + 3600)
    assert (facts.peak, facts.seen, facts.visits) == ({Label.PERSON: 1}, {Label.PERSON: 2}, {Label.PERSON: 2})


def test_what_else_was_there_counts_too():
    car = ended(sighting(9, label=Label.VEHICLE), at=60.0, label=Label.VEHICLE, reason=Observed.STILL, key="porch-2")
    facts = event_facts(event(sighting(1)), name="Door", others=[car], rings=[ring(2.0)])
    assert facts.labels == (Label.PERSON, Label.VEHICLE)
    assert facts.parked
    assert facts.rings == (NOON + 2.0,)
    assert NOON + 60.0 in facts.times


def test_facts_stay_small_however_much_happened():
    many = [ended(sighting(n, since=n), at=n + 2.0, started=n, key=f"porch-{n}") for n in range(500)]
    facts = period_facts(many, camera=None, name="Home", since=NOON, until=NOON + 3600, cameras=("Door", "Yard"))
    assert (len(facts.stays), len(facts.moments)) == (MAX_STAYS, MAX_TIMES)
    assert facts.visits == {Label.PERSON: 500}


def test_times_are_worded_in_the_zone_that_was_asked_for():
    facts = event_facts(event(), name="Door", locale=IN_UTC)
    assert f"{facts.local(facts.since):%H:%M}" == "12:00"
