"""`source: {whep: ...}`: the address of a WebRTC stream, what allows it, and who helps to reach it."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

import voluptuous as vol

from blikk_edge.grammar.leaf import Leaf
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret, SourceUrl
from blikk_edge.grammar.values import SECRET, TEXT, Scalar, StreamAddress, read_all
from blikk_edge.sources.address import AddressError, parse
from blikk_edge.sources.webrtc.peer import IceServer

PREFIX: Final = "whep+"
SCHEMES: Final = ("whep+https", "whep+http")
TOKEN: Final = re.compile(r"[\x21-\x7e]{1,4096}")
SERVERS_MOST: Final = 4
ICE: Final = re.compile(
    r"(stuns?|turns?):(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(:[0-9]{1,5})?(\?transport=(udp|tcp))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhepOptions:
    """A stream that a server gives by WHEP.

    Attributes:
        address: Where the offer goes, with `whep+` before it; may hold a user and a password.
        token: Sent as `Authorization: Bearer`; None: none is.
        ice_servers: Asked how this machine can be reached; none: the server is reached directly, as at home.
    """

    address: SourceUrl
    token: Secret | None = None
    ice_servers: tuple[IceServer, ...] = ()


def may_be_in_the_clear(host: str) -> bool:
    """Whether HTTP without TLS may go to this IP address: this machine, or a network that nobody else routes."""
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_private or (mapped or address).is_link_local


def _address(text: str) -> SourceUrl:
    text = text.strip()
    scheme, _, rest = text.partition("://")
    if scheme.lower() not in SCHEMES:
        raise Wrong("no address of a WebRTC stream", "Write `whep+https://host/path`.")
    try:
        address = parse(f"{scheme.lower().removeprefix(PREFIX)}://{rest}")
    except AddressError:
        raise Wrong("an address that cannot be read", "Check host and port of `whep+https://host:port/path`.") from None
    try:
        public = address.scheme == "http" and not may_be_in_the_clear(address.host)
    except ValueError:  # a name: it is looked up when it is connected to
        public = False
    if public:
        raise Wrong("a stream without encryption from beyond this network", "Write `whep+https://`.")
    return SourceUrl(PREFIX + address.url)


def _token(text: str) -> Secret:
    if not TOKEN.fullmatch(text.strip()):
        raise Wrong("not a token", "Write what the server gave you, without `Bearer` and without spaces.")
    return Secret(text.strip())


def _ice_url(text: str) -> str:
    if not ICE.fullmatch(text.strip()):
        raise Wrong("no address of a STUN or TURN server", "Write `stun:host:3478` or `turn:host:3478`.")
    return text.strip()


WHEP_ADDRESS = StreamAddress("an address (`whep+https://`, or `whep+http://` in your own network)", _address)

_ICE_SERVER = Section(
    of=IceServer,
    plain="url",
    keys=(
        Key(
            name="url",
            value=Scalar("`stun:host:port` or `turn:host:port`", _ice_url),
            required=True,
            meaning="Where it is.",
        ),
        Key(name="username", value=TEXT, meaning="For a TURN server.", default="none"),
        Key(name="credential", value=SECRET, meaning="Its password.", default="none"),
    ),
)


@dataclass(frozen=True, slots=True)
class _IceServers:
    """A list of servers, or one."""

    words: str = "a list; each is `stun:host:port`, or `url`, `username` and `credential`"

    def __call__(self, leaf: Leaf) -> tuple[IceServer, ...]:
        """The servers; raises vol.Invalid."""
        values, wrongs = read_all(leaf if isinstance(leaf, list) else [leaf], _ICE_SERVER)
        if wrongs:
            raise vol.MultipleInvalid(wrongs)
        if len(values) > SERVERS_MOST:
            raise Wrong(f"more than {SERVERS_MOST} servers", "One STUN and one TURN server are enough.")
        return tuple(values)


WHEP = Section(
    of=WhepOptions,
    plain="address",
    keys=(
        Key(name="address", value=WHEP_ADDRESS, required=True, meaning="Where the offer goes."),
        Key(
            name="token",
            value=Scalar("the token of the stream", _token, secret=True),
            meaning="Sent as `Authorization: Bearer`.",
            default="none",
        ),
        Key(
            name="ice_servers",
            value=_IceServers(),
            meaning="STUN and TURN servers. In one network none is needed.",
        ),
    ),
)
