"""Switches and buttons of a camera, for who may control: what MQTT takes as commands."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.commands import Command
from blikk_edge.core.errors import WireError
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.answers import RefusedError, camera_of, json_answer, json_body
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.web.context import PageContext
from blikk_edge.web.options import NONE
from blikk_edge.wire.commands import SETTINGS, decode_command

if TYPE_CHECKING:
    from aiohttp import web

SETTABLE: Final = tuple(name for name in SETTINGS if name != "ring")  # the ring hook rings


class Control:
    """Takes the same commands as MQTT, with the same checks."""

    name = "control"

    def __init__(self, context: PageContext) -> None:
        self._node = context.node
        self._cameras = frozenset(camera.id for camera in context.node.node.cameras)

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="POST",
                path="/v1/cameras/{camera}/set",
                handler=self._set,
                scope=Scope.CONTROL,
                status=202,
                summary="Set switches and numbers of a camera, press its buttons. The answer is its next state.",
                body={
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "detect": {"type": "boolean"},
                        "threshold": {"type": "number", "minimum": 0, "maximum": 1},
                        "summary": {"enum": ["off", "template", "text", "vision"]},
                        "snapshot": {"const": True},
                        "describe": {"const": True},
                    },
                },
            ),
        )

    async def _set(self, request: "web.Request") -> "web.StreamResponse":
        camera = camera_of(request, self._cameras)
        content = await json_body(request)
        commands = [self._command(camera, name, value) for name, value in content.items()]
        for command in commands:
            self._node.order(command)
        return json_answer({"ordered": len(commands)}, status=202)

    def _command(self, camera: str, name: str, value: Any) -> Command:
        topics = self._node.topics
        if name not in SETTABLE:
            raise RefusedError(400, f"nothing called {name[:40]!r} can be set; there is {', '.join(SETTABLE)}")
        text = str(value).lower() if isinstance(value, bool) else f"{value:.4f}" if isinstance(value, float) else value
        sent = str(text)[:100].encode("utf-8", "replace")  # JSON can hold half of a surrogate pair
        try:
            return decode_command(f"{topics.base}/{camera}/set/{name}", sent, topics, self._cameras)
        except WireError as error:
            raise RefusedError(400, str(error)) from None


KIND: Kind[PageContext, Control] = Kind(
    name="control",
    meaning="Switches and buttons of a camera over HTTP.",
    options=NONE,
    make=lambda _options, context: Control(context),
)
