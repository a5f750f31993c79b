"""The table of vendors as values, and which of its entries an address, a server or a manufacturer's name belongs to."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from blikk_edge.sources.address import PORTS, Address

GENERIC: Final = "generic"
NAME: Final = "{name}"
_PLACE: Final = re.compile(r"\{(channel|name)(?::(\d+))?\}")
_GAPS: Final = {"channel": r"(?P<channel>\d+)", "name": r"(?P<name>[^/?]+)"}
_FAMILIES: Final = {"rtsp": "rtsp", "rtsps": "rtsp", "http": "http", "https": "http"}


class When(StrEnum):
    """What shows a fault."""

    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    REFUSED = "refused"  # nothing listens there
    OPEN = "open"  # there is something, and it cannot be read
    CHECK = "check"  # nothing has failed


@dataclass(frozen=True)
class Template:
    """An address with gaps: `rtsp://HOST/Streaming/Channels/{channel:1}01`."""

    text: str

    def match(self, address: Address) -> Mapping[str, str] | None:
        """What stands in the gaps of an address of this form, with whatever else in its query; None for another."""
        if _FAMILIES.get(address.scheme) != self._family or (self._port and address.port_number != self._port):
            return None
        path, _, query = address.target.partition("#")[0].partition("?")
        found = self._path.fullmatch(path.rstrip("/"))
        if found is None:
            return None
        gaps, given = dict(found.groupdict()), dict(parse_qsl(query, keep_blank_values=True))
        for key, pattern in self._query:
            value = pattern.fullmatch(given.get(key, ""))
            if value is None:
                return None
            gaps |= value.groupdict()
        return gaps

    def filled(self, gaps: Mapping[str, str] | None = None) -> str:
        """The address with HOST for the host and NAME for what the owner chooses, which may be secret."""
        channel = (gaps or {}).get("channel")
        return _PLACE.sub(lambda found: "NAME" if found[1] == "name" else channel or found[2], self.text)

    @cached_property
    def _family(self) -> str:
        return _FAMILIES[self.text.partition("://")[0]]

    @cached_property
    def _port(self) -> int | None:
        """The port that an address must have: where the owner chooses the path, it alone tells much."""
        return urlsplit(self.text).port if NAME in self.text else None

    @cached_property
    def _path(self) -> re.Pattern[str]:
        return _pattern(self._target.partition("?")[0].rstrip("/"))

    @cached_property
    def _query(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        pairs = parse_qsl(self._target.partition("?")[2], keep_blank_values=True)
        return tuple((key, _pattern(value)) for key, value in pairs)

    @cached_property
    def _target(self) -> str:
        return "/" + self.text.partition("://")[2].partition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Addresses of one kind.

    Attributes:
        main: The large stream, or the only one.
        sub: The small one; None where there is none, or where its address does not follow from the other.
        tells: Whether such an address tells the vendor.
    """

    main: Template
    sub: Template | None = None
    tells: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with cameras of a vendor.

    Attributes:
        when: What shows it.
        says: What it is and what helps.
        sure: Whether it is known from a document; what is not is only reported by users.
    """

    when: tuple[When, ...]
    says: str
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """What is known of one vendor of cameras, or of a program that serves their streams.

    Attributes:
        id: Its key in the table.
        name: What it is called.
        makers: Parts of what ONVIF calls the manufacturer, in small letters.
        realms: Beginnings of the realm that its RTSP server names, in small letters.
        servers: Beginnings of what its RTSP server calls itself, in small letters.
        ports: Ports that tell it whatever the path is.
        onvif_port: Where its ONVIF listens; None: at 80.
        streams: Its addresses of video.
        stills: Its addresses of a still image.
        faults: What is wrong with it.
        answers: What comes with status 200 instead of a picture, and which status it means.
        drop: Parameters, or options behind a `#`, that are taken out of an address before it is opened.
        schemes: What it writes for schemes that are known here.
        documents: Where all this is from.
    """

    id: str
    name: str
    makers: tuple[str, ...] = ()
    realms: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    onvif_port: int | None = None
    streams: tuple[Streams, ...] = ()
    stills: tuple[Template, ...] = ()
    faults: tuple[Fault, ...] = ()
    answers: tuple[tuple[str, When], ...] = ()
    drop: tuple[str, ...] = ()
    schemes: Mapping[str, str]
    documents: tuple[str, ...]

    def said(self, *when: When) -> tuple[str, ...]:
        """What its faults say that show so; what only users report is called that."""
        return tuple(
            each.says if each.sure else f"users report: {each.says}"
            for each in self.faults
            if any(one in each.when for one in when)
        )

    def subs(self, address: Address | None = None) -> tuple[str, ...]:
        """Its sub-streams over the protocol of an address, the one that belongs to this address first."""
        family = None if address is None else _FAMILIES.get(address.scheme)
        own: list[str] = []
        others: list[str] = []
        for each in self.streams:
            if each.sub is None or (family and not each.main.text.startswith(family)):
                continue
            gaps = each.main.match(address) if address is not None else None
            (others if gaps is None else own).append(each.sub.filled(gaps))
        return tuple(dict.fromkeys((*own, *others)))


@cache
def vendors() -> Mapping[str, Vendor]:
    """All, by their ids."""
    content = tomllib.loads(files(__package__).joinpath("vendors.toml").read_text("utf-8"))
    return {id_: _vendor(id_, entry) for id_, entry in content.items()}


def vendor_of(address: Address | None = None, *, maker: str = "", server: str = "", realm: str = "") -> Vendor | None:
    """Whose a camera is, by what ONVIF says, how its RTSP server answers, or its address; None where nobody knows."""
    for each in vendors().values():
        if _begins(server, each.servers) or _begins(realm, each.realms) or _has(maker, each.makers):
            return each
    return None if address is None else _by_address(address)


def _by_address(address: Address) -> Vendor | None:
    for each in vendors().values():
        templates = [part for one in each.streams if one.tells for part in (one.main, one.sub) if part is not None]
        if any(template.match(address) is not None for template in (*templates, *each.stills)):
            return each
    by_port = [each for each in vendors().values() if address.port_number in each.ports]
    return by_port[0] if by_port and address.port_number not in PORTS.values() else None


def _begins(text: str, beginnings: Iterable[str]) -> bool:
    return any(text.lower().startswith(each) for each in beginnings)


def _has(text: str, parts: Iterable[str]) -> bool:
    return any(each in text.lower() for each in parts)


def _pattern(text: str) -> re.Pattern[str]:
    """What matches a part of an address, whatever stands in its gaps."""
    pieces, at = [], 0
    for found in _PLACE.finditer(text):
        pieces += [re.escape(text[at : found.start()]), _GAPS[found[1]]]
        at = found.end()
    return re.compile("".join((*pieces, re.escape(text[at:]))), re.IGNORECASE)


def _vendor(id_: str, entry: dict[str, Any]) -> Vendor:
    """One entry of the table. Raises TypeError, KeyError or ValueError for one that is wrong."""
    streams = tuple(
        Streams(**(each | {part: Template(each[part]) for part in ("main", "sub") if part in each}))
        for each in entry.get("streams", ())
    )
    faults = tuple(Fault(**(each | {"when": tuple(map(When, each["when"]))})) for each in entry.get("faults", ()))
    answers = tuple((each["has"], When(each["means"])) for each in entry.get("answers", ()))
    given: dict[str, Any] = {
        "schemes": {},
        **{key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()},
        "streams": streams,
        "stills": tuple(map(Template, entry.get("stills", ()))),
        "faults": faults,
        "answers": answers,
    }
    return Vendor(id=id_, **given)
