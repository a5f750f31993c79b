"""Zones and private areas, drawn into the picture of a camera: checked as by `blikk check`, written on request."""

import asyncio
import difflib
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from blikk_edge.core.drawn import Drawn, DrawnZone, Points
from blikk_edge.core.sightings import Label
from blikk_edge.grammar.problem import Problem
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.answers import RefusedError, camera_of, json_answer, json_body
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.config_file import ConfigChangedError, ConfigFile, InFile, Proposal, Saved
from blikk_edge.web.context import PageContext
from blikk_edge.web.options import NONE
from blikk_edge.wire.values import Json, JsonObject

if TYPE_CHECKING:
    from aiohttp import web

T = TypeVar("T")

AREAS_MAX: Final = 64
POINTS_MAX: Final = 4000
"""Of all areas together: what crosses what is found by comparing each side with each."""

NAME_MAX: Final = 200

_AREA: Final[JsonObject] = {
    "type": "array",
    "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
}
BODY: Final[JsonObject] = {
    "type": "object",
    "required": ["tag", "zones", "private"],
    "properties": {
        "tag": {"type": "string"},
        "zones": {
            "type": "array",
            "maxItems": AREAS_MAX,
            "items": {
                "type": "object",
                "required": ["name", "polygon"],
                "properties": {
                    "name": {"type": "string"},
                    "was": {"type": ["string", "null"]},
                    "polygon": _AREA,
                    "labels": {"type": ["array", "null"], "items": {"type": "string"}},
                    "loiter_s": {"type": ["number", "null"]},
                },
            },
        },
        "private": {"type": "array", "maxItems": AREAS_MAX, "items": _AREA},
    },
}


class ZonePages:
    """What the zones page needs of the node. One request reads or writes the file at a time."""

    name = "zones"

    def __init__(self, context: PageContext) -> None:
        self._file = context.config_file
        self._restart = context.restart
        self._cameras = frozenset(camera.id for camera in context.node.node.cameras)
        self._turn = asyncio.Lock()

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="GET",
                path="/v1/cameras/{camera}/zones",
                handler=self._read,
                scope=Scope.CONTROL,
                summary="Zones and private areas of a camera as the configuration file has them, and its `tag`.",
            ),
            Route(
                method="POST",
                path="/v1/cameras/{camera}/zones",
                handler=self._propose,
                scope=Scope.CONTROL,
                summary="What would be written into the file, and what `blikk check` would say of it. Writes nothing.",
                body=BODY,
            ),
            Route(
                method="PUT",
                path="/v1/cameras/{camera}/zones",
                handler=self._save,
                scope=Scope.CONTROL,
                summary="Write zones and private areas into the file, which must still have this `tag`. They count "
                "from the next start.",
                body=BODY,
            ),
            Route(
                method="POST",
                path="/v1/restart",
                handler=self._start_again,
                scope=Scope.CONTROL,
                summary="Start the node again, so that it reads its file; refused where that has problems.",
            ),
        )

    async def _read(self, request: "web.Request") -> "web.StreamResponse":
        camera, file = self._asked(request)
        async with self._turn:
            found = await asyncio.to_thread(file.read, camera)
        return json_answer(
            {
                "v": 1,
                "camera": camera,
                "file": found.name,
                "tag": found.tag,
                "yaml": found.yaml,
                "runs": found.runs,
                "restarts": self._restart is not None,
                "refused": found.refused or None,
                "problems": _problems(found.problems),
                "labels": [label.value for label in Label],
                **_content(found),
            }
        )

    async def _propose(self, request: "web.Request") -> "web.StreamResponse":
        return json_answer(_proposal(await self._with_drawn(request, lambda file, *drawn: file.propose(*drawn))))

    async def _save(self, request: "web.Request") -> "web.StreamResponse":
        saved = await self._with_drawn(request, lambda file, *drawn: file.save(*drawn))
        if isinstance(saved, Saved):
            return json_answer({**_proposal(saved.proposal), "saved": True, "backup": saved.backup})
        status = 200 if not (saved.refused or saved.problems) else 422
        why = saved.refused or "; ".join(f"{each.text}. {each.mend}" for each in saved.problems)
        answer = {**_proposal(saved), "saved": False, "error": why or None}
        return json_answer(answer, status=status)

    async def _with_drawn(self, request: "web.Request", act: Callable[[ConfigFile, str, Drawn, str], T]) -> T:
        """What `act` makes of the file, the camera, what was drawn, and the tag; raises RefusedError."""
        camera, file = self._asked(request)
        content = await json_body(request)
        drawn, tag = drawn_from(content), _tag(content)
        async with self._turn:
            try:
                return await asyncio.to_thread(act, file, camera, drawn, tag)
            except ConfigChangedError as error:
                raise RefusedError(409, str(error)) from error

    async def _start_again(self, _request: "web.Request") -> "web.StreamResponse":
        if self._restart is None:
            raise RefusedError(409, "this node cannot start itself again; start it again where you started it")
        if self._file is not None:
            async with self._turn:
                problems = await asyncio.to_thread(self._file.problems)
            if problems:
                said = "; ".join(f"{each.path}: {each.text}. {each.mend}" for each in problems)
                raise RefusedError(409, f"the node would not start with its file as it is: {said}")
        self._restart()
        return json_answer({"restarting": True}, status=202)

    def _asked(self, request: "web.Request") -> tuple[str, ConfigFile]:
        camera = camera_of(request, self._cameras)
        if self._file is None:
            raise RefusedError(409, "this node was started without a configuration file")
        return camera, self._file


