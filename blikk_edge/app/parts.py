"""What a node has besides cameras and MQTT, as its settings say: buttons, what comes in by HTTP, the album."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.core.clock import Clock
from blikk_edge.core.encoded_queue import EncodedQueue
from blikk_edge.core.locale import Locale, LocaleNow
from blikk_edge.core.ports import Input, Memory, Order
from blikk_edge.core.push_queue import PushQueue
from blikk_edge.inputs.context import InputContext
from blikk_edge.inputs.gpio_kind import GpioOptions
from blikk_edge.inputs.http import RingHook
from blikk_edge.inputs.ingest import Ingest, PushTarget
from blikk_edge.inputs.kinds import INPUTS
from blikk_edge.inputs.phone_links import PhoneLinks
from blikk_edge.inputs.whip import Whip, WhipTarget
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.net.http.access import Access
from blikk_edge.net.http.route import Served
from blikk_edge.sinks.album import PictureAlbum
from blikk_edge.sources.address import parse
from blikk_edge.sources.catalog import kind_of
from blikk_edge.sources.onvif.current_address import CurrentAddress
from blikk_edge.store.store import Store

if TYPE_CHECKING:
    from blikk_edge.sources.onvif.events import CameraEvents


def rings(camera: CameraSettings) -> tuple[str, ...]:
    """The ways in which this camera's doorbell may be pressed."""
    if camera.ring is None:
        return ()
    ways = (
        ("mqtt", camera.ring.mqtt),
        ("http", camera.ring.http),
        ("gpio", camera.ring.gpio is not None),
        ("onvif", camera.ring.onvif and camera.onvif is not None),
    )
    return tuple(way for way, allowed in ways if allowed)


def buttons_of(settings: Settings) -> tuple[Chosen[InputContext, Input], ...]:
    """The buttons on pins of this machine."""
    pins = [(camera.id, camera.ring.gpio) for camera in settings.cameras if camera.ring is not None]
    return tuple(
        Chosen(kinds=INPUTS, name="gpio", options=GpioOptions(camera=name, gpio=gpio))
        for name, gpio in pins
        if gpio is not None
    )


def current_addresses(settings: Settings, memory: Memory) -> dict[str, CurrentAddress]:
    """Where the cameras with an `onvif://` source are; they may get other addresses."""
    return {
        camera.id: CurrentAddress(parse(camera.source.reveal()), camera=camera.id, memory=memory)
        for camera in settings.cameras
        if camera.plugged is None and kind_of(camera.source.reveal()) == "onvif"
    }


def events_of(
    settings: Settings, addresses: Mapping[str, CurrentAddress], *, order: Order, clock: Clock
) -> "tuple[CameraEvents, ...]":
    """Who listens to the cameras' own events; `addresses` are those that the sources follow."""
    asked = [(camera, camera.onvif) for camera in settings.cameras if camera.onvif is not None]
    if not asked:
        return ()
    from blikk_edge.sources.onvif.events import CameraEvents  # noqa: PLC0415  # for cameras that have some

    return tuple(
        CameraEvents(
            camera.id,
            addresses[camera.id]
            if camera.source == address
            else CurrentAddress(parse(address.reveal()), camera=camera.id),
            order,
            shown=address.public,
            clock=clock,
            rings=camera.ring is not None and camera.ring.onvif,
            wanted=camera.onvif_wanted,
        )
        for camera, address in asked
    )


def doors_of(
    settings: Settings, push_queues: Mapping[str, PushQueue], *, access: Access, order: Order, clock: Clock
) -> tuple[Served, ...]:
    """What comes in by the HTTP server besides pages: rings, and frames of edge clients."""
    hooked = [camera.id for camera in settings.cameras if camera.ring is not None and camera.ring.http]
    gates = gates_of(settings, push_queues)
    return (
        *([RingHook(hooked, order, access, clock)] if hooked else []),
        *([Ingest(gates, clock=clock)] if gates else []),
    )


def gates_of(settings: Settings, push_queues: Mapping[str, PushQueue]) -> dict[str, PushTarget]:
    """Where the frames of edge clients go, by camera."""
    return {
        camera.id: PushTarget(push_queue=push_queues[camera.id], token=camera.push_token.reveal())
        for camera in settings.cameras
        if camera.id in push_queues and camera.push_token is not None
    }


def whip_of(settings: Settings, queues: Mapping[str, EncodedQueue], *, memory: Memory, clock: Clock) -> Whip | None:
    """What takes the pictures that browsers send; None where none does, or there is no server."""
    cameras = [camera for camera in settings.cameras if camera.by_whip]
    if not cameras or settings.http is None:
        return None
    from blikk_edge.sources.webrtc.receiver import WhipReceiver  # noqa: PLC0415  # only a node with such a camera

    targets = {
        camera.id: WhipTarget(
            name=camera.name,
            receiver=WhipReceiver(
                camera.id,
                queues[camera.id],
                clock=clock,
                connect_timeout_s=camera.connect_timeout_s,
                read_timeout_s=camera.read_timeout_s,
            ),
            token=camera.push_token.reveal() if camera.push_token else None,
        )
        for camera in cameras
    }
    return Whip(targets, PhoneLinks(memory, clock), url=settings.http.address, clock=clock)


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
