"""Tools for language models: which cameras there are, what happened at them, what is to be seen now."""

from datetime import timedelta
from typing import Any, cast

import probatio as vol
from homeassistant.components.llm import LLMTools
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.llm import LLM_API_ASSIST, LLMContext, Tool, ToolAnnotations, ToolInput, ToolResult
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from .const import DOMAIN
from .exposure import exposed
from .labels import LABELS
from .node import BlikkNode
from .past import PastEvent, async_past

MAX_EVENTS = 50
MAX_HOURS = 24 * 14

type Cameras = dict[str, tuple[BlikkNode, str]]
"""Node and camera id by the name that is spoken."""


@callback
def async_get_tools(hass: HomeAssistant, llm_context: LLMContext, api_id: str) -> LLMTools | None:
    """The tools for the cameras that are exposed to the assistant; None when there are none."""
    if api_id != LLM_API_ASSIST:
        return None
    cameras = _exposed(hass, llm_context.assistant)
    if not cameras:
        return None
    tools: list[Tool] = [ListCameras(cameras)]
    answering = {name: found for name, found in cameras.items() if "ask" in found[0].announce.capabilities}
    if answering:
        tools.append(GetEvents(answering))
    describing = {name: found for name, found in answering.items() if found[0].announce.summaries}
    if describing:
        tools.append(DescribeNow(describing))
    return LLMTools(tools=tools)


def _exposed(hass: HomeAssistant, assistant: str) -> Cameras:
    cameras: Cameras = {}
    for each in exposed(hass, assistant):
        name = each.name if each.name not in cameras else f"{each.name} ({each.node.announce.name})"
        cameras[name] = (each.node, each.camera.id)
    return dict(sorted(cameras.items()))


class _CameraTool(Tool):
    """A tool about the cameras that are exposed."""

    integration = DOMAIN
    annotations = ToolAnnotations(read_only=True, destructive=False, idempotent=True, open_world=False)

    def __init__(self, cameras: Cameras) -> None:
        self._cameras = cameras

    async def async_call(self, hass: HomeAssistant, tool_input: ToolInput, llm_context: LLMContext) -> ToolResult:
        """Check the arguments and use the tool; what goes wrong is returned to the model."""
        try:
            return ToolResult(data=await self.async_use(self.parameters(tool_input.tool_args)))
        except (vol.Invalid, HomeAssistantError) as error:
            return ToolResult(data={"error": str(error)}, error=True)

    async def async_use(self, values: dict[str, Any]) -> JsonObjectType:
        """Use the tool."""
        raise NotImplementedError


class ListCameras(_CameraTool):
    """Which cameras there are, and what they see now."""

    name = "blikk__list_cameras"
    title = "List cameras"
    description = "List the cameras: what they can recognize, what they see at this moment, and their last summary."

    async def async_use(self, values: dict[str, Any]) -> JsonObjectType:
        """List them."""
        return cast("JsonObjectType", {"cameras": [_described(name, *found) for name, found in self._cameras.items()]})


class GetEvents(_CameraTool):
    """What happened."""

    name = "blikk__get_events"
    title = "Get camera events"
    description = (
        "Get what happened at the cameras, newest first: who or what appeared, when, for how long, and a summary. "
        "Use it for questions about the past, like who was at the door today."
    )

    def __init__(self, cameras: Cameras) -> None:
        super().__init__(cameras)
        self.parameters = vol.Schema(
            {
                vol.Optional("camera", description="Only this camera"): vol.In(list(cameras)),
                vol.Optional("label", description="Only these"): vol.In(LABELS),
                vol.Optional("hours", default=24, description="How far to look back"): vol.All(
                    vol.Coerce(int), vol.Range(min=1, max=MAX_HOURS)
                ),
                vol.Optional("limit", default=20): vol.All(vol.Coerce(int), vol.Range(min=1, max=MAX_EVENTS)),
            }
        )

    async def async_use(self, values: dict[str, Any]) -> JsonObjectType:
        """Ask the nodes."""
        names = {found: name for name, found in self._cameras.items()}
        asked = [self._cameras[values["camera"]]] if "camera" in values else list(names)
        since = (dt_util.utcnow() - timedelta(hours=values["hours"])).isoformat()
        events: list[dict[str, Any]] = []
        for node, camera in asked:
            found = await async_past(node, camera=camera, label=values.get("label"), since=since, limit=values["limit"])
            events += [_event(names[node, camera], past) for past in found]
        events.sort(key=lambda event: str(event["started"]), reverse=True)
        return cast("JsonObjectType", {"events": events[: values["limit"]], "more": len(events) > values["limit"]})


class DescribeNow(_CameraTool):
    """What is to be seen now."""

    name = "blikk__describe_now"
    title = "Describe what a camera sees"
    description = "Describe in words what a camera sees at this moment. It may take a minute."
    annotations = ToolAnnotations(read_only=True, destructive=False, idempotent=False, open_world=True)

    def __init__(self, cameras: Cameras) -> None:
        super().__init__(cameras)
        self.parameters = vol.Schema({vol.Required("camera"): vol.In(list(cameras))})

    async def async_use(self, values: dict[str, Any]) -> JsonObjectType:
        """Ask the node."""
        node, camera = self._cameras[values["camera"]]
        reply = await node.async_request("describe", camera=camera)
        return {"camera": values["camera"], "text": reply.text or ""}


def _described(name: str, node: BlikkNode, camera_id: str) -> dict[str, Any]:
    camera, now = node.announce.camera(camera_id), node.camera(camera_id)
    return {
        "name": name,
        "available": bool(node.connected and node.online and now.online),
        "recognizes": list(camera.labels) if camera else [],
        "zones": list(camera.zones) if camera else [],
        "sees_now": {label: count for label, count in now.state.counts.items() if count} if now.state else {},
        "last_summary": now.summary.text or now.summary.title if now.summary else None,
        "answers": {
            question.question: now.answers[question.id].answer
            for question in (camera.questions if camera else ())
            if question.id in now.answers
        },
    }


def _event(camera: str, past: PastEvent) -> dict[str, Any]:
    """What a model needs to know of an event."""
    event, summary = past.event, past.summary
    return {
        "camera": camera,
        "id": event.id,
        "label": event.label,
        "started": dt_util.as_local(event.started).isoformat(timespec="seconds"),
        "ended": dt_util.as_local(event.ended).isoformat(timespec="seconds") if event.ended else None,
        "most_at_once": event.peak,
        "lingered": event.loitering,
        "taken_away": event.taken,
        "zones": list(event.zones),
        "marked_by_the_household": event.mark or None,
        "summary": summary.text or summary.title if summary else None,
    }
