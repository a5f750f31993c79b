"""What Prometheus reads of a node, judged by Prometheus' own parser and linter."""

import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from blikk_edge.core.errors import ConfigError
from blikk_edge.core.observation import Event, Observed, Phase
from blikk_edge.core.probe import FleetNote, FrameNote, LaneNote, MailboxNote, NodeNote, Outcome, SinkNote, Stage, Why
from blikk_edge.core.sightings import Label, View
from blikk_edge.core.status import CameraState, LlmPhase, LlmState
from blikk_edge.runtime.probe import NodeProbe
from blikk_edge.web import prometheus
from blikk_edge.web.exposition import node_families

NODE = NodeNote(
    cameras=(
        CameraState(camera="door", online=True, fps=5.0, last_frame_age_s=0.1, restarts=2, skipped=(("gauge", 3),)),
        CameraState(camera="yard", online=False, problem="it is away"),
    ),
    lanes=(LaneNote(camera="door", waiting=1, busy=True), LaneNote(camera="yard", waiting=0, busy=False)),
    mailboxes=(MailboxNote(consumer="delivery", waiting=4, lost=1),),
    sinks=(
        SinkNote(name="mqtt", backlog=12, problem="the broker is away"),
        SinkNote(name="websocket", backlog=None, problem=None),
    ),
    lost=7,
    unsaved=2,
    llm=LlmState(model="m", phase=LlmPhase.OVER_BUDGET, calls_today=5, tokens_today=900, calls_left=0, tokens_left=50),
    temperature_c=51.5,
    problems=("mqtt: the broker is away",),
)


FLEET = FleetNote(
    site="hall",
    version=7,
    cameras=("door", "yard"),
    elsewhere=frozenset({"yard"}),
    unwatched=frozenset({"yard"}),
    members={"one": True, "two": False},
    held=1,
    cameras_max=16,
    refused=2,
    leads=True,
    connected=True,
    sees=False,
    claims=3,
    moves=4,
    claims_lost=5,
    handed_on=6,
)


def told() -> NodeProbe:
    probe = NodeProbe({"door": 5.0, "yard": 5.0}, now=lambda: 1002.0)
    door = probe.camera("door")
    for number in range(3):
        note = FrameNote(
            seq=number,
            time=1000.0 + number,
            view=View.MOVING,
            score=0.5,
            threshold=0.3,
            why=Why.MOTION,
            outcome=Outcome.WAITING,
        )
        door.glanced(note, (0.0, 0.002), (0.002, 0.003))
    door.done(0, Outcome.LOOKED)
    door.dropped(1, Outcome.NEWER)
    door.spent(Stage.DETECT, (0.0, 0.04))
    door.failed(Stage.REDACT)
    event = Event(
        id="e",
        camera="door",
        phase=Phase.STARTED,
        revision=1,
        time=1001.0,
        started=1000.6,
        label=Label.PERSON,
        reason=Observed.APPEARED,
    )
    probe.handed("mqtt", event)
    probe.acknowledged("mqtt", [event], (0.0, 0.1))
    probe.journaled(event, (0.0, 0.004))
    return probe


def page(node: NodeNote = NODE) -> str:
    return prometheus.page(lambda: node_families(node, told().figures()))[0].decode()


