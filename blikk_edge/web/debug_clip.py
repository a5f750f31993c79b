"""The debugger of a recorded clip: each frame with all that the pipeline made of it, its redacted picture, and why."""

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from blikk_edge.core.debug import ClipDebugger, ClipEvent, ClipFrame, ClipRun
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.observation import Event, Observation
from blikk_edge.core.sightings import Track
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.answers import BadParameterError, RefusedError, json_answer, json_body
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.context import PageContext
from blikk_edge.web.live import box_content, cells_content
from blikk_edge.web.options import NONE
from blikk_edge.wire.messages import event_content, observation_content
from blikk_edge.wire.values import Json, JsonObject

if TYPE_CHECKING:
    from aiohttp import web

PICTURE_S: Final = 60.0
GLANCES_MAX: Final = 20_000
"""Frames of one answer; a page asks on."""


class ClipPages:
    """Serves nothing on a node that watches cameras."""

    name = "debug_clip"

    def __init__(self, clip: ClipDebugger | None) -> None:
        self._maybe = clip

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        if self._maybe is None:
            return ()
        return (
            Route(
                method="GET",
                path="/v1/debug/clip",
                handler=self._state,
                scope=Scope.VIEW,
                summary="The clip: how far it has been run, with which threshold, and the events in it.",
            ),
            Route(
                method="GET",
                path="/v1/debug/clip/scores",
                handler=self._scores,
                scope=Scope.VIEW,
                summary="Time, score, view, reason and outcome of each frame, in columns.",
                query={"since": "The number of the first frame that is wanted."},
            ),
            Route(
                method="GET",
                path="/v1/debug/clip/frames/{number}",
                handler=self._frame,
                scope=Scope.VIEW,
                summary="All that the pipeline made of one frame; they count from 0.",
            ),
            Route(
                method="GET",
                path="/v1/debug/clip/frames/{number}/picture",
                handler=self._picture,
                scope=Scope.VIEW,
                summary="The redacted picture of a frame; 503 says why there is none.",
                answer="image/jpeg",
            ),
            Route(
                method="POST",
                path="/v1/debug/clip/runs",
                handler=self._again,
                scope=Scope.CONTROL,
                summary="Run the clip again from its beginning with another threshold.",
                body={
                    "type": "object",
                    "required": ["threshold"],
                    "additionalProperties": False,
                    "properties": {"threshold": {"type": "number", "minimum": 0, "maximum": 1}},
                },
            ),
        )

    @property
    def _clip(self) -> ClipDebugger:
        assert self._maybe is not None  # else there are no routes
        return self._maybe

    async def _state(self, _request: "web.Request") -> "web.StreamResponse":
        return json_answer(run_content(self._clip.state()))

    async def _scores(self, request: "web.Request") -> "web.StreamResponse":
        since = _whole(request.query.get("since", "0"), "since")
        run, glances = await asyncio.to_thread(self._clip.glances, since)
        glances = glances[:GLANCES_MAX]
        return json_answer(
            {
                "run": run,
                "since": since,
                "at": [round(each.at_s, 3) for each in glances],
                "score": [each.score for each in glances],
                "view": [each.view.value for each in glances],
                "why": [each.why.value for each in glances],
                "outcome": [each.outcome.value for each in glances],
            }
        )

    async def _frame(self, request: "web.Request") -> "web.StreamResponse":
        number = _whole(request.match_info["number"], "number")
        frame = self._clip.frame(number)
        if frame is None:
            raise RefusedError(404, f"frame {number} is not known; {self._clip.state().frames} are, from 0 on")
        return json_answer(frame_content(frame))

    async def _picture(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415  # 15 MB that only a node with pages needs

        number = _whole(request.match_info["number"], "number")
        try:
            async with asyncio.timeout(PICTURE_S):
                picture = await asyncio.wrap_future(self._clip.picture(number))
        except TimeoutError:
            raise RefusedError(503, f"the picture was not made within {PICTURE_S:.0f} s") from None
        except BlikkError as error:
            raise RefusedError(503, str(error)) from None
        headers = {
            "Cache-Control": "no-store",
            "X-Blikk-Blurred": f"{picture.faces} {picture.heads} {picture.persons}",
        }
        return web.Response(body=picture.jpeg, content_type="image/jpeg", headers=headers)

    async def _again(self, request: "web.Request") -> "web.StreamResponse":
        threshold = (await json_body(request)).get("threshold")
        if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
            raise RefusedError(400, "`threshold` must be a number from 0 to 1")
        return json_answer({"run": self._clip.again(float(threshold))}, status=202)


def run_content(run: ClipRun) -> JsonObject:
    """What a page gets of a run."""
    return {
        "run": run.run,
        "clip": run.clip,
        "camera": run.camera,
        "threshold": run.threshold,
        "configured": run.configured,
        "start": run.start,
        "frames": run.frames,
        "length_s": run.length_s,
        "finished": run.finished,
        "error": run.error,
        "full": run.full,
        "notes": list(run.notes),
        "blurred": run.blurred,
        "events": _events(run.events, run.start),
        "ending": [_record(record) for record in run.ending],
        "before": None
        if run.before_threshold is None
        else {"threshold": run.before_threshold, "events": _events(run.before, run.start)},
    }


def frame_content(frame: ClipFrame) -> JsonObject:
    """What a page gets of a frame."""
    return {
        "number": frame.number,
        "at": round(frame.at_s, 3),
        "view": frame.view.value,
        "score": frame.score,
        "threshold": frame.threshold,
        "moving": [box_content(box) for box in frame.regions],
        "cells": None if frame.cells is None else cells_content(frame.cells),
        "why": frame.why.value,
        "since_look_s": None if frame.since_look_s is None else round(frame.since_look_s, 3),
        "outcome": frame.outcome.value,
        "found": [
            {
                "label": each.detection.label.value,
                "sub_label": each.detection.sub_label,
                "score": round(each.detection.score, 3),
                "box": box_content(each.detection.box),
                "threshold": each.threshold,
                "wanted": each.wanted,
            }
            for each in frame.found
        ],
        "tracks": [_track(track) for track in frame.tracks],
        "measures": [
            {"name": each.name, "value": each.value, "unit": each.unit, "alert": each.alert} for each in frame.measures
        ],
        "open": [event_content(event) for event in frame.open],
        "records": [_record(record) for record in frame.records],
        "written": [
            {"event": each.event, "title": each.title, "text": each.text, "importance": each.importance.value}
            for each in frame.written
        ],
        "pictures": list(frame.pictures),
        "spent": [{"stage": stage, "ms": round(1000 * spent_s, 3)} for stage, spent_s in frame.spent],
        "problem": frame.problem,
    }


def _track(track: Track) -> JsonObject:
    return {
        "id": track.id,
        "label": track.label.value,
        "sub_label": track.sub_label,
        "score": round(track.score, 3),
        "best_score": round(track.best_score, 3),
        "box": box_content(track.box),
        "hits": track.hits,
        "missed": track.missed,
        "confirmed": track.confirmed,
        "still": track.still_since is not None,
        "dwell_s": round(track.dwell_s, 1),
        "zones": list(track.zones),
    }


def _record(record: Observation | Event) -> Json:
    if isinstance(record, Event):
        return {"record": "event", **event_content(record)}
    return {"record": "observation", **observation_content(record)}


def _events(events: Sequence[ClipEvent], start: float) -> list[Json]:
    return [
        {
            "id": each.event.id,
            "label": each.event.label.value,
            "phase": each.event.phase.value,
            "started": round(each.event.started - start, 3),
            "ended": round((each.event.ended or each.event.time) - start, 3),
            "first": each.first,
            "last": each.last,
            "peak": each.event.peak,
            "loitering": each.event.loitering,
            "zones": list(each.event.zones),
        }
        for each in events
    ]


def _whole(text: str, name: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise BadParameterError(f"`{name}` must be a whole number from 0 on")
    return int(text)


KIND: Kind[PageContext, ClipPages] = Kind(
    name="debug_clip",
    meaning="The debugger of a recorded clip.",
    options=NONE,
    make=lambda _options, context: ClipPages(context.clip),
)
