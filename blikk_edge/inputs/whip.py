"""A browser becomes a camera: `/whip/<camera>` takes its picture (WHIP, RFC 9725), links say which browser may send."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from blikk_edge.core.allowance import Allowance
from blikk_edge.core.clock import Clock
from blikk_edge.core.loopback import is_loopback
from blikk_edge.core.video_receiver import OfferError, VideoReceiver
from blikk_edge.inputs.phone_links import VALID_S, PhoneLinks
from blikk_edge.net.http.answers import BODY_S, RefusedError, camera_of, json_answer
from blikk_edge.net.http.connection import connection_of
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.wire.bearer import knows

if TYPE_CHECKING:
    from aiohttp import web

SDP: Final = "application/sdp"
SDP_BYTES: Final = 65_536
LOOK_S: Final = 1.0
AT_ONCE: Final = 5
PER_S: Final = 0.5

HERE_ONLY: Final = "this link works on this machine alone; for others give `http` its `host`, `tls`, `tokens` and `url`"
IN_THE_CLEAR: Final = "browsers give no camera to a page without https; give `http` its `tls`, or another `url`"

_UNKNOWN: Final = "unknown camera or token; open a new link on this device, or check the token of the program"


@dataclass(frozen=True, slots=True, kw_only=True)
class WhipTarget:
    """A camera whose picture is sent.

    Attributes:
        name: Its name, as people read it.
        receiver: Takes the picture.
        token: What a program that sends may show, too; None: links alone count.
    """

    name: str
    receiver: VideoReceiver = field(repr=False)
    token: str | None = field(default=None, repr=False)


class Whip:
    """Serves the cameras with `source: whip`; `url` is how others reach the server.

    One sender at a time: a second one is refused (409) as long as the first one sends. Who opens a newer link becomes
    the camera's device: the one before is cut off, and refused from then on. Neither trickle ICE nor restarts: PATCH is
    answered 405, as RFC 9725 (4.3) has it.
    """

    name = "whip"

    def __init__(self, targets: Mapping[str, WhipTarget], links: PhoneLinks, *, url: str, clock: Clock) -> None:
        self._targets = targets
        self._links = links
        self._url = url
        self._clock = clock
        self._offers = Allowance(clock, at_once=AT_ONCE, per_s=PER_S)
        self._guesses = Allowance(clock, at_once=AT_ONCE, per_s=PER_S)

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="POST",
                path="/whip/{camera}",
                handler=self._receive,
                scope=Scope.OWN,
                status=201,
                summary="Send the picture of a camera with `source: whip` (WHIP, RFC 9725), as its device or with its "
                "`push_token`. One sender at a time: 409 for a second.",
                answer=SDP,
                body={"type": "string"},
                brings=SDP,
            ),
            Route(
                method="DELETE",
                path="/whip/{camera}/{id}",
                handler=self._end,
                scope=Scope.OWN,
                summary="End sending.",
                answer="",
                status=204,
            ),
            Route(
                method="POST",
                path="/v1/phone",
                handler=self._redeem,
                scope=Scope.OWN,
                summary="Open a link, with its token: this device is the camera from now on. A token works once.",
            ),
            Route(
                method="POST",
                path="/v1/cameras/{camera}/phone",
                handler=self._link,
                scope=Scope.CONTROL,
                summary="A link that makes the device that opens it the camera, also as a QR code. It works once, for "
                "ten minutes.",
            ),
            Route(
                method="DELETE",
                path="/v1/cameras/{camera}/phone",
                handler=self._forget,
                scope=Scope.CONTROL,
                summary="No device may send this camera's picture any more, until a new link is opened.",
                answer="",
                status=204,
            ),
        )

    async def run(self) -> None:
        """End what does not come about or falls silent, until cancelled; then all."""
        try:
            while True:
                await self._clock.sleep(LOOK_S)
                for target in self._targets.values():
                    await target.receiver.look()
        finally:
            await asyncio.gather(*(target.receiver.end() for target in self._targets.values()))

    async def _receive(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415  # 15 MB that only a node with this server needs

        camera, target = await self._recognised(request)
        if request.content_type != SDP:
            raise RefusedError(415, f"send `Content-Type: {SDP}`")
        if not self._offers.take(camera):
            raise RefusedError(429, "too many offers; wait a few seconds")
        offer = await _body(request)
        try:
            answer, connection = await target.receiver.receive(offer)
        except OfferError as refused:
            raise RefusedError(refused.status, str(refused)) from None
        place = f"/whip/{camera}/{connection}"
        return web.Response(text=answer, status=201, content_type=SDP, headers=_uncached(Location=place))

    async def _end(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415  # see _receive

        _, target = await self._recognised(request)
        if not await target.receiver.end(request.match_info["id"]):
            raise RefusedError(404, "this connection has ended")
        return web.Response(status=204)

    async def _redeem(self, request: "web.Request") -> "web.StreamResponse":
        found = await self._links.redeem(_shown(request))
        if found is None:  # who has a link is let in, however many others guess
            if not self._guesses.take("link"):
                raise RefusedError(429, "too many tries; wait a few seconds")
            raise RefusedError(401, "this link is old, or was opened before; ask for a new one")
        camera, secret = found
        await self._targets[camera].receiver.end()
        return json_answer({"camera": camera, "name": self._targets[camera].name, "secret": secret})

    async def _link(self, request: "web.Request") -> "web.StreamResponse":
        camera = camera_of(request, self._targets)
        url = f"{self._url.rstrip('/')}/phone#{self._links.new(camera)}"
        here = is_loopback(urlsplit(self._url).hostname or "")
        note = HERE_ONLY if here else IN_THE_CLEAR if self._url.startswith("http:") else None
        return json_answer({"url": url, "qr": await asyncio.to_thread(_qr, url), "valid_s": VALID_S, "note": note})

    async def _forget(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415  # see _receive

        camera = camera_of(request, self._targets)
        await self._links.forget(camera)
        await self._targets[camera].receiver.end()
        return web.Response(status=204)

    async def _recognised(self, request: "web.Request") -> tuple[str, WhipTarget]:
        """The camera, for its device or who knows its token; a wrong camera gets the same answer as a wrong token."""
        camera = request.match_info["camera"]
        target = self._targets.get(camera)
        if target is not None:
            fits = knows(request.headers.get("Authorization", ""), target.token) if target.token else False
            if fits or await self._links.knows(camera, _shown(request)):
                connection_of(request).recognised()
                return camera, target
        raise RefusedError(401, _UNKNOWN)


def _shown(request: "web.Request") -> str:
    """The token that a request shows; empty where it shows none."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    return given.strip() if kind.lower() == "bearer" else ""


