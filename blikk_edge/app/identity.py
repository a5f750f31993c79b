"""What follows from the settings alone: where the store lies, how the broker is reached, who the cameras are, ..."""

import os
from collections.abc import Mapping
from pathlib import Path

from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import ConfigError, SinkError
from blikk_edge.core.folders import STATE, user_folder
from blikk_edge.core.ports import Memory
from blikk_edge.core.status import CameraInfo
from blikk_edge.core.summary import Question
from blikk_edge.language.language import tags
from blikk_edge.runtime.locale import HouseholdLocale
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.kind import MqttSettings, address_of
from blikk_edge.wire.topics import Topics


def store_path(settings: Settings, environ: Mapping[str, str]) -> Path:
    """The store of the settings; without one `<node>.db` in `$XDG_STATE_HOME/blikk`, else in `~/.local/state/blikk`.

    Raises ConfigError where there is neither: events that are kept nowhere would be lost with the next outage.
    """
    if settings.store.path is not None:
        return settings.store.path
    folder = user_folder(STATE, environ)
    if folder is None:
        raise ConfigError(
            f"the store has no place: user id {os.getuid()} has no home folder that it may write to; set `store.path` "
            f"in the configuration (`store: {{path: /data/blikk.db}}`), or the variable {STATE.variable}"
        )
    return folder / f"{settings.node.id}.db"


def topics_of(settings: Settings, node: str | None = None) -> Topics:
    """The topics of this node, or of another one, which also name records where there is no broker."""
    return Topics((settings.mqtt or MqttSettings(host="")).prefix, node or settings.node.id)


def broker_address(mqtt: MqttSettings | None) -> Address:
    """Where the broker is, with what logs in there. Raises SinkError where there is none."""
    if mqtt is None:
        raise SinkError("there is no broker: the configuration says `mqtt: false`")
    return address_of(mqtt)


def household_locale(settings: Settings, memory: Memory, clock: Clock) -> HouseholdLocale:
    """The household's language and time zone; `memory` has what its Home Assistant claimed last. Blocking."""
    return HouseholdLocale(
        timezone=settings.timezone, language=settings.language, languages=tags(), memory=memory, clock=clock
    )


def camera_info(camera: CameraSettings) -> CameraInfo:
    """The camera as the outside knows it."""
    return CameraInfo(
        id=camera.id,
        name=camera.name,
        labels=camera.labels,
        zones=tuple(zone.name for zone in camera.zones),
        ring=camera.ring is not None,
        concepts=camera.concepts,
        questions=tuple(
            Question(id=q.id, camera=camera.id, text=q.ask, kind=q.answer, every_s=q.every_s) for q in camera.questions
        ),
    )
