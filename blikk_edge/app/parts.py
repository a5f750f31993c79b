"""What a node opens besides cameras and MQTT, as its settings say: buttons, hooks, servers, the album, the webhook."""

from collections.abc import Mapping

from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.core.clock import Clock
from blikk_edge.core.locale import LocaleNow
from blikk_edge.core.ports import Order
from blikk_edge.core.push_queue import PushQueue
from blikk_edge.inputs.gpio import GpioButton
from blikk_edge.inputs.http import RingHook
from blikk_edge.inputs.ingest import IngestServer, PushTarget
from blikk_edge.runtime.node import Part
from blikk_edge.sinks.album import PictureAlbum
from blikk_edge.store.store import Store


def rings(camera: CameraSettings) -> tuple[str, ...]:
    """The ways in which this camera's doorbell may be pressed."""
    if camera.ring is None:
        return ()
    ways = (("mqtt", camera.ring.mqtt), ("http", camera.ring.http), ("gpio", camera.ring.gpio is not None))
    return tuple(way for way, allowed in ways if allowed)


def bells(settings: Settings, order: Order, clock: Clock) -> tuple[Part, ...]:
    """What rings besides MQTT."""
    doorbells = [(camera.id, camera.ring) for camera in settings.cameras if camera.ring is not None]
    buttons = [GpioButton(name, ring.gpio, order, clock=clock) for name, ring in doorbells if ring.gpio is not None]
    hooked = [name for name, ring in doorbells if ring.http]
    return (*buttons, *([RingHook(hooked, settings.ring_hook.port, order, clock=clock)] if hooked else []))


def ingest_parts(settings: Settings, push_queues: Mapping[str, PushQueue], clock: Clock) -> tuple[Part, ...]:
    """The server for edge clients, where a camera has one."""
    tokens = {camera.id: camera.push_token for camera in settings.cameras}
    gates = {
        name: PushTarget(push_queue=push_queue, token=token.reveal())
        for name, push_queue in push_queues.items()
        if (token := tokens[name]) is not None
    }
    ingest = settings.ingest
    if not gates:
        return ()
    return (
        IngestServer(
            gates,
            clock=clock,
            host=ingest.host,
            port=ingest.port,
            certificate=ingest.tls.certificate if ingest.tls else None,
            key=ingest.tls.key if ingest.tls else None,
        ),
    )


def album_of(settings: Settings, store: Store, clock: Clock, locale: LocaleNow) -> PictureAlbum | None:
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
