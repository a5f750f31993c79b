"""What a node answers over HTTP, in as many pieces as it comes in."""

import asyncio

import pytest
from aiohttp import web
from http_served import VIEW, serving

from blikk_edge.core.errors import SinkError
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.sinks.node_requests import MOST_BYTES, NodeRequests

PIECE = b"\xff\xd8" + bytes(50_000)


class Cameras:
    """A camera whose picture comes piece by piece, the next one once the one before has been sent."""

    name = "cameras"

    def __init__(self, pieces: int) -> None:
        self._pieces = pieces

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(
                method="GET",
                path="/v1/cameras/{camera}/frame.jpg",
                handler=self._frame,
                scope=Scope.VIEW,
                summary="A picture.",
                answer="image/jpeg",
            ),
        )

    async def _frame(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
        await answer.prepare(request)
        for _ in range(self._pieces):
            await answer.write(PIECE)
            await asyncio.sleep(0.01)
        await answer.write_eof()
        return answer


async def test_picture_that_comes_in_pieces_is_read_whole() -> None:
    async with serving(Cameras(3)) as server:
        requests = NodeRequests(f"http://127.0.0.1:{server.port}", VIEW, None)
        assert await requests.frame("porch") == 3 * PIECE


async def test_answer_without_end_is_none_of_a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blikk_edge.sinks.node_requests.MOST_BYTES", 2 * len(PIECE))
    assert len(PIECE) < MOST_BYTES
    async with serving(Cameras(10_000)) as server:
        requests = NodeRequests(f"http://127.0.0.1:{server.port}", VIEW, None)
        with pytest.raises(SinkError, match="is none of a node's"):
            await requests.frame("porch")
