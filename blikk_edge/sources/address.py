"""The address of a camera as people write it, in the one form that every library understands."""

import ipaddress
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote, unquote_to_bytes

# Schemes of cameras and their default ports (rtsps: RFC 7826, 4.2).
PORTS = MappingProxyType({"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "onvif": 80})

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
# Labels of at most 63 signs (RFC 1035, 2.3.4), with `_`, which names in home networks have.
_HOST = re.compile(r"(?=.{1,254}\Z)[A-Za-z0-9_][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9_-]{1,63})*\.?")
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+(%[^\]/?#]+)?\]|[^\s@:/?#\[\]]+)(:[0-9]{0,5})?(?=[/?#]|\Z)")
_AROUND = " \t\r\n\u00a0\u200b\u200c\u200d\u2060\ufeff<>\u201c\u201d"
# What must be escaped, besides a `%` that escapes nothing: RFC 3986, 3.2.1, and for paths what no server takes raw.
_RAW_IN_LOGIN = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&'()*+,;=%-]")
_RAW_IN_TARGET = re.compile(r"[^\x21-\x7e]")


class AddressError(ValueError):
    """An address that cannot be read; its text never quotes the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A network address of a camera.

    Attributes:
        scheme: In lower case, one of `PORTS`.
        user: Percent-encoded, None where there is none.
        password: Percent-encoded, None where there is none.
        host: ASCII (IDNA), an IPv6 address without its brackets.
        port: None for the scheme's own.
        target: Path and query, percent-encoded; may be empty for RTSP.
    """

    scheme: str
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    host: str
    port: int | None = None
    target: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The whole address, with the password, for libraries."""
        login = "" if self.user is None else self.user + ("" if self.password is None else f":{self.password}") + "@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{login}{host}{port}{self.target}"

    @property
    def login(self) -> tuple[bytes, bytes] | None:
        """User and password as the camera knows them."""
        return None if self.user is None else (unquote_to_bytes(self.user), unquote_to_bytes(self.password or ""))

    @property
    def port_number(self) -> int:
        """The port to connect to."""
        return self.port or PORTS[self.scheme]


def scheme_of(text: str) -> str | None:
    """The scheme of a text in lower case; None where it has none (a path, a device)."""
    found = _SCHEME.fullmatch(_copied(text))
    return found[1].lower() if found else None


def parse(text: str) -> Address:
    """Read an address: `RTSP://`, spaces around it, raw signs in a password, umlauts in host or path are all taken.

    A login ends at the last `@` before the path. One that holds a raw `/`, `?` or `#` is made out where what stands
    before that sign can be no host and port. A `%` that escapes nothing stands for itself.
    Raises AddressError for what has no known scheme or no host.
    """
    found = _SCHEME.fullmatch(_copied(text))
    if found is None or (scheme := found[1].lower()) not in PORTS:
        raise AddressError("no scheme that is known")
    login, rest = _split_login(found[2])
    end = _authority_end(rest)
    host, port = _host_and_port(rest[:end])
    target = rest[end:]
    if scheme.startswith("http"):
        target = target.partition("#")[0]  # a fragment is never sent
        target = target if target.startswith("/") else f"/{target}"
    user, colon, password = (login or "").partition(":")
    return Address(
        scheme=scheme,
        user=None if login is None else _escaped(_RAW_IN_LOGIN, user),
        password=_escaped(_RAW_IN_LOGIN, password) if colon else None,
        host=host,
        port=port,
        target=_escaped(_RAW_IN_TARGET, target),
    )


def _copied(text: str) -> str:
    """Without what comes along when an address is copied from a page or a chat: its brackets, blanks nobody sees."""
    return text.strip(_AROUND)


def plain(url: str) -> str:
    """The address as libraries understand it; one that cannot be read as it is, for them to refuse."""
    try:
        return parse(url).url
    except AddressError:
        return url


def _authority_end(rest: str) -> int:
    return min((at for sign in "/?#" if (at := rest.find(sign)) >= 0), default=len(rest))


def _split_login(rest: str) -> tuple[str | None, str]:
    """User and password, None where there are none, and all after the `@`."""
    end = _authority_end(rest)
    at = rest.rfind("@", 0, end)
    if "@" in rest[end:] and (rest[end] == "#" or _HOST_AND_PORT.fullmatch(rest[at + 1 : end]) is None):
        # The password holds a raw sign that ends the host: its `@` is the last one behind which a host stands.
        ends = [n for n in range(end, len(rest)) if rest[n] == "@" and _HOST_AND_PORT.match(rest, n + 1)]
        at = ends[-1] if ends and ":" in rest[: ends[-1]] else at
    return (None, rest) if at < 0 else (rest[:at], rest[at + 1 :])


def _host_and_port(text: str) -> tuple[str, int | None]:
    if text.count(":") > 1 and not text.startswith("["):
        return _ipv6(text), None
    found = _HOST_AND_PORT.fullmatch(text)
    if found is None:
        raise AddressError("no host, or a port that is none")
    digits = (found[3] or "")[1:]
    if digits and not 1 <= int(digits) <= 65535:
        raise AddressError("a port that is none")
    host = _ipv6(found[1][1:-1]) if found[1].startswith("[") else _name(found[1])
    return host, int(digits) if digits else None


def _ipv6(text: str) -> str:
    """The address, with the name of its link (`fe80::1%eth0`; in an address `%` may be written `%25`, RFC 6874)."""
    number, mark, link = text.replace("%25", "%", 1).partition("%")
    try:
        return str(ipaddress.IPv6Address(number)) + mark + link
    except ValueError:
        raise AddressError("an IPv6 address that is none") from None


def _name(text: str) -> str:
    """A host name in ASCII."""
    if not text.isascii():
        import idna  # noqa: PLC0415  # half a megabyte of tables for the few names that need them

        try:
            text = idna.encode(text, uts46=True).decode()
        except idna.IDNAError:
            text = ""
    if _HOST.fullmatch(text) is None:
        raise AddressError("no host name")
    return text


def _escaped(raw: re.Pattern[str], text: str) -> str:
    return raw.sub(lambda found: quote(found[0], safe=""), text)
