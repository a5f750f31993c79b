"""A page as somebody else would write it: says hello, and which cameras there are."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import TEXT
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.context import PageContext


@dataclass(frozen=True, slots=True, kw_only=True)
class HelloOptions:
    """Whom to greet."""

    whom: str = "world"


class Hello:
    """One page."""

    name = "hello"

    def __init__(self, options: HelloOptions, context: PageContext) -> None:
        self._options = options
        self._context = context

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="GET",
                path="/plugins/hello",
                handler=self._hello,
                scope=Scope.VIEW,
                summary="Says hello.",
                answer="text/plain",
            ),
        )

    async def _hello(self, _request: web.Request) -> web.Response:
        cameras = ", ".join(camera.id for camera in self._context.node.node.cameras)
        return web.Response(text=f"hello {self._options.whom}: {cameras}")


KIND = Kind(
    name="hello",
    meaning="Says hello.",
    options=Section(of=HelloOptions, keys=(Key(name="whom", value=TEXT, meaning="Whom to greet."),)),
    make=Hello,
)
