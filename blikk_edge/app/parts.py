"""What a node opens besides cameras and MQTT, as its settings say: buttons, hooks, servers, the album, the webhook."""

from collections.abc import Mapping
from dataclasses import replace

from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.core.clock import Clock
from blikk_edge.core.locale import Locale, LocaleNow
from blikk_edge.core.ports import Input
from blikk_edge.core.push_queue import PushQueue
from blikk_edge.inputs.context import InputContext
from blikk_edge.inputs.gpio_kind import GpioOptions
from blikk_edge.inputs.ingest import PushTarget
from blikk_edge.inputs.kinds import INPUTS
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.sinks.album import PictureAlbum
from blikk_edge.store.store import Store


def rings(camera: CameraSettings) -> tuple[str, ...]:
    """The ways in which this camera's doorbell may be pressed."""
    if camera.ring is None:
        return ()
    ways = (("mqtt", camera.ring.mqtt), ("http", camera.ring.http), ("gpio", camera.ring.gpio is not None))
    return tuple(way for way, allowed in ways if allowed)


def inputs_of(settings: Settings, push_queues: Mapping[str, PushQueue]) -> tuple[Chosen[InputContext, Input], ...]:
    """What brings rings, besides MQTT, and frames of edge clients."""
    doorbells = [(camera.id, camera.ring) for camera in settings.cameras if camera.ring is not None]
    buttons = [GpioOptions(camera=name, gpio=ring.gpio) for name, ring in doorbells if ring.gpio is not None]
    hooked = tuple(name for name, ring in doorbells if ring.http)
    return tuple(
        Chosen(kinds=INPUTS, name=name, options=options)
        for name, options in (
            *(("gpio", button) for button in buttons),
            *([("ring_hook", replace(settings.ring_hook, cameras=hooked))] if hooked else []),
            *([("ingest", settings.ingest)] if gates_of(settings, push_queues) else []),
        )
    )


def gates_of(settings: Settings, push_queues: Mapping[str, PushQueue]) -> dict[str, PushTarget]:
    """Where the frames of edge clients go, by camera."""
    return {
        camera.id: PushTarget(push_queue=push_queues[camera.id], token=camera.push_token.reveal())
        for camera in settings.cameras
        if camera.id in push_queues and camera.push_token is not None
    }


def album_of(settings: Settings, store: Store, clock: Clock, locale: LocaleNow = Locale) -> PictureAlbum | None:
    """Where pictures of events are kept, if they are."""
    media = settings.media
    if media is None:
        return None
    return PictureAlbum(
        media.folder or store.path.with_name("pictures"),
        clock=clock,
        max_bytes=media.max_mb * 1_000_000,
        keep_days=media.keep_days,
        locale=locale,
    )
