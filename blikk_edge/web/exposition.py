"""The figures of a node as Prometheus reads them. Pure; `prometheus_client` is imported when they are asked for."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from blikk_edge.core.probe import CameraFigures, FleetNote, NodeFigures, NodeNote
from blikk_edge.core.status import CameraState, LlmPhase, LlmState
from blikk_edge.web.prometheus import Rows, build_info, counter, gauge, histogram

if TYPE_CHECKING:
    from prometheus_client import Metric


def node_families(note: NodeNote, figures: NodeFigures) -> Iterator["Metric"]:
    """All of it, as Prometheus reads it.

    What is there now is in it, and nothing else: a camera that is gone, or that another node watches, leaves no series.
    """
    away = frozenset[str]() if note.fleet is None else note.fleet.elsewhere
    yield from _cameras([state for state in note.cameras if state.camera not in away])
    yield from _frames(figures.cameras)
    yield from _ways(note)
    yield from _sinks(note, figures)
    yield from _node(note)
    if note.llm is not None:
        yield from _llm(note.llm)
    if note.fleet is not None:
        yield from _fleet(note.fleet)


def _cameras(cameras: Sequence[CameraState]) -> Iterator["Metric"]:
    def of(read: Callable[[CameraState], float | None]) -> Rows:
        return (((state.camera,), read(state)) for state in cameras)

    camera = ("camera",)
    yield gauge("camera_online", "Whether the camera's stream is there.", camera, of(lambda s: s.online))
    yield gauge("camera_problem", "Whether something is wrong.", camera, of(lambda s: s.problem is not None))
    yield gauge("camera_fps", "Frames per second that arrive.", camera, of(lambda s: s.fps))
    yield gauge("camera_last_frame_age_seconds", "Since the last frame came.", camera, of(lambda s: s.last_frame_age_s))
    yield gauge("camera_motion_score", "The newest motion score, 0 to 1.", camera, of(lambda s: s.score))
    yield gauge("camera_threshold", "The motion score that counts as moving.", camera, of(lambda s: s.threshold))
    yield gauge("camera_detect", "Whether detection is switched on.", camera, of(lambda s: s.detect))
    yield counter("camera_restarts", "New starts of reader or pipeline.", camera, of(lambda s: s.restarts))
    yield counter("camera_inferences", "Looks of the detector.", camera, of(lambda s: s.inferences))
    yield counter(
        "step_skipped",
        "Frames that an added step was not given because it took too long.",
        ("camera", "stage"),
        (((s.camera, name if name == "search" else f"step.{name}"), n) for s in cameras for name, n in s.skipped),
    )


def _frames(cameras: Sequence[CameraFigures]) -> Iterator["Metric"]:
    reason = ("camera", "reason")
    yield counter(
        "frames_captured", "Frames that came from the source.", ("camera",), (((c.camera,), c.frames) for c in cameras)
    )
    yield counter(
        "frames",
        "Frames by what became of them.",
        reason,
        (((c.camera, str(outcome)), n) for c in cameras for outcome, n in c.outcomes.items()),
    )
    yield counter(
        "frame_decisions",
        "Frames by why the detector was to look at them, or why not.",
        reason,
        (((c.camera, str(why)), n) for c in cameras for why, n in c.reasons.items()),
    )
    yield histogram(
        "stage_seconds",
        "How long a stage takes with a frame.",
        ("camera", "stage"),
        (((c.camera, stage), timing) for c in cameras for stage, timing in c.stages.items()),
    )
    yield counter(
        "stage_failures",
        "How often a stage could not do its work: `redact`, no Picture left; `detect`, the model failed.",
        ("camera", "stage"),
        (((c.camera, s), c.failures.get(s, 0)) for c in cameras for s in dict.fromkeys((*ALWAYS_TOLD, *c.failures))),
    )


ALWAYS_TOLD: Final = ("redact", "detect")
"""Their failures are reported as 0 before the first: an alert sees no increase from nothing to 1."""


def _ways(note: NodeNote) -> Iterator["Metric"]:
    yield gauge(
        "lane_waiting",
        "Frames that wait for a vision worker.",
        ("camera",),
        (((lane.camera,), lane.waiting) for lane in note.lanes),
    )
    yield gauge(
        "mailbox_waiting", "What waits for a sink.", ("sink",), (((b.consumer,), b.waiting) for b in note.mailboxes)
    )
    yield counter(
        "mailbox_lost",
        "Records that found no room in the mailbox of a sink.",
        ("sink",),
        (((b.consumer,), b.lost) for b in note.mailboxes),
    )


def _sinks(note: NodeNote, figures: NodeFigures) -> Iterator["Metric"]:
    sink, sight = ("sink",), ("camera", "sink")
    yield gauge("sink_up", "Whether nothing is wrong with it.", sink, (((s.name,), not s.problem) for s in note.sinks))
    yield gauge(
        "sink_backlog", "Records that wait for it in the journal.", sink, (((s.name,), s.backlog) for s in note.sinks)
    )
    yield histogram(
        "publish_seconds",
        "Until a sink has taken a batch of records.",
        sink,
        (((name,), timing) for name, timing in figures.publish.items()),
    )
    yield histogram("journal_seconds", "Until a record is on disk.", (), (((), figures.journal),))
    yield histogram(
        "first_sight_to_sink_seconds",
        "From the first frame that shows what a new event is about until a sink is given it.",
        sight,
        figures.to_sinks.items(),
    )
    yield histogram(
        "first_sight_to_acknowledged_seconds",
        "From the first frame that shows what a new event is about until a sink has it.",
        sight,
        figures.to_acknowledgements.items(),
    )


def _node(note: NodeNote) -> Iterator["Metric"]:
    yield counter("records_lost", "Records that some sink will never have.", (), (((), note.lost),))
    yield gauge("records_unsaved", "Records that are in memory only.", (), (((), note.unsaved),))
    yield gauge("problems", "What is wrong now, counted.", (), (((), len(note.problems)),))
    yield gauge("temperature_celsius", "Of the machine.", (), (((), note.temperature_c),))
    yield build_info("node")


def _llm(llm: LlmState) -> Iterator["Metric"]:
    yield gauge(
        "llm_phase",
        "1 for the phase that the language model is in.",
        ("reason",),
        (((str(phase),), llm.phase is phase) for phase in LlmPhase),
    )
    yield gauge("llm_waiting", "Jobs that wait for it.", (), (((), llm.waiting),))
    yield gauge("llm_calls_today", "Calls since midnight.", (), (((), llm.calls_today),))
    yield gauge("llm_tokens_today", "Tokens since midnight.", (), (((), llm.tokens_today),))
    yield gauge("llm_calls_left", "Calls until the day's limit.", (), (((), llm.calls_left),))
    yield gauge("llm_tokens_left", "Tokens until the day's limit.", (), (((), llm.tokens_left),))
    yield gauge("llm_cost_today", "In the currency of the prices.", (), (((), llm.cost_today),))


def _fleet(fleet: FleetNote) -> Iterator["Metric"]:
    site, own = ("site",), (fleet.site,)

    def now(name: str, meaning: str, value: float) -> "Metric":
        return gauge(f"fleet_{name}", meaning, site, ((own, value),))

    def since_start(name: str, meaning: str, value: int) -> "Metric":
        return counter(f"fleet_{name}", meaning, site, ((own, value),))

    yield now("leader", "Whether this node speaks for the site.", fleet.leads)
    yield now("nats_connected", "Whether there is a connection to NATS.", fleet.connected)
    yield now("sees_others", "Whether heartbeats get through, and those of the others are heard.", fleet.sees)
    yield now("members", "Nodes of the site that are there, as this one sees it.", sum(fleet.members.values()))
    yield now("cameras_held", "Cameras of the site that this node watches.", fleet.held)
    yield now("cameras_max", "The most cameras that this node watches.", fleet.cameras_max)
    yield now("cameras_refused", "Cameras of the site that this node cannot watch.", fleet.refused)
    yield now("cameras_version", "The version of the cameras that this node knows.", fleet.version)
    yield since_start("claims", "Cameras that nobody held and this node has claimed.", fleet.claims)
    yield since_start("moves", "Cameras that this node has taken over from one that was there.", fleet.moves)
    yield since_start("claims_lost", "Claims with which another node was faster.", fleet.claims_lost)
    yield since_start("handed_on", "Cameras of this node that another one watches by now.", fleet.handed_on)
    if fleet.leads:  # what is said of the site as a whole is said once
        yield gauge(
            "fleet_member_up",
            "Whether a node of the site is there, as the leader sees it.",
            ("site", "member"),
            (((fleet.site, member), up) for member, up in fleet.members.items()),
        )
        yield gauge(
            "fleet_camera_watched",
            "Whether some node watches a camera of the site, as the leader sees it.",
            ("site", "camera"),
            (((fleet.site, camera), camera not in fleet.unwatched) for camera in fleet.cameras),
        )
