"""Cameras on this network, with their streams, and the lines of `blikk.yaml` that watch them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from blikk_edge.config.build import slug_of
from blikk_edge.core.errors import SourceError
from blikk_edge.sources.address import AddressError, parse
from blikk_edge.sources.onvif.device import Described, Profile, described, largest, nearest
from blikk_edge.sources.onvif.search import WAIT_S, Found, on_network
from blikk_edge.sources.vendors.table import When, vendor_of

HEIGHT_PX = 480
ASK_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """A camera that was found.

    Attributes:
        found: Where it is.
        described: What it says of itself; None where it could not be asked.
        problem: Why it could not be asked; empty where it was.
    """

    found: Found
    described: Described | None = None
    problem: str = ""

    @property
    def what(self) -> str:
        """Its maker and model, or what it calls itself."""
        said = self.described
        asked = " ".join(part for part in (said.maker, said.model) if part) if said else ""
        return asked or self.found.name or self.found.hardware or "a camera"

    @property
    def known(self) -> tuple[str, ...]:
        """What is known of its vendor: where its still image is, and what is wrong with it."""
        maker = (self.described.maker if self.described else "") or self.found.name
        vendor = vendor_of(maker=maker) if maker else None
        if vendor is None:
            return ()
        stills = tuple(f"still image: {each.filled()}" for each in vendor.stills)
        return (*stills, *vendor.said(*When))


def discover(
    hosts: Sequence[str] = (),
    *,
    user: str = "",
    password: str = "",
    wait_s: float = WAIT_S,
    interfaces: Sequence[str] | None = None,
) -> tuple[Discovered, ...]:
    """The cameras that answer, asked for their streams with this login. Blocking.

    A host that is named, with or without a port, and does not answer the search is asked all the same. Raises
    SourceError for a name that is none, and where ONVIF is not installed.
    """
    named = [_named(host) for host in hosts]
    found = on_network([each.host for each in named], wait_s=wait_s, interfaces=interfaces)
    every = (*found, *(each for each in named if each.host not in {answered.host for answered in found}))
    return tuple(_asked(each, user, password) for each in every)


def yaml_lines(cameras: Sequence[Discovered]) -> list[str]:
    """What watches them in `blikk.yaml`; user and password belong into `secrets.yaml`."""
    lines: list[str] = ["cameras:"]
    for name, camera in _with_ids(cameras):
        profiles = camera.described.profiles if camera.described else ()
        watched, main = nearest(profiles, HEIGHT_PX), largest(profiles)
        lines.append(f"  {name}:  # {camera.what} at {camera.found.host}")
        lines.append(f"    source: !secret {name}_source")
        if watched is not None:
            lines.append(f"    # watched: {_shown(watched)}")
        if main is not None and main != watched:
            lines.append(f"    # its largest: {_shown(main)}; to record it when something happens:")
            lines += [f"    # archive: !secret {name}_archive", "    # record: events"]
        lines += [f"    # {said}" for said in camera.known]
        if camera.problem:
            lines.append(f"    # {camera.problem}")
    return lines


def secret_lines(cameras: Sequence[Discovered]) -> list[str]:
    """What belongs into `secrets.yaml` for `yaml_lines`, with USER and PASSWORD to be replaced."""
    lines: list[str] = []
    for name, camera in _with_ids(cameras):
        lines.append(f"{name}_source: {_with_login(camera.found.address)}")
        profiles = camera.described.profiles if camera.described else ()
        main = largest(profiles)
        if main is not None and main != nearest(profiles, HEIGHT_PX):
            lines.append(f"{name}_archive: {_with_login(main.url)}")
    return lines


def _with_login(address: str) -> str:
    return address.replace("://", "://USER:PASSWORD@", 1)


def _with_ids(cameras: Sequence[Discovered]) -> list[tuple[str, Discovered]]:
    """Each with an id of its own."""
    named: dict[str, Discovered] = {}
    for camera in cameras:
        wanted = slug_of(camera.found.name or camera.what) or "camera"
        numbered = (f"{wanted}_{number}" for number in range(2, len(cameras) + 2))
        named[next(each for each in (wanted, *numbered) if each not in named)] = camera
    return list(named.items())


def _shown(profile: Profile) -> str:
    return f"{profile.name}, {profile.width_px}x{profile.height_px} {profile.encoding}, {profile.url}"


def _named(host: str) -> Found:
    try:
        address = parse(f"onvif://{host}")
    except AddressError:
        raise SourceError(f"{quote(host, safe='.:[]')[:80]}: not a host; write one like 192.168.1.20") from None
    return Found(host=address.host, port=address.port_number, path=address.target.rstrip("/"))


def _asked(found: Found, user: str, password: str) -> Discovered:
    address = parse(found.address)
    if user:
        address = replace(address, user=quote(user, safe=""), password=quote(password, safe=""))
    try:
        return Discovered(found=found, described=described(address, shown=found.address, timeout_s=ASK_S))
    except SourceError as error:
        return Discovered(found=found, problem=str(error))
