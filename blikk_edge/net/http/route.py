"""A Route: one thing that the HTTP server serves, who may have it, and what its document says of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from blikk_edge.wire.values import JsonObject

if TYPE_CHECKING:
    from aiohttp import web

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


class Scope(StrEnum):
    """Who may have a Route."""

    PUBLIC = "public"  # everybody: nothing of the household is in it
    VIEW = "view"  # who may see pages, pictures and records
    CONTROL = "control"  # who may also change something
    OWN = "own"  # the handler asks for a token of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One thing that is served.

    Attributes:
        method: `GET`, `POST`, `PUT` or `DELETE`.
        path: Its path, with `{names}` for the parts that vary.
        handler: Answers a request that may have it.
        scope: Who may have it.
        summary: A sentence for the OpenAPI document.
        query: What each parameter of the query means.
        answer: The media type of what is answered; empty: a WebSocket, or nothing.
        status: With what it is answered; 101 is a WebSocket.
        body: The schema of what a request brings; None: it brings nothing.
        brings: The media type of that.
        document: Whether it stands in the OpenAPI document; files of pages do not.
    """

    method: str
    path: str
    handler: Handler = field(repr=False)
    scope: Scope
    summary: str
    query: Mapping[str, str] = field(default_factory=dict)
    answer: str = "application/json"
    status: int = 200
    body: JsonObject | None = None
    brings: str = "application/json"
    document: bool = True


class Served(Protocol):
    """A part of a node that is reached over HTTP."""

    name: str

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        ...
