"""Events, Observations and Rings as the tests of summaries need them."""

from datetime import UTC

from blikk_edge.core.geometry import Box
from blikk_edge.core.locale import Locale
from blikk_edge.core.observation import Event, Observation, Observed, Phase, Ring, Sighting
from blikk_edge.core.sightings import Label

IN_UTC = Locale(timezone=UTC)

NOON = 1_767_268_800.0
"""2026-01-01 12:00:00 UTC."""


def sighting(track=1, *, label=Label.PERSON, since=0.0, dwell_s=2.0, zones=(), still=False, sub_label=None):
    """One tracked object, `since` seconds after noon."""
    return Sighting(
        track=track,
        label=label,
        sub_label=sub_label or {Label.VEHICLE: "car", Label.ANIMAL: "dog"}.get(label, str(label)),
        score=0.8,
        box=Box(0.4, 0.3, 0.5, 0.7),
        since=NOON + since,
        dwell_s=dwell_s,
        still=still,
        zones=zones,
    )


def event(
    *objects,
    at=0.0,
    started=0.0,
    phase=Phase.STARTED,
    label=Label.PERSON,
    reason=Observed.APPEARED,
    revision=1,
    peak=1,
    zones=(),
    loitering=False,
    ended=None,
    key="porch-1",
    camera="porch",
    change=None,
):
    """One revision of an event; times are seconds after noon."""
    return Event(
        id=key,
        camera=camera,
        phase=phase,
        revision=revision,
        time=NOON + at,
        started=NOON + started,
        label=label,
        reason=reason,
        objects=objects,
        peak=peak,
        zones=zones,
        loitering=loitering,
        ended=None if ended is None else NOON + ended,
        change=change,
    )


def ended(*objects, at, started=0.0, reason=Observed.LEFT, revision=2, **rest):
    """The last revision of an event that ended at `at`."""
    return event(
        *objects, at=at + 1.5, started=started, phase=Phase.ENDED, reason=reason, revision=revision, ended=at, **rest
    )


def observation(
    *objects,
    kind=Observed.APPEARED,
    at=0.0,
    until=None,
    zones=(),
    event="porch-1",
    key="porch-o1",
    camera="porch",
    change=None,
):
    """One observation; times are seconds after noon."""
    return Observation(
        id=key,
        camera=camera,
        kind=kind,
        time=NOON + at,
        until=NOON + (at if until is None else until),
        score=0.4,
        objects=objects,
        zones=zones,
        event=event,
        change=change,
    )


def ring(at=0.0, *, camera="porch", key="porch-r1"):
    """The doorbell."""
    return Ring(id=key, camera=camera, time=NOON + at, via="gpio")
