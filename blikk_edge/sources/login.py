"""HTTP logins: Basic (RFC 7617) and Digest (RFC 7616, and RFC 2069 for old cameras)."""

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.request import parse_http_list

_HASHES = MappingProxyType({"MD5": "md5", "SHA-256": "sha256", "SHA": "sha1", "SHA-512-256": "sha512_256"})
# Best first; where a camera does not say, it means MD5.
_ORDER: Final = ("SHA-256", "SHA-512-256", "SHA", "MD5")


@dataclass(slots=True)
class Login:
    """User and password of one camera, and what it has asked for; keeps them out of its repr.

    Attributes:
        user: As it was in the address, its percent-encoding undone.
        password: As it was in the address, its percent-encoding undone.
    """

    user: bytes = field(repr=False)
    password: bytes = field(repr=False)
    _basic: bool = False
    _digest: dict[str, str] = field(default_factory=dict, repr=False)
    _count: int = 0
    _refused: bool = False

    def challenged(self, challenges: Iterable[str]) -> bool:
        """Take the values of WWW-Authenticate headers; says whether it is worth asking again with an answer.

        A second refusal in a row is final, unless only the nonce was too old.
        """
        offers = _offers(challenges)
        before, self._refused = self._refused, True
        # Small web servers want a login and do not say of which kind; it is the simplest.
        self._basic = not offers or any(kind == "basic" for kind, _ in offers)
        digests = [params for kind, params in offers if kind == "digest" and _algorithm(params) in _ORDER]
        self._digest = min(digests, key=lambda params: _ORDER.index(_algorithm(params)), default={})
        self._count = 0
        stale = self._digest.get("stale", "").lower() == "true"
        return bool(self._digest or self._basic) and (stale or not before)

    def accepted(self) -> None:
        """It was let in: what is refused later is a nonce that became too old, though not every camera says so."""
        self._refused = False

    def header(self, method: str, target: str) -> str | None:
        """The value of Authorization for a request, None as long as nothing was asked for."""
        if self._digest:
            return self._digest_header(method, target)
        if self._basic:
            return "Basic " + base64.b64encode(self.user + b":" + self.password).decode()
        return None

    def _digest_header(self, method: str, target: str) -> str:
        params = self._digest
        name = params.get("algorithm", "MD5")
        kind = _HASHES[_algorithm(params)]

        def digest(*parts: bytes) -> str:
            return hashlib.new(kind, b":".join(parts), usedforsecurity=False).hexdigest()

        realm, nonce = params.get("realm", ""), params.get("nonce", "")
        self._count += 1
        cnonce, count = secrets.token_hex(8), f"{self._count:08x}"
        first = digest(self.user, _bytes(realm), self.password)
        if name.lower().endswith("-sess"):
            first = digest(_bytes(first), _bytes(nonce), _bytes(cnonce))
        offered = [each.strip().lower() for each in params.get("qop", "").split(",")]
        qop = next((each for each in ("auth", "auth-int") if each in offered), None)
        # with auth-int the content counts too; ours is empty
        second = digest(_bytes(method), _bytes(target), *([_bytes(digest(b""))] if qop == "auth-int" else []))
        values = {"username": self.user.decode("latin-1"), "realm": realm, "nonce": nonce, "uri": target}
        plain = {}
        if qop is not None:
            plain = {"qop": qop, "nc": count}
            values["cnonce"] = cnonce
            parts = [nonce, count, cnonce, qop, second]
        else:
            parts = [nonce, second]
        values["response"] = digest(_bytes(first), *map(_bytes, parts))
        if "opaque" in params:
            values["opaque"] = params["opaque"]
        if "algorithm" in params:
            plain["algorithm"] = name
        quoted = [f'{key}="{_quotable(value)}"' for key, value in values.items()]
        return "Digest " + ", ".join([*quoted, *(f"{key}={value}" for key, value in plain.items())])


def _algorithm(params: dict[str, str]) -> str:
    return params.get("algorithm", "MD5").upper().removesuffix("-SESS")


def _offers(challenges: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    """Each scheme and its parameters; one header may hold several, parted by commas like their parameters."""
    offers: list[tuple[str, dict[str, str]]] = []
    for item in (each for challenge in challenges for each in parse_http_list(challenge)):
        word, space, rest = item.strip().partition(" ")
        if "=" not in word:
            offers.append((word.lower(), {}))
            item = rest if space else ""  # noqa: PLW2901  # the first parameter stands behind the scheme's name
        key, equals, value = item.partition("=")
        if equals and offers:
            offers[-1][1][key.strip().lower()] = _unquoted(value.strip())
    return offers


def _unquoted(value: str) -> str:
    return value[1:-1].replace('\\"', '"') if len(value) > 1 and value[0] == value[-1] == '"' else value


def _quotable(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")
