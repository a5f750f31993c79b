"""Which cameras are on this network: WS-Discovery, by multicast and to single addresses."""

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import psutil

from blikk_edge.sources.address import PORTS, Address
from blikk_edge.sources.onvif.device import library, one_line

WAIT_S: Final = 3.0
FOUND_MAX: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A camera that has answered.

    Attributes:
        host: Its address on this network.
        port: The TCP port of its ONVIF service.
        path: The path of that service.
        endpoint: By which it is known whatever its address is.
        name: What it calls itself; empty where it does not say.
        hardware: Its model; empty where it does not say.
    """

    host: str
    port: int
    path: str
    endpoint: str = ""
    name: str = ""
    hardware: str = ""

    @property
    def address(self) -> str:
        """`onvif://host:port/path`, without the usual port and path; user and password belong before the host."""
        port = None if self.port == PORTS["onvif"] else self.port
        return Address(scheme="onvif", host=self.host, port=port, target=self.path).url


def on_network(
    hosts: Sequence[str] = (), *, wait_s: float = WAIT_S, interfaces: Sequence[str] | None = None
) -> tuple[Found, ...]:
    """The cameras that answer within `wait_s`, sorted by address. Blocking.

    All on the networks of `interfaces` (addresses of this machine; None: all of them), or, where `hosts` are named,
    these alone. Raises SourceError where ONVIF is not installed.
    """
    library()
    from onveef import wsdiscovery  # noqa: PLC0415  # see library

    if hosts:
        answers = [each for host in hosts for each in _answers(wsdiscovery, host, wait_s)]
    else:
        own = list(_interfaces() if interfaces is None else interfaces)
        answers = asyncio.run(wsdiscovery.discover_async(timeout_s=wait_s, interface_ip=own or None))
    found = {each.endpoint or each.address: each for each in map(_found, answers[:FOUND_MAX]) if each is not None}
    return tuple(sorted(found.values(), key=_order))


def _answers(wsdiscovery: Any, host: str, wait_s: float) -> list[Any]:
    """What one host answers to a search; nothing where its name is not known."""
    try:
        return list(wsdiscovery.probe_device(host, timeout_s=wait_s))
    except OSError:
        return []


def _found(answer: object) -> Found | None:
    """What an answer says; None where it is none that can be used. It comes from whoever is on the network."""
    addresses = [str(each) for each in getattr(answer, "xaddrs", ())]
    for address in addresses:
        try:
            parts = urlsplit(address)
            host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
            ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            continue
        if parts.scheme not in {"http", "https"} or ipaddress.ip_address(host.partition("%")[0]).is_link_local:
            continue
        path = parts.path if parts.path not in {"", "/", "/onvif/device_service"} else ""
        return Found(
            host=host,
            port=port,
            path=path,
            endpoint=str(getattr(answer, "endpoint_reference", ""))[:200],
            name=one_line(str(getattr(answer, "name", "")).replace("%20", " ")),
            hardware=one_line(str(getattr(answer, "hardware", "")).replace("%20", " ")),
        )
    return None


def _interfaces() -> list[str]:
    """This machine's addresses on networks; a library's guess overlooks some where there are several."""
    return [
        address.address
        for name, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if address.family.name == "AF_INET" and not address.address.startswith("127.") and not name.startswith("docker")
    ]


def _order(found: Found) -> tuple[int, int, int]:
    address = ipaddress.ip_address(found.host.partition("%")[0])
    return address.version, int(address), found.port
