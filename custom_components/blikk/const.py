"""Names and limits that more than one file of the component needs."""

from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "blikk"
MANUFACTURER: Final = "Blikk"

CONF_PREFIX: Final = "prefix"
CONF_NODE: Final = "node"
CONF_ANNOUNCE: Final = "announce"
CONF_MEDIA_URL: Final = "media_url"
CONF_TOKEN: Final = "token"  # noqa: S105 - the name of the field
CONF_VERIFY_SSL: Final = "verify_ssl"
CONF_APP: Final = "app"
"""The slug of the Supervisor's app that runs the node: its pages are in Home Assistant, under `/app/<slug>`."""
CONF_EXPOSE: Final = "expose"
"""In a new entry: its cameras are to be exposed to Assist, once."""

SECTION_EVENTS: Final = "events"
SECTION_SUMMARIES: Final = "summaries"
CONF_REPLAY_LIMIT_S: Final = "replay_limit_s"
CONF_ASSISTANTS: Final = "assistants"
CONF_AI_TASK: Final = "ai_task"
CONF_INSTRUCTIONS: Final = "instructions"
CONF_PAUSE_S: Final = "pause_s"
CONF_CALLS_PER_DAY: Final = "calls_per_day"

DEFAULT_PREFIX: Final = "blikk"
DEFAULT_REPLAY_LIMIT_S: Final = 300
"""An event that waited through an outage is announced in Home Assistant only when it is younger than this."""
DEFAULT_PAUSE_S: Final = 60
DEFAULT_CALLS_PER_DAY: Final = 100

EVENT_SAME_SUMMARY: Final = "blikk_same_summary"
"""On Home Assistant's bus: another visit has the title of the one before, so that the state of the summary stays."""

PLATFORMS: Final = (
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.CALENDAR,
    Platform.CAMERA,
    Platform.EVENT,
    Platform.IMAGE,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.UPDATE,
)