def linted(text: str) -> tuple[int, str]:
    """What Prometheus' own linter says of a page."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool; scripts/test installs it")
    judged = subprocess.run([promtool, "check", "metrics"], input=text.encode(), capture_output=True, check=False)
    return judged.returncode, judged.stderr.decode() + judged.stdout.decode()


def values(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """By name and the values of the labels, those of buckets left out."""
    samples = (sample for family in read_text(text) for sample in family.samples if "le" not in sample.labels)
    return {(sample.name, tuple(sample.labels.values())): sample.value for sample in samples}


def test_the_page_says_what_was_measured_and_how_the_node_is_now():
    found = values(page())
    expected = {
        ("blikk_camera_online", ("door",)): 1,
        ("blikk_camera_online", ("yard",)): 0,
        ("blikk_camera_problem", ("yard",)): 1,
        ("blikk_camera_restarts_total", ("door",)): 2,
        ("blikk_step_skipped_total", ("door", "step.gauge")): 3,
        ("blikk_frames_captured_total", ("door",)): 3,
        ("blikk_frames_total", ("door", "looked")): 1,
        ("blikk_frames_total", ("door", "newer")): 1,
        ("blikk_frame_decisions_total", ("door", "motion")): 3,
        ("blikk_stage_seconds_count", ("door", "gate")): 3,
        ("blikk_stage_seconds_sum", ("door", "detect")): 0.04,
        ("blikk_stage_failures_total", ("door", "redact")): 1,
        ("blikk_stage_failures_total", ("yard", "redact")): 0,
        ("blikk_lane_waiting", ("door",)): 1,
        ("blikk_mailbox_waiting", ("delivery",)): 4,
        ("blikk_mailbox_lost_total", ("delivery",)): 1,
        ("blikk_sink_up", ("mqtt",)): 0,
        ("blikk_sink_up", ("websocket",)): 1,
        ("blikk_sink_backlog", ("mqtt",)): 12,
        ("blikk_journal_seconds_count", ()): 1,
        ("blikk_publish_seconds_sum", ("mqtt",)): 0.1,
        ("blikk_first_sight_to_acknowledged_seconds_count", ("door", "mqtt")): 1,
        ("blikk_records_lost_total", ()): 7,
        ("blikk_llm_phase", ("over_budget",)): 1,
        ("blikk_llm_phase", ("ready",)): 0,
        ("blikk_llm_tokens_left", ()): 50,
        ("blikk_temperature_celsius", ()): 51.5,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert found["blikk_first_sight_to_sink_seconds_sum", ("door", "mqtt")] == pytest.approx(1.4)
    assert found["process_resident_memory_bytes", ()] > 1e6
    assert ("blikk_sink_backlog", ("websocket",)) not in found


def test_labels_are_camera_stage_sink_and_reason_and_no_problem_is_told_in_words():
    labels = {name for family in read_text(page()) for sample in family.samples for name in sample.labels}
    assert labels - {"le"} == {"camera", "stage", "sink", "reason", "program", "version"}
    assert "broker is away" not in page()


def test_a_node_that_shares_cameras_says_how_and_the_leader_of_the_whole_site():
    shared = page(replace(NODE, fleet=FLEET))
    found = values(shared)
    expected = {
        "leader": 1, "nats_connected": 1, "sees_others": 0, "members": 1, "cameras_held": 1, "cameras_max": 16,
        "cameras_refused": 2, "cameras_version": 7, "claims_total": 3, "moves_total": 4, "claims_lost_total": 5,
        "handed_on_total": 6,
    }  # fmt: skip
    assert {name: found["blikk_fleet_" + name, ("hall",)] for name in expected} == expected
    of_site = {
        ("blikk_fleet_member_up", ("one", "hall")): 1,
        ("blikk_fleet_member_up", ("two", "hall")): 0,
        ("blikk_fleet_camera_watched", ("door", "hall")): 1,
        ("blikk_fleet_camera_watched", ("yard", "hall")): 0,
    }
    assert {key: found.get(key) for key in of_site} == of_site
    # one that another node watches is not away
    assert ("blikk_camera_online", ("yard",)) not in found
    assert found["blikk_camera_online", ("door",)] == 1
    other = values(page(replace(NODE, fleet=replace(FLEET, leads=False))))
    assert not [key for key in of_site if key in other]
    assert not [key for key in values(page()) if key[0].startswith("blikk_fleet")]
    assert linted(shared) == (0, "")


def test_a_camera_that_is_gone_leaves_no_series():
    left = replace(NODE, cameras=NODE.cameras[:1], lanes=NODE.lanes[:1])
    probe = NodeProbe({"door": 5.0})
    assert "yard" in page()
    assert "yard" not in prometheus.page(lambda: node_families(left, probe.figures()))[0].decode()


def test_promtool_finds_nothing_to_complain_about():
    assert linted(page()) == (0, "")


def test_who_asks_for_openmetrics_gets_it():
    content, kind = prometheus.page(
        lambda: node_families(NODE, told().figures()), "application/openmetrics-text; version=1.0.0"
    )
    assert kind.startswith("application/openmetrics-text")
    assert {family.name for family in read_openmetrics(content.decode())} >= {"blikk_frames", "blikk_stage_seconds"}


def test_without_the_package_the_error_says_what_to_type(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r"pip install 'blikk-edge\[metrics\]'"):
        prometheus.page(lambda: node_families(NODE, told().figures()))
