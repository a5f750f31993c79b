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
from blikk_edge.sources.address import Address, AddressError, parse, plain
from blikk_edge.sources.faults import LATER, WRONG_LOGIN, Logins
from blikk_edge.sources.onvif.current_address import CurrentAddress, same_form
from blikk_edge.sources.onvif.device import Described, Profile, described, nearest, nothing_to_watch
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
    the name that it has there, and kept in `terms.current_address`. Another camera at its old address is not taken for
    it while it is to be found elsewhere.
    """

    def __init__(self, address: Address, terms: Terms) -> None:
        self._current = terms.current_address or CurrentAddress(address, camera=terms.camera)
        self._terms = terms
        self._known: tuple[str, Source] | None = None
        self._logins = Logins(given=True)
        self._said = ""
        self._asked_before = False

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """The frames of its stream; raises SourceError."""
        try:
            url = self._asked()
        except SourceError as error:
            if self._known is None or stop.is_set():
                raise self._refused(error) from None
            url = self._known[0]
        else:
            self._logins.accepted()
        if self._known is None or self._known[0] != url:
            self._known = url, open_rtsp(plain(url), self._terms, transport=self._terms.transport)
        yield from self._known[1].frames(stop)

    def _refused(self, error: SourceError) -> SourceError:
        """The same, which asks for a long pause once the login was refused a few times in a row."""
        retry_s = self._logins.after(WRONG_LOGIN if error.trouble is Trouble.LOGIN else "")
        if not retry_s:
            return error
        return SourceError(f"{error}; {LATER}", retry_s=retry_s).of(Trouble.LOGIN)

    def _asked(self) -> str:
        """The RTSP address of the stream to watch, with the login of the camera."""
        self._current.recall()
        if not self._asked_before and self._current.moved_to is not None:
            LOG.info(
                "camera %s is looked for at %s, where it was found last, and not where it is written to be",
                self._terms.camera,
                self._current.moved_to,
            )
        self._asked_before = True
        address, camera = self._found()
        profile = nearest(camera.profiles, self._terms.height_px)
        if profile is None:
            raise SourceError(f"{self._shown}: {nothing_to_watch(camera.profiles)}").of(Trouble.NO_VIDEO)
        self._current.found(address, camera.endpoint)
        self._say(camera, profile)
        try:
            stream = parse(profile.url)
        except AddressError:
            raise SourceError(f"{self._shown}: the address of its stream {profile.name} cannot be read") from None
        return replace(stream, user=address.user, password=address.password).url

    def _found(self) -> tuple[Address, Described]:
        """Where the camera answers, and what it says; raises SourceError."""
        current, known = self._current.now, self._current.identity
        why: SourceError | None = None
        other: Described | None = None
        try:
            camera = self._described(current)
            if not known or not camera.endpoint or same_form(camera.endpoint) == known:
                return current, camera
            other = camera  # the address is another camera's now
        except SourceError as error:
            why = error
        if (moved := self._moved()) is not None:
            camera = self._described(moved)
            LOG.warning("camera %s has another address now: %s", self._terms.camera, moved.host)
            return moved, camera
        written = self._current.configured
        if self._current.moved_to is not None:
            camera = self._described(written)
            LOG.warning("camera %s is where it is written to be again", self._terms.camera)
            return written, camera
        if other is None:
            raise why or SourceError(f"{self._shown}: no answer")
        LOG.warning(
            "camera %s: another device is at its address, and it is nowhere else: taken for its replacement",
            self._terms.camera,
        )
        return current, other

    @property
    def _shown(self) -> str:
        """The address without secrets, and where the camera is by now."""
        moved_to = self._current.moved_to
        return f"{self._terms.shown} (now at {moved_to})" if moved_to else self._terms.shown

    def _described(self, address: Address) -> Described:
        return described(address, shown=self._shown, timeout_s=min(ASK_S, self._terms.connect_timeout_s))

    def _moved(self) -> Address | None:
        """Where the camera is now, if it is on this network under another address."""
        if not self._current.identity:
            return None
        now = self._current.now
        for found in on_network():
            if same_form(found.endpoint) == self._current.identity and (found.host, found.port) != (
                now.host,
                now.port_number,
            ):
                return replace(now, host=found.host, port=found.port, target=found.path)
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
