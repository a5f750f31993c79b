"""The pages as files, the session of who looks at them, and what they have to know of this node."""

import hashlib
import mimetypes
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blikk_edge.core.allowance import Allowance
from blikk_edge.core.clock import Clock
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.access import Access, begin_session, covers, end_session
from blikk_edge.net.http.answers import RefusedError, json_answer, json_body
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.context import PageContext
from blikk_edge.web.options import NONE
from blikk_edge.wire.values import Json

if TYPE_CHECKING:
    from aiohttp import web

STATIC: Final = "static"
LOGINS: Final = 5
LOGINS_PER_S: Final = 0.2


class Sessions:
    """Log-in and log-out."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._allowance = Allowance(clock, at_once=LOGINS, per_s=LOGINS_PER_S)

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="GET",
                path="/v1/session",
                handler=self._session,
                scope=Scope.PUBLIC,
                summary="Which scope this request has, and what changes have to send as `X-Blikk-CSRF`.",
            ),
            Route(
                method="POST",
                path="/v1/session",
                handler=self._login,
                scope=Scope.PUBLIC,
                summary="Log in with a token: sets the cookie of a session.",
                body={"type": "object", "required": ["token"], "properties": {"token": {"type": "string"}}},
            ),
            Route(
                method="DELETE",
                path="/v1/session",
                handler=self._logout,
                scope=Scope.VIEW,
                summary="Log out: removes the cookie.",
            ),
        )

    async def _session(self, request: "web.Request") -> "web.StreamResponse":
        access = self._access
        scope = access.scope_or_public(request)
        may = covers(scope, Scope.VIEW)
        csrf = access.csrf(request) if may else None
        return json_answer({"scope": scope.value, "open": access.asks_nobody(request), "csrf": csrf})

    async def _login(self, request: "web.Request") -> "web.StreamResponse":
        token = (await json_body(request)).get("token")
        made = self._access.login(token) if isinstance(token, str) else None
        if made is None:  # who knows a token is let in, however many others guess
            if not self._allowance.take("login"):
                raise RefusedError(429, "too many tries; wait a few seconds")
            raise RefusedError(401, "this token is not one of `http.tokens`")
        cookie, scope = made
        answer = json_answer({"scope": scope.value})
        begin_session(request, answer, cookie)
        return answer

    async def _logout(self, _request: "web.Request") -> "web.StreamResponse":
        answer = json_answer({"scope": Scope.PUBLIC.value})
        end_session(answer)
        return answer


class Site:
    """The one document and its files, log-in and log-out, and the node as pages know it."""

    name = "site"

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._sessions = Sessions(context.access, context.node.clock)

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            *page_routes(),
            *self._sessions.routes(),
            Route(
                method="GET",
                path="/v1/node",
                handler=self._node,
                scope=Scope.VIEW,
                summary="This node, its cameras, zones and private areas, and what is wrong now.",
            ),
            Route(
                method="GET",
                path="/health",
                handler=self._health,
                scope=Scope.PUBLIC,
                summary="Whether the node works: 200, or 503 where no camera is online. Says no more than that.",
            ),
        )

    async def _node(self, _request: "web.Request") -> "web.StreamResponse":
        context = self._context
        node, locale = context.node.node, context.node.locale()
        cameras: list[Json] = []
        for camera in node.cameras:
            places = context.places[camera.id]
            cameras.append(
                {
                    "id": camera.id,
                    "name": camera.name,
                    "labels": [label.value for label in camera.labels],
                    "ring": camera.ring,
                    "phone": camera.id in context.phones,
                    "viewers": context.live.viewers(camera.id),
                    "zones": [
                        {"id": name, "polygon": [list(point) for point in polygon.points]}
                        for name, polygon in places.zones.items()
                    ],
                    "private": [[list(point) for point in polygon.points] for polygon in places.private],
                }
            )
        return json_answer(
            {
                "v": 1,
                "id": node.id,
                "name": node.name,
                "version": node.version,
                "language": locale.language,
                "timezone": None if locale.timezone is None else str(locale.timezone),
                "searched": node.searched,
                "pictures": context.node.album is not None,
                "clip": context.clip is not None,
                "cameras": cameras,
                "problems": list(context.problems()),
            }
        )

    async def _health(self, _request: "web.Request") -> "web.StreamResponse":
        works = any(state.online for state in self._context.node.states())
        return json_answer({"status": "ok" if works else "no camera is online"}, status=200 if works else 503)


def page_routes(*, phone: bool = True) -> Sequence[Route]:
    """The one document and its files; with or without the page that makes a phone the camera."""
    every = (
        Route(
            method="GET",
            path="/",
            handler=_index,
            scope=Scope.PUBLIC,
            summary="The pages.",
            answer="text/html",
            document=False,
        ),
        Route(
            method="GET",
            path="/phone",
            handler=_phone,
            scope=Scope.PUBLIC,
            summary="The page that makes a phone the camera; the only one that may use its camera.",
            answer="text/html",
            document=False,
        ),
        Route(
            method="GET",
            path="/static/{path:.+}",
            handler=_file,
            scope=Scope.PUBLIC,
            summary="Files of the pages.",
            answer="*/*",
            document=False,
        ),
    )
    return tuple(each for each in every if phone or each.path != "/phone")


async def _index(request: "web.Request") -> "web.StreamResponse":
    return _answer(request, "index.html")


async def _phone(request: "web.Request") -> "web.StreamResponse":
    answer = _answer(request, "index.html")
    answer.headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=()"
    return answer


async def _file(request: "web.Request") -> "web.StreamResponse":
    return _answer(request, request.match_info["path"])


def _answer(request: "web.Request", path: str) -> "web.StreamResponse":
    from aiohttp import web  # noqa: PLC0415  # 15 MB that only a node with pages needs

    found = static_files().get(path)
    if found is None:
        raise RefusedError(404, "there is no such page")
    tag = _tag(found)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    charset = "utf-8" if kind.startswith("text/") or kind.endswith(("javascript", "json", "svg+xml")) else None
    return web.Response(body=found.read_bytes(), content_type=kind, charset=charset, headers=headers)


def _tag(file: Traversable) -> str:
    """The ETag of a file, which is read for it again only where it is another than before."""
    if isinstance(file, Path):
        state = file.stat()
        return _tag_of(file, state.st_mtime_ns, state.st_size)
    return _made_of(file.read_bytes())


@lru_cache(maxsize=256)
def _tag_of(file: Path, _mtime_ns: int, _size: int) -> str:
    return _made_of(file.read_bytes())


def _made_of(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


@cache
def static_files() -> dict[str, Traversable]:
    """The files that may be had, by path: those that were there at the start, and nothing above them."""
    found: dict[str, Traversable] = {}

    def add(folder: Traversable, prefix: str) -> None:
        for each in folder.iterdir():
            if each.is_dir():
                add(each, f"{prefix}{each.name}/")
            else:
                found[f"{prefix}{each.name}"] = each

    add(files(__package__) / STATIC, "")
    return found


KIND: Kind[PageContext, Site] = Kind(
    name="site", meaning="The pages, and who is logged in.", options=NONE, make=lambda _options, context: Site(context)
)
