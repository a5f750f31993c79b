"""Questions over HTTP: what MQTT takes as requests, for who may look."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from blikk_edge.core.errors import WireError
from blikk_edge.core.inquiry import QUESTION_MAX, AskQuestion, ListEvents, Search
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.answers import RefusedError, json_answer, json_body
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.context import PageContext
from blikk_edge.web.options import NONE
from blikk_edge.wire.inquiries import read_request, reply_content

if TYPE_CHECKING:
    from aiohttp import web

READING: Final = {"ask": AskQuestion, "events": ListEvents, "search": Search}
"""The requests that change nothing."""


class Ask:
    """Answers the requests of the contract that only read, with the same checks as MQTT."""

    name = "ask"

    def __init__(self, context: PageContext) -> None:
        self._node = context.node
        self._cameras = frozenset(camera.id for camera in context.node.node.cameras)

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="POST",
                path="/v1/ask",
                handler=self._ask,
                scope=Scope.VIEW,
                summary="A request of contract/schemas/ask.json that only reads, and its reply (reply.json).",
                body={
                    "type": "object",
                    "properties": {
                        "do": {"enum": list(READING)},
                        "question": {"type": "string", "maxLength": QUESTION_MAX},
                        "camera": {"type": "string"},
                    },
                },
            ),
        )

    async def _ask(self, request: "web.Request") -> "web.StreamResponse":
        content = await json_body(request)
        try:
            asked = read_request(content, self._cameras, self._node.locale().timezone)
        except WireError as error:
            raise RefusedError(400, str(error)) from None
        if not isinstance(asked, tuple(READING.values())):
            raise RefusedError(403, f"over HTTP `do` is one of {', '.join(READING)}; ask for the rest by MQTT")
        return json_answer(reply_content(await self._node.ask(asked)))


KIND: Kind[PageContext, Ask] = Kind(
    name="ask",
    meaning="Questions, lists of events and search over HTTP.",
    options=NONE,
    make=lambda _options, context: Ask(context),
)
