"""Set-up of a node without a configuration: who knows the code answers some questions, and it is written."""

import asyncio
import base64
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import BlikkError, SourceError
from blikk_edge.grammar.secrets import SourceUrl
from blikk_edge.net.http.access import Access, begin_session, covers, end_session
from blikk_edge.net.http.answers import RefusedError, json_answer, json_body
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.setup_code import VALID_S, SetupCode, Tries
from blikk_edge.web.setup_work import AnswerBroker, AnswerCamera, Answers, Review, SetupWork
from blikk_edge.web.site import page_routes
from blikk_edge.wire.values import Json, JsonObject

if TYPE_CHECKING:
    from aiohttp import web

CAMERAS_MAX: Final = 16
TEXT_MAX: Final = 1000

_TEXT: Final[JsonObject] = {"type": "string", "maxLength": TEXT_MAX}
CAMERA: Final[JsonObject] = {
    "type": "object",
    "required": ["name", "source"],
    "properties": {"name": _TEXT, "source": _TEXT, "doorbell": {"type": "boolean"}},
}
BROKER: Final[JsonObject] = {
    "type": "object",
    "required": ["host"],
    "properties": {
        "host": _TEXT,
        "port": {"type": ["integer", "null"]},
        "tls": {"type": "boolean"},
        "username": _TEXT,
        "password": _TEXT,
    },
}
ANSWERS: Final[JsonObject] = {
    "type": "object",
    "required": ["name", "cameras"],
    "properties": {
        "name": _TEXT,
        "language": _TEXT,
        "cameras": {"type": "array", "maxItems": CAMERAS_MAX, "items": CAMERA},
        "broker": {"anyOf": [BROKER, {"type": "null"}]},
    },
}


class SetupPages:
    """Implements `net.http.route.Served`. `done` is called once the configuration is written: then set-up is over.

    `access` takes a secret that nobody knows: a session begins with the code instead.
    """

    name = "setup"

    def __init__(self, work: SetupWork, code: SetupCode, *, clock: Clock, done: Callable[[], None]) -> None:
        self._secret = secrets.token_urlsafe(32)
        self.access = Access(view=None, control=self._secret, clock=clock)
        self._work = work
        self._code = code
        self._done = done
        self._over = False
        self._tries = Tries(clock)
        self._turn = asyncio.Lock()

    def routes(self) -> Sequence[Route]:
        """What it serves."""

        def post(path: str, handler: Callable[["web.Request"], Any], summary: str, body: JsonObject) -> Route:
            return Route(method="POST", path=path, handler=handler, scope=Scope.CONTROL, summary=summary, body=body)

        return (
            *page_routes(),
            Route(
                method="GET",
                path="/v1/session",
                handler=self._session,
                scope=Scope.PUBLIC,
                summary="That this node is to be set up, and whether this request may do it.",
            ),
            Route(
                method="POST",
                path="/v1/session",
                handler=self._login,
                scope=Scope.PUBLIC,
                summary="Begin with the code of the console: sets the cookie of a session.",
                body={"type": "object", "required": ["token"], "properties": {"token": {"type": "string"}}},
            ),
            Route(
                method="GET",
                path="/v1/setup",
                handler=self._begin,
                scope=Scope.CONTROL,
                summary="What set-up begins with.",
            ),
            post(
                "/v1/setup/cameras", self._find, "The cameras that answer on this network (ONVIF).", {"type": "object"}
            ),
            post(
                "/v1/setup/camera",
                self._camera,
                "Try a camera: a redacted picture, or what is wrong: `problem` in words, `trouble` as a code.",
                CAMERA,
            ),
            post(
                "/v1/setup/broker",
                self._broker,
                "Try a broker: null, or what is wrong: `problem` in words, `trouble` as a code.",
                BROKER,
            ),
            post("/v1/setup/review", self._review, "What would be written, and what `blikk check` says.", ANSWERS),
            post("/v1/setup", self._write, "Write the configuration, and end set-up.", ANSWERS),
        )

    async def _session(self, request: "web.Request") -> "web.StreamResponse":
        self._code.refresh()
        scope = self.access.scope_or_public(request)
        may = covers(scope, Scope.CONTROL) and not self._over
        return json_answer(
            {
                "scope": (scope if may else Scope.PUBLIC).value,
                "open": False,
                "csrf": self.access.csrf(request) if may else None,
                "setup": True,
            }
        )

    async def _login(self, request: "web.Request") -> "web.StreamResponse":
        text = (await json_body(request)).get("token")
        peer = request.transport.get_extra_info("peername") if request.transport else None
        if not self._tries.allowed(str(peer[0]) if peer else ""):
            raise RefusedError(429, "too many tries; wait a few seconds")
        if self._over or not isinstance(text, str) or not self._code.knows(text):
            raise RefusedError(401, "this is not the code; after an hour there is a new one")
        made = self.access.login(self._secret)
        assert made is not None  # it is the token itself
        answer = json_answer({"scope": made[1].value})
        begin_session(request, answer, made[0], seconds=VALID_S)
        return answer

    async def _begin(self, request: "web.Request") -> "web.StreamResponse":
        return json_answer(
            {
                "v": 1,
                "name": self._work.name,
                "file": self._work.file,
                "encrypted": request.secure,
            }
        )

    async def _find(self, request: "web.Request") -> "web.StreamResponse":
        await json_body(request)
        self._only_one()
        async with self._turn:
            try:
                found = await self._work.find_cameras()
            except BlikkError as error:
                return json_answer({"cameras": [], **_wrong(error, "")})
        cameras: list[Json] = [{"what": each.what, "source": each.source} for each in found[:CAMERAS_MAX]]
        return json_answer({"cameras": cameras, "problem": None})

    async def _camera(self, request: "web.Request") -> "web.StreamResponse":
        camera = _camera(await json_body(request))
        self._only_one()
        async with self._turn:
            try:
                picture = await self._work.try_camera(camera.source)
            except BlikkError as error:
                return json_answer({"picture": None, **_wrong(error, SourceUrl(camera.source).public)})
        return json_answer(
            {
                "picture": "data:image/jpeg;base64," + base64.b64encode(picture.jpeg).decode(),
                "width": picture.width_px,
                "height": picture.height_px,
                "problem": None,
            }
        )

    async def _broker(self, request: "web.Request") -> "web.StreamResponse":
        broker = _broker(await json_body(request))
        self._only_one()
        async with self._turn:
            try:
                await self._work.try_broker(broker)
            except BlikkError as error:
                return json_answer(_wrong(error, broker.host))
        return json_answer({"problem": None})

    async def _review(self, request: "web.Request") -> "web.StreamResponse":
        answers = _answers(request, await json_body(request))
        async with self._turn:
            try:
                review = await asyncio.to_thread(self._work.review, answers)
            except BlikkError as error:
                raise RefusedError(422, str(error)) from error
        return json_answer(_content(review))

    async def _write(self, request: "web.Request") -> "web.StreamResponse":
        answers = _answers(request, await json_body(request))
        async with self._turn:
            if self._over:
                raise RefusedError(409, "this node is set up already")
            try:
                written = await asyncio.to_thread(self._work.write, answers)
            except BlikkError as error:
                raise RefusedError(422, str(error)) from error
            self._over = True
        answer = json_answer(
            {
                "file": written.file,
                "view": written.view,
                "control": written.control,
                "here_only": written.here_only,
            }
        )
        end_session(answer)
        await answer.prepare(request)
        await answer.write_eof()
        self._done()
        return answer

    def _only_one(self) -> None:
        if self._turn.locked():
            raise RefusedError(409, "something is being tried already; wait for it")