def drawn_from(content: dict[str, Any]) -> Drawn:
    """What a page has sent; raises RefusedError where it has not the right form. What it means is not looked at."""
    zones, private = content.get("zones"), content.get("private")
    if not isinstance(zones, list) or not isinstance(private, list):
        raise RefusedError(400, "`zones` and `private` must be lists")
    if max(len(zones), len(private)) > AREAS_MAX:
        raise RefusedError(400, f"more than {AREAS_MAX} areas")
    drawn = Drawn(zones=tuple(map(_zone, zones)), private=tuple(map(_points, private)))
    if len({zone.name for zone in drawn.zones}) != len(drawn.zones):
        raise RefusedError(400, "two zones have the same name")
    if sum(len(points) for points in (*(zone.points for zone in drawn.zones), *drawn.private)) > POINTS_MAX:
        raise RefusedError(400, f"more than {POINTS_MAX} corners")
    return drawn


def _zone(content: Any) -> DrawnZone:
    if not isinstance(content, dict):
        raise RefusedError(400, "a zone must be an object")
    labels, loiter_s, was = content.get("labels"), content.get("loiter_s"), content.get("was")
    if labels is not None and not (isinstance(labels, list) and len(labels) <= AREAS_MAX):
        raise RefusedError(400, "`labels` must be a list or null")
    return DrawnZone(
        name=_text(content.get("name"), "name"),
        points=_points(content.get("polygon")),
        labels=None if labels is None else tuple(_text(label, "labels") for label in labels),
        loiter_s=None if loiter_s is None else _number(loiter_s),
        was=None if was is None else _text(was, "was"),
    )


def _points(content: Any) -> Points:
    if not isinstance(content, list) or len(content) > POINTS_MAX:
        raise RefusedError(400, "a polygon must be a list of corners `[x, y]`")
    pairs = [each if isinstance(each, list) and len(each) == 2 else [None, None] for each in content]
    return tuple((_number(x), _number(y)) for x, y in pairs)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6 or math.isnan(value):
        raise RefusedError(400, "a number is missing, or too large")
    return float(value)


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or len(value) > NAME_MAX:
        raise RefusedError(400, f"`{key}` must be a text of at most {NAME_MAX} characters")
    return value


def _tag(content: dict[str, Any]) -> str:
    return _text(content.get("tag"), "tag")


def _content(found: InFile) -> JsonObject:
    if found.drawn is None:
        return {"zones": None, "private": None}
    return {
        "zones": [
            {
                "name": zone.name,
                "polygon": _corners(zone.points),
                "labels": None if zone.labels is None else list(zone.labels),
                "loiter_s": zone.loiter_s,
            }
            for zone in found.drawn.zones
        ],
        "private": [_corners(points) for points in found.drawn.private],
    }


def _corners(points: Points) -> list[Json]:
    return [list(point) for point in points]


def _proposal(proposal: Proposal) -> JsonObject:
    return {
        "before": proposal.before,
        "yaml": proposal.yaml,
        "difference": _difference(proposal.before, proposal.yaml),
        "changed": proposal.changed,
        "problems": _problems(proposal.problems),
        "refused": proposal.refused or None,
        "paste": proposal.paste,
    }


def _difference(before: str, after: str) -> list[Json]:
    """All lines of both texts, each behind "+ ", "- " or two spaces."""
    old, new = before.splitlines(), after.splitlines()
    lines: list[Json] = []
    for kind, first, last, from_, to in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += [f"  {line}" for line in old[first:last]]
        else:
            lines += [f"- {line}" for line in old[first:last]] + [f"+ {line}" for line in new[from_:to]]
    return lines


def _problems(problems: Sequence[Problem]) -> list[Json]:
    return [{"line": each.line or None, "path": each.path, "text": each.text, "mend": each.mend} for each in problems]


KIND: Kind[PageContext, ZonePages] = Kind(
    name="zones",
    meaning="Zones and private areas, drawn into the picture.",
    options=NONE,
    make=lambda _options, context: ZonePages(context),
)
