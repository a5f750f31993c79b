"""A server of the Model Context Protocol: what cameras see, for any client, by at most eight tools that only read."""

import asyncio
import logging
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, ParamSpec, TypeAlias, TypeVar

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field, ValidationError

from blikk_edge import __version__
from blikk_edge.agents.arguments import no_such, unusable
from blikk_edge.agents.digest import line
from blikk_edge.agents.found import arrived
from blikk_edge.agents.mcp_results import (
    AnswerOut,
    CameraOut,
    CamerasOut,
    CountOut,
    EventOut,
    EventsOut,
    NowOut,
    StateOut,
    WaitedOut,
)
from blikk_edge.agents.node_stream import NodeStream
from blikk_edge.agents.times import written
from blikk_edge.agents.tools import LOOKS_ALONE
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.observation import Event, Observation, Observed

LOG = logging.getLogger("blikk.mcp")

NOW: Final = "blikk://now"
EVENTS: Final = "blikk://events"

QUIET_S: Final = 1.0
"""A resource changes for its subscribers at most so often."""

WAIT_MAX_S: Final = 50.0
"""Clients give up after a minute."""

P = ParamSpec("P")
T = TypeVar("T")

LabelName: TypeAlias = Literal["person", "vehicle", "animal", "package"]
Camera: TypeAlias = Annotated[str | None, Field(description="Camera id; all if left out")]