def _answers(request: "web.Request", content: dict[str, Any]) -> Answers:
    cameras, broker = content.get("cameras"), content.get("broker")
    if not isinstance(cameras, list) or not 0 < len(cameras) <= CAMERAS_MAX:
        raise RefusedError(400, f"`cameras` must be a list of 1 to {CAMERAS_MAX}")
    return Answers(
        name=_text(content, "name"),
        language=_text(content, "language"),
        cameras=tuple(map(_camera, cameras)),
        broker=None if broker is None else _broker(broker),
        address=f"{request.scheme}://{request.host}",
    )


def _camera(content: Any) -> AnswerCamera:
    if not isinstance(content, dict) or not isinstance(doorbell := content.get("doorbell", False), bool):
        raise RefusedError(400, "a camera must be an object with `name`, `source` and `doorbell`")
    return AnswerCamera(name=_text(content, "name"), source=_text(content, "source"), doorbell=doorbell)


def _broker(content: Any) -> AnswerBroker:
    if not isinstance(content, dict):
        raise RefusedError(400, "a broker must be an object")
    port, tls = content.get("port"), content.get("tls", False)
    if not isinstance(tls, bool) or isinstance(port, bool) or not isinstance(port, int | None):
        raise RefusedError(400, "`port` must be a number, `tls` true or false")
    if port is not None and not 0 < port < 65536:
        raise RefusedError(400, "`port` must be a number from 1 to 65535")
    return AnswerBroker(
        host=_text(content, "host"),
        port=port,
        tls=tls,
        username=_text(content, "username"),
        password=_text(content, "password"),
    )


def _text(content: dict[str, Any], name: str) -> str:
    text = content.get(name, "")
    if not isinstance(text, str) or len(text) > TEXT_MAX:
        raise RefusedError(400, f"`{name}` must be a text of at most {TEXT_MAX} characters")
    return text.strip() if name != "password" else text


def _wrong(error: BlikkError, place: str) -> JsonObject:
    """What was wrong, in words, and what the page needs to say it in its own."""
    more = error.more if isinstance(error, SourceError) else ""
    return {"problem": str(error), "trouble": error.trouble, "place": place, "more": more}


def _content(review: Review) -> JsonObject:
    problems: list[Json] = [
        {"line": each.line or None, "path": each.path, "text": each.text, "mend": each.mend} for each in review.problems
    ]
    return {
        "yaml": review.yaml,
        "secrets": list(review.secrets),
        "problems": problems,
        "notes": list(review.notes),
    }
