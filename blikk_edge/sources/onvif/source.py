"""A camera that is asked for its own stream: `onvif://user:password@host`."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from blikk_edge.core.errors import SourceError, Trouble
from blikk_edge.core.scene import Frame
from blikk_edge.core.stages import Source
from blikk_edge.kinds.kind import Kind
from blikk_edge.sources.address import Address, parse, plain
from blikk_edge.sources.onvif.device import Described, Profile, described, nearest
from blikk_edge.sources.onvif.search import on_network
from blikk_edge.sources.options import ADDRESS, AddressOptions
from blikk_edge.sources.rtsp import open_rtsp
from blikk_edge.sources.terms import Terms

LOG = logging.getLogger("blikk.onvif")

ASK_S: Final = 5.0


class OnvifSource:
    """Watches the stream of a camera that is nearest to the height at which it is looked at.

    The camera is asked at each connection, so a stream that was changed there is found again; where it does not answer,
    the stream that it named last is tried. A camera that has another address since is searched for on the network, by
    the name that it has there.
    """

    def __init__(self, address: Address, terms: Terms) -> None:
        self._address = address
        self._terms = terms
        self._known: tuple[str, Source] | None = None
        self._endpoint = ""
        self._said = ""

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """The frames of its stream; raises SourceError."""
        try:
            url = self._asked()
        except SourceError:
            if self._known is None or stop.is_set():
                raise
            url = self._known[0]
        if self._known is None or self._known[0] != url:
            self._known = url, open_rtsp(plain(url), self._terms, transport=self._terms.transport)
        yield from self._known[1].frames(stop)

    def _asked(self) -> str:
        """The RTSP address of the stream to watch, with the login of the camera."""
        try:
            camera = self._described(self._address)
        except SourceError:
            moved = self._moved()
            if moved is None:
                raise
            camera = self._described(moved)
            self._address = moved
        profile = nearest(camera.profiles, self._terms.height_px)
        if profile is None:
            raise SourceError(
                f"{self._terms.shown}: this camera has no stream that can be watched; name its address"
            ).of(Trouble.NO_VIDEO)
        self._endpoint = camera.endpoint or self._endpoint
        self._say(camera, profile)
        return replace(parse(profile.url), user=self._address.user, password=self._address.password).url

    def _described(self, address: Address) -> Described:
        return described(address, shown=self._terms.shown, timeout_s=min(ASK_S, self._terms.connect_timeout_s))

    def _moved(self) -> Address | None:
        """Where the camera is now, if it is on this network under another address."""
        if not self._endpoint:
            return None
        for found in on_network():
            if found.endpoint == self._endpoint and (found.host, found.port) != (
                self._address.host,
                self._address.port_number,
            ):
                LOG.warning("camera %s has another address now: %s", self._terms.camera, found.host)
                return replace(self._address, host=found.host, port=found.port, target=found.path)
        return None

    def _say(self, camera: Described, profile: Profile) -> None:
        what = " ".join(part for part in (camera.maker, camera.model) if part) or "this camera"
        size = f"{profile.width_px}x{profile.height_px}" if profile.height_px else "of a size that it does not say"
        said = f"{self._terms.camera}: {what}, stream {profile.name}, {size} {profile.encoding}".rstrip()
        if said != self._said:
            self._said = said
            LOG.info("%s", said)


def _make(options: AddressOptions, terms: Terms) -> Source:
    return OnvifSource(parse(options.address.reveal()), terms)


KIND: Kind[Terms, Source] = Kind(
    name="onvif",
    meaning="A camera that says itself where its streams are: `onvif://user:password@host`.",
    options=ADDRESS,
    make=_make,
)