async def _body(request: "web.Request") -> str:
    """The offer that a request brings; raises RefusedError for one that is too long, or comes too slowly."""
    from aiohttp.web import RequestPayloadError  # noqa: PLC0415  # see Whip._receive

    if (request.content_length or 0) > SDP_BYTES:
        raise RefusedError(413, f"an offer of more than {SDP_BYTES} bytes")
    try:
        async with asyncio.timeout(BODY_S):
            content = await request.read()
    except TimeoutError:
        raise RefusedError(408, f"the offer did not come within {BODY_S:.0f} s") from None
    except RequestPayloadError:
        raise RefusedError(400, "the offer cannot be read") from None
    if len(content) > SDP_BYTES:
        raise RefusedError(413, f"an offer of more than {SDP_BYTES} bytes")
    return content.decode("utf-8", "replace")


def _uncached(**headers: str) -> dict[str, str]:
    return {"Cache-Control": "no-store", **headers}


def _qr(text: str) -> str | None:
    """The QR code of a text as the address of a picture; None where the package for it is not installed."""
    try:
        import segno  # noqa: PLC0415  # 2 MB that only who asks for a link needs
    except ImportError:
        return None
    made: Any = segno.make(text, error="m", micro=False)
    return str(made.svg_data_uri(scale=6, border=4, light="#fff"))
