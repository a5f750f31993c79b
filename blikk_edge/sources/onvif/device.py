"""One camera that speaks ONVIF: what it calls itself, its streams, and which of them to watch.

The only place that imports onveef.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from blikk_edge.core.errors import SourceError, Trouble, quote
from blikk_edge.core.installing import pip_install
from blikk_edge.sources.address import Address

SERVICE: Final = "/onvif/device_service"
WATCHED: Final = frozenset({"H264", "H265", "JPEG", "MPEG4", "HEVC", "AVC"})
"""Encodings that can be decoded here, as ONVIF writes them."""

NAME_MAX: Final = 80
PROFILES_MAX: Final = 32
ANSWER_BYTES: Final = 2_000_000

TINY_PX: Final = 240
"""Below it nobody is found: such a stream is only taken where there is no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One stream of a camera.

    Attributes:
        token: By which the camera knows it.
        name: What the camera calls it.
        width_px: Its width; 0 where the camera does not say.
        height_px: Its height; 0 where the camera does not say.
        fps: Frames a second; 0 where the camera does not say.
        encoding: As the camera writes it: `H264`, `H265`, `JPEG`.
        url: Its RTSP address, without user and password.
    """

    token: str
    name: str
    width_px: int = 0
    height_px: int = 0
    fps: float = 0.0
    encoding: str = ""
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a camera says of itself.

    Attributes:
        maker: Who made it; empty where it does not say.
        model: Its model; empty where it does not say.
        endpoint: By which it is known on the network whatever its address is; empty where it does not say.
        profiles: Its streams, in its order.
    """

    maker: str = ""
    model: str = ""
    endpoint: str = ""
    profiles: tuple[Profile, ...] = ()


def nearest(profiles: Sequence[Profile], height_px: int) -> Profile | None:
    """The stream to watch: the one whose height is nearest to `height_px`, by ratio; None where there is none."""
    usable = [each for each in profiles if each.url and (each.encoding.upper() or "H264") in WATCHED]

    def far(profile: Profile) -> tuple[bool, float]:
        height = profile.height_px or 10_000
        return height < min(TINY_PX, height_px), abs(math.log(height / height_px))

    return min(usable, key=far, default=None)


def largest(profiles: Sequence[Profile]) -> Profile | None:
    """The stream with most pixels."""
    usable = [each for each in profiles if each.url]
    return max(usable, key=lambda each: each.width_px * each.height_px, default=None)


def nothing_to_watch(profiles: Sequence[Profile]) -> str:
    """Why none of the streams can be watched, and what to do."""
    if not profiles:
        return (
            "this camera has no profile with video; make one in its web page (video, or media profiles), or write the "
            "`rtsp://` address of its stream"
        )
    without = " without an address"
    kinds = dict.fromkeys(f"{one_line(each.encoding) or 'video'}{'' if each.url else without}" for each in profiles)
    return (
        f"this camera has no stream that can be watched, but {', '.join(kinds)}; set one to H.264 in its web page, or "
        "write the `rtsp://` address of its stream"
    )


def described(address: Address, *, shown: str, timeout_s: float) -> Described:
    """Ask a camera at an `onvif://` address what it is and which streams it has. Blocking.

    Raises SourceError, in words that say what to do.
    """
    onveef = library()
    user, password = (each.decode(errors="replace") for each in address.login or (b"", b""))
    service = Address(scheme="http", host=address.host, port=address.port_number, target=address.target or SERVICE)
    with (
        _said(shown, login=bool(user)),
        onveef.OnvifClient(
            service.url,
            username=user,
            password=password,
            timeout_s=timeout_s,
            verify_tls=False,  # a camera makes its certificate itself
            retries=1,
            max_response_bytes=ANSWER_BYTES,
        ) as camera,
    ):
        # by itself the library takes a refusal here for a camera without streams
        services = camera.discover_services()
        camera.set_endpoint(onveef.OnvifEndpoint(camera.endpoint.device_xaddr, services=services))
        profiles = tuple(_profiles(camera))
        info: dict[str, str] = {}
        endpoint = ""
        # what a camera need not answer
        try:
            info = camera.get_device_information()
            endpoint = camera.get_endpoint_reference()
        except onveef.OnvifError:
            pass
        return Described(
            maker=one_line(info.get("Manufacturer", "")),
            model=one_line(info.get("Model", "")),
            endpoint=endpoint,
            profiles=profiles,
        )


def library() -> Any:
    """The package onveef; raises SourceError where it is not installed."""
    try:
        import onveef  # noqa: PLC0415  # 24 MB that only a node with such cameras needs
    except ImportError:
        raise SourceError(f"ONVIF needs the package onveef: {pip_install('blikk-edge[onvif]')}") from None
    return onveef


def _profiles(camera: Any) -> Iterator[Profile]:
    onveef = library()
    for each in camera.get_profiles()[:PROFILES_MAX]:
        encoder = each.get("video_encoder") or {}
        if not encoder and each.get("video_source") is None:
            continue  # sound only
        token = str(each.get("token", ""))
        try:
            url = camera.get_stream_uri(profile_token=token).strip()
        except onveef.OnvifFaultError:
            url = ""  # the camera has it, and cannot stream it; the others it can
        yield Profile(
            token=token,
            name=one_line(str(each.get("name") or token)),
            width_px=_whole(encoder.get("width")),
            height_px=_whole(encoder.get("height")),
            fps=float(_whole(encoder.get("fps_limit"))),
            encoding=str(encoder.get("encoding", "")),
            url=url,
        )


@contextmanager
def _said(shown: str, *, login: bool) -> Iterator[None]:
    """Turn what the library raises into words; what a camera answers is not repeated: it may hold what was sent."""
    onveef = library()
    try:
        yield
    except onveef.OnvifAuthError:
        why = "user or password is wrong" if login else "it asks for a user and a password"
        more = "; some cameras have users of their own for ONVIF, made in their web page"
        raise SourceError(f"{shown}: {why}{more}").of(Trouble.LOGIN) from None
    except onveef.OnvifTimeoutError:
        raise SourceError(f"{shown}: no answer; check host and port, and that ONVIF is switched on").of(
            Trouble.TIMEOUT
        ) from None
    except (onveef.OnvifTransportError, onveef.OnvifServiceUnavailableError) as error:
        if "redirected" in str(error):
            why = "it redirects to another address, which is not followed; name that one"
            raise SourceError(f"{shown}: {why}") from None
        raise SourceError(
            f"{shown}: there is no ONVIF; check host and port (80, 8000, 8080 or 2020 are usual), and that ONVIF is "
            "switched on in the camera's web page"
        ).of(Trouble.REFUSED) from None
    except RecursionError:
        raise SourceError(f"{shown}: what it answers is nested too deeply for ONVIF") from None
    except onveef.OnvifError as error:
        raise SourceError(f"{shown}: its ONVIF refuses ({error.code})") from None


def _whole(value: object) -> int:
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        return 0


def one_line(text: str) -> str:
    """What a camera calls something, in one short line."""
    return quote(text)[:NAME_MAX]
