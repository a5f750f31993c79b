"""The debugger of a running node: stages and mailboxes with their figures, and the last ten minutes of each camera."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Event
from blikk_edge.core.probe import CameraFigures, FrameNote, LaneNote, NodeFigures, NodeNote, SinkNote, Timing
from blikk_edge.core.status import CameraState, LlmState
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.answers import camera_of, json_answer, time_of
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.context import PageContext
from blikk_edge.web.options import NONE
from blikk_edge.wire.values import Json, JsonObject, iso_time, number

if TYPE_CHECKING:
    from aiohttp import web

KEPT_S: Final = 600.0
EVENTS_MAX: Final = 200


class DebugPages:
    """Says what is going on in a node; serves nothing where a recorded clip is behind the pages."""

    name = "debug"

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._names = {camera.id: camera.name for camera in context.node.node.cameras}
        # One at a time: many who ask at once would take every thread of the process.
        self._turn = asyncio.Lock()

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        if self._context.clip is not None:
            return ()
        return (
            Route(
                method="GET",
                path="/v1/debug",
                handler=self._node,
                scope=Scope.VIEW,
                summary="Stages, mailboxes, sinks and the language model: how long, how many, what waits.",
            ),
            Route(
                method="GET",
                path="/v1/debug/cameras/{camera}/scores",
                handler=self._scores,
                scope=Scope.VIEW,
                summary="The last ten minutes of a camera's frames, in columns, and the events that began in them.",
                query={"since": "Frames captured then or later, ISO 8601."},
            ),
        )

    async def _node(self, _request: "web.Request") -> "web.StreamResponse":
        async with self._turn:
            note = self._context.note()
            figures = await asyncio.to_thread(self._context.readings.figures)
        return json_answer(node_content(self._context.node.clock.now(), note, figures, self._names))

    async def _scores(self, request: "web.Request") -> "web.StreamResponse":
        camera = camera_of(request, self._names)
        since = time_of(request.query, "since")
        now = self._context.node.clock.now()
        async with self._turn:
            notes = await asyncio.to_thread(self._context.readings.frames, camera, since=since)
            events = await asyncio.to_thread(self._events, camera, now - KEPT_S)
        return json_answer({"camera": camera, "now": round(now, 3), **_columns(notes), "events": _events(events)})

    def _events(self, camera: str, since: float) -> Sequence[Event]:
        try:
            return self._context.node.history.events(camera=camera, since=since, limit=EVENTS_MAX)
        except StoreError:
            return ()  # a node without its disk still watches, and says in its problems what is wrong


def node_content(now: float, note: NodeNote, figures: NodeFigures, names: Mapping[str, str]) -> JsonObject:
    """What a page gets of a node."""
    measured = {each.camera: each for each in figures.cameras}
    lanes = {each.camera: each for each in note.lanes}
    return {
        "time": round(now, 3),
        "cameras": [
            _camera(state, names[state.camera], measured[state.camera], lanes[state.camera]) for state in note.cameras
        ],
        "journal": _timing(figures.journal),
        "mailboxes": [
            {"consumer": each.consumer, "waiting": each.waiting, "lost": each.lost} for each in note.mailboxes
        ],
        "sinks": [_sink(each, figures) for each in note.sinks],
        "lost": note.lost,
        "unsaved": note.unsaved,
        "llm": None if note.llm is None else _llm(note.llm),
        "temperature_c": note.temperature_c,
        "problems": list(note.problems),
    }


def _camera(state: CameraState, name: str, figures: CameraFigures, lane: LaneNote) -> Json:
    return {
        "id": state.camera,
        "name": name,
        "online": state.online,
        "problem": state.problem,
        "fps": number(state.fps, 1),
        "threshold": state.threshold,
        "detect": state.detect,
        "frames": figures.frames,
        "outcomes": {outcome.value: count for outcome, count in figures.outcomes.items() if count},
        "reasons": {why.value: count for why, count in figures.reasons.items() if count},
        "failures": dict(figures.failures),
        "lane": {"waiting": lane.waiting, "busy": lane.busy, "dropped": dict(lane.dropped)},
        "stages": [{"stage": str(stage), **_timing(timing)} for stage, timing in figures.stages.items()],
    }


def _sink(sink: SinkNote, figures: NodeFigures) -> Json:
    taken = figures.publish.get(sink.name)
    sights = figures.to_acknowledgements if sink.backlog is not None else figures.to_sinks
    sight = next((timing for (_, name), timing in sights.items() if name == sink.name), None)
    return {
        "name": sink.name,
        "durable": sink.backlog is not None,
        "waiting": sink.backlog,
        "problem": sink.problem,
        "publish": None if taken is None else _timing(taken),
        "sight": None if sight is None else _timing(sight),
    }


def _timing(timing: Timing) -> JsonObject:
    return {
        "count": timing.count,
        "total_s": round(timing.total_s, 6),
        "p50_ms": _ms(timing.p50_s),
        "p95_ms": _ms(timing.p95_s),
        "last_ms": _ms(timing.last_s),
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else number(1000 * seconds, 3)


def _llm(state: LlmState) -> Json:
    return {
        "model": state.model,
        "phase": state.phase.value,
        "calls_today": state.calls_today,
        "tokens_today": state.tokens_today,
        "calls_left": state.calls_left,
        "tokens_left": state.tokens_left,
        "cost_today": state.cost_today,
        "currency": state.currency,
        "waiting": state.waiting,
        "problem": state.problem,
    }


def _columns(notes: Sequence[FrameNote]) -> JsonObject:
    return {
        "at": [round(note.time, 3) for note in notes],
        "score": [round(note.score, 4) for note in notes],
        "view": [note.view.value for note in notes],
        "why": [note.why.value for note in notes],
        "outcome": [note.outcome.value for note in notes],
        "threshold": [note.threshold for note in notes],
    }


def _events(events: Sequence[Event]) -> list[Json]:
    return [
        {
            "id": event.id,
            "label": event.label.value,
            "phase": event.phase.value,
            "started": round(event.started, 3),
            "ended": None if event.ended is None else round(event.ended, 3),
            "time": iso_time(event.time),
        }
        for event in reversed(events)
    ]


KIND: Kind[PageContext, DebugPages] = Kind(
    name="debug",
    meaning="What is going on in the node.",
    options=NONE,
    make=lambda _options, context: DebugPages(context),
)
