"""What follows from the settings alone: where the store lies, how the broker is reached, who the cameras are, ..."""

import os
from collections.abc import Mapping
from pathlib import Path

from blikk_edge import __version__
from blikk_edge.config.build import friendly
from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import ConfigError, SinkError
from blikk_edge.core.folders import STATE, user_folder
from blikk_edge.core.ports import Memory
from blikk_edge.core.status import CameraInfo, NodeInfo, SummaryMode
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
    """The topics of this node, or of another one, which also name records where there is no broker.

    Nodes that share cameras have those of their site.
    """
    prefix = (settings.mqtt or MqttSettings(host="")).prefix
    if node is None and settings.shares and settings.fleet is not None:
        return Topics(prefix, settings.fleet.site, settings.node.id)
    return Topics(prefix, node or settings.node.id)


def node_info(settings: Settings, *, cameras: tuple[CameraInfo, ...], summaries: tuple[SummaryMode, ...]) -> NodeInfo:
    """The node as the outside knows it. Nodes that share cameras are one there, whose pages are in no one place."""
    http = settings.http
    site = settings.fleet.site if settings.shares and settings.fleet is not None else None
    return NodeInfo(
        id=site or settings.node.id,
        name=settings.node.name if site is None else friendly(site),
        version=__version__,
        cameras=cameras,
        summaries=summaries,
        searched=settings.search is not None,
        media_url=http.address if http and settings.media and site is None else None,
        http_url=http.address if http and site is None else None,
        language=settings.language or "en",
    )


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
