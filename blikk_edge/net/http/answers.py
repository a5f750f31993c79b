"""JSON in and out of the HTTP server, and refusals in words."""

import asyncio
import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.errors import BlikkError
from blikk_edge.wire.values import JsonObject, json_bytes

if TYPE_CHECKING:
    from aiohttp import web

BODY_S: Final = 10.0
LIMIT: Final = 100
LIMIT_MAX: Final = 500


class RefusedError(BlikkError):
    """A request is answered with `status` and this text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class BadParameterError(RefusedError):
    """A parameter of the query cannot be read."""

    def __init__(self, text: str) -> None:
        super().__init__(400, text)


def json_answer(content: JsonObject, *, status: int = 200) -> "web.Response":
    """An answer in JSON, which no cache keeps."""
    from aiohttp import web  # noqa: PLC0415  # 15 MB that only a node with this server needs

    headers = {"Cache-Control": "no-store"}
    return web.Response(body=json_bytes(content), status=status, content_type="application/json", headers=headers)


async def json_body(request: "web.Request") -> dict[str, Any]:
    """The JSON object that a request brings; raises RefusedError for anything else, and for who sends it too slowly.

    Only `application/json` is taken: a form of a foreign web page cannot send that without asking first.
    """
    from aiohttp.web import RequestPayloadError  # noqa: PLC0415  # see json_answer

    if request.content_type != "application/json":
        raise RefusedError(415, "send `Content-Type: application/json`")
    try:
        async with asyncio.timeout(BODY_S):
            content = json.loads(await request.read())
    except TimeoutError:
        raise RefusedError(408, f"the body did not come within {BODY_S:.0f} s") from None
    except RequestPayloadError:  # as one that is not packed as its header says
        raise RefusedError(400, "the body cannot be read") from None
    except (ValueError, RecursionError):
        raise RefusedError(400, "the body is not JSON") from None
    if not isinstance(content, dict):
        raise RefusedError(400, "the body must be a JSON object")
    return content


def camera_of(request: "web.Request", cameras: Collection[str]) -> str:
    """The camera that the path names, one of `cameras`; raises RefusedError for any other."""
    camera: str = request.match_info["camera"]
    if camera not in cameras:
        raise RefusedError(404, f"there is no such camera; there is {', '.join(sorted(cameras))}")
    return camera


def time_of(query: Mapping[str, str], name: str) -> float | None:
    """A parameter that is a time, in seconds since 1970 UTC; raises BadParameterError."""
    try:
        return datetime.fromisoformat(query[name]).timestamp() if name in query else None
    except (ValueError, OverflowError):
        raise BadParameterError(f"`{name}` must be ISO 8601, like 2026-11-21T12:00:00Z") from None


def limit_of(query: Mapping[str, str]) -> int:
    """How many may be answered at most; raises BadParameterError."""
    text = query.get("limit", str(LIMIT))
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= LIMIT_MAX:
        raise BadParameterError(f"`limit` must be a whole number from 1 to {LIMIT_MAX}")
    return int(text)