class BlikkServer(MCPServer[Any]):
    """The tools and resources of one stream.

    With `pictures`, which makes a redacted JPEG small, there is a tool that shows what a camera sees.
    """

    def __init__(self, stream: NodeStream, *, pictures: Callable[[bytes], bytes] | None) -> None:
        self._bus = InMemorySubscriptionBus()
        super().__init__(
            name="blikk",
            title="Blikk Edge",
            version=__version__,
            instructions="What cameras see: persons, vehicles, animals, packages. Faces are never recognised.",
            subscriptions=self._bus,
            log_level="WARNING",
        )
        self._stream = stream
        self._finder = stream.finder
        self._smaller = pictures
        self._subscribers: dict[str, dict[int, ServerSession]] = {NOW: {}, EVENTS: {}}
        several: tuple[Callable[..., Any], ...] = (
            self.cameras, self.now, self.search_events, self.event, self.count, self.ask, self.wait_for,
        )  # fmt: skip
        for tool in several:
            self.add_tool(tool, annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))
        if pictures is not None:
            self.add_tool(self.picture, annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))
        self.resource(NOW, name="now", mime_type="text/plain", description="Who and what is there now")(self._now)
        self.resource(EVENTS, name="events", mime_type="text/plain", description="The newest 20 events")(self._events)
        # Clients of protocols before 2026-07-28 subscribe in this way, for which the class has no argument.
        lowlevel = self._lowlevel_server
        lowlevel.add_request_handler("resources/subscribe", types.SubscribeRequestParams, self._subscribe)
        lowlevel.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, self._unsubscribe)

    # -- tools ---------------------------------------------------------------------------------------------------

    async def cameras(self) -> Annotated[CallToolResult, CamerasOut]:
        """The cameras, what each reports, and its zones."""
        infos = await self._found(self._finder.cameras)
        listed = [CameraOut(id=c.id, name=c.name, labels=[*map(str, c.labels)], zones=[*c.zones]) for c in infos]
        lines = [
            f"{c['id']}: {', '.join(c['labels'])}{'; zones ' + ', '.join(c['zones']) if c['zones'] else ''}"
            for c in listed
        ]
        return _result("\n".join(lines), {"cameras": listed})

    async def now(self, camera: Camera = None) -> Annotated[CallToolResult, NowOut]:
        """Who and what is there at this moment."""
        found = await self._found(self._finder.now, camera)
        return _result(
            found.text,
            {
                "cameras": [
                    StateOut(
                        camera=state.camera,
                        online=state.online,
                        motion=state.motion,
                        counts={str(label): count for label, count in state.counts if count},
                    )
                    for state in found.states
                ]
            },
        )

    async def search_events(
        self,
        camera: Camera = None,
        label: LabelName | None = None,
        zone: str | None = None,
        last_hours: Annotated[float | None, Field(gt=0, le=87600)] = None,
        limit: Annotated[int, Field(ge=1, le=50)] = 20,
        before: Annotated[str | None, Field(description="ISO 8601: only what began earlier")] = None,
        looks_like: Annotated[str | None, Field(max_length=500, description="As: red car")] = None,
    ) -> Annotated[CallToolResult, EventsOut]:
        """Past events (visits), newest first; with looks_like (and no label, zone or before) the most similar first."""
        last_s = None if last_hours is None else last_hours * 3600
        if looks_like:
            if label is not None or zone is not None or before is not None:
                raise ToolError(LOOKS_ALONE)
            seen = await self._found(self._finder.look, looks_like, camera=camera, last_s=last_s, limit=limit)
            return _result(seen.text, {"events": [_event(each) for each in seen.events]})
        found = await self._found(
            self._finder.search, camera=camera, label=label, zone=zone, last_s=last_s, before=before, limit=limit
        )
        return _result(found.text, {"events": [_event(each) for each in found.events]})

    async def event(self, id: str) -> Annotated[CallToolResult, EventOut]:  # noqa: A002 - as it is in results
        """One event, by its id, with what was written about it."""
        found = await self._found(self._finder.event, id)
        return _result(found.text, _event(found.events[0]))

    async def count(
        self,
        label: LabelName,
        last_minutes: Annotated[float, Field(gt=0, le=527040)],
        camera: Camera = None,
        zone: str | None = None,
    ) -> Annotated[CallToolResult, CountOut]:
        """How many came (into the zone) in the last minutes."""
        found = await self._found(self._finder.count, label, last_minutes * 60, camera=camera, zone=zone)
        return _result(found.text, {"count": found.count})

    async def ask(
        self, question: Annotated[str, Field(max_length=500)], camera: Camera = None
    ) -> Annotated[CallToolResult, AnswerOut]:
        """Answer a question such as: how many people came this morning?"""
        found = await self._found(self._finder.ask, question, camera=camera)
        return _result(found.text, {"text": found.text, "count": found.count})

    async def wait_for(
        self,
        label: LabelName | None = None,
        camera: Camera = None,
        zone: str | None = None,
        seconds: Annotated[float, Field(gt=0, le=WAIT_MAX_S)] = 30,
    ) -> Annotated[CallToolResult, WaitedOut]:
        """Wait until somebody or something comes (into the zone), at most so many seconds."""
        await self._found(self._finder.known, camera)
        await self._found(self._finder.known_zone, zone, camera)
        try:
            subscription = self._stream.subscribe([Observed.APPEARED.value, Observed.ENTERED_ZONE.value], label)
        except BlikkError as error:
            raise ToolError(str(error)) from error
        with subscription:
            end = asyncio.get_running_loop().time() + seconds
            while (left_s := end - asyncio.get_running_loop().time()) > 0 and not subscription.ended:
                came = await subscription.aget(left_s)
                if isinstance(came, Observation) and camera in {None, came.camera}:
                    for who in arrived(came, label, zone):
                        return _result(line(came), {"came": True, "label": str(who.label), "camera": came.camera})
        return _result("nobody and nothing came", {"came": False, "label": None, "camera": None})

    async def picture(self, camera: Annotated[str, Field(description="Camera id")]) -> list[Image | str]:
        """What a camera sees now, small, with every face blurred."""
        assert self._smaller is not None
        jpeg = await self._found(self._finder.picture, camera)
        return [Image(data=await asyncio.to_thread(self._smaller, jpeg), format="jpeg"), f"{camera}, now"]

    # -- resources -----------------------------------------------------------------------------------------------

    async def _now(self) -> str:
        return (await self._found(self._finder.now)).text

    async def _events(self) -> str:
        return (await self._found(self._finder.search)).text

    async def _subscribe(
        self, context: ServerRequestContext[Any, Any], params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        if str(params.uri) not in self._subscribers:
            raise MCPError(types.INVALID_PARAMS, f"there is no resource of that name; there is {NOW} and {EVENTS}")
        self._subscribers[str(params.uri)][id(context.session)] = context.session
        return types.EmptyResult()

    async def _unsubscribe(
        self, context: ServerRequestContext[Any, Any], params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        self._subscribers.get(str(params.uri), {}).pop(id(context.session), None)
        return types.EmptyResult()

    async def notify(self) -> None:
        """Notify subscribers of both generations what has changed, until cancelled or the stream ends."""
        if not self._stream.reports:
            return
        with self._stream.subscribe(["observation", "event"]) as subscription:
            while (record := await subscription.aget()) is not None:
                changed = {NOW}
                while record is not None:
                    changed |= {EVENTS} if isinstance(record, Event) else set()
                    record = await subscription.aget(0)
                for uri in changed:
                    await self._changed(uri)
                await asyncio.sleep(QUIET_S)

    async def _changed(self, uri: str) -> None:
        await self._bus.publish(ResourceUpdated(uri=uri))
        for key, session in tuple(self._subscribers[uri].items()):
            try:
                await session.send_resource_updated(uri)
            except Exception as error:  # noqa: BLE001 - a client that has gone, in whatever way
                LOG.debug("a subscriber has gone: %s", type(error).__name__)
                self._subscribers[uri].pop(key, None)

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | types.InputRequiredResult:
        """Call a tool. Raises ToolError for arguments that cannot be used, in plain words."""
        tool = self._tool_manager.get_tool(name)
        if tool is None:
            names = ", ".join(each.name for each in self._tool_manager.list_tools())
            raise ToolError(f"there is no tool {name[:40]!r}; there is {names}")
        known = tuple(tool.parameters["properties"])
        if strange := [each for each in arguments if each not in known]:
            raise ToolError(f"These arguments cannot be used: {no_such(strange[0], known)}")
        try:
            tool.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            raise ToolError(unusable(error, known)) from error
        return await super().call_tool(name, arguments, context)

    # -- helpers -------------------------------------------------------------------------------------------------

    async def list_tools(self) -> list[types.Tool]:
        """The tools, in few words: titles that repeat the names cost a client tokens, and say nothing."""
        return [
            tool.model_copy(
                update={
                    "input_schema": _without_titles(tool.input_schema),
                    "output_schema": None if tool.output_schema is None else _without_titles(tool.output_schema),
                }
            )
            for tool in await super().list_tools()
        ]

    async def _found(self, find: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        try:
            return await asyncio.to_thread(find, *given, **named)
        except BlikkError as error:
            raise ToolError(str(error)) from error


def _result(text: str, content: Any) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=text)], structured_content=content)


def _event(event: Event) -> EventOut:
    return EventOut(
        id=event.id,
        camera=event.camera,
        label=str(event.label),
        started=written(event.started),
        ended=None if event.ended is None else written(event.ended),
        most_at_once=event.peak,
        zones=[*event.zones],
    )


def _without_titles(schema: Any) -> Any:
    """A JSON Schema without titles and the docstrings of our classes; properties of these names stay."""
    if isinstance(schema, list):
        return [_without_titles(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: value for name, value in schema.items() if not (name == "title" and isinstance(value, str))}
    if "properties" in kept and isinstance(kept.get("description"), str):
        del kept["description"]
    return {
        name: {key: _without_titles(each) for key, each in value.items()}
        if name in {"properties", "$defs"}
        else _without_titles(value)
        for name, value in kept.items()
    }
