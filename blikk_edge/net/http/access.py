"""Who may have what from the HTTP server: tokens, sessions of browsers, and requests that other web pages make."""

import hmac
import secrets
from collections.abc import Callable, Collection
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from blikk_edge.core.clock import Clock
from blikk_edge.core.loopback import is_loopback
from blikk_edge.net.http.answers import RefusedError
from blikk_edge.net.http.ingress import Ingress, called
from blikk_edge.net.http.route import Scope
from blikk_edge.wire.bearer import knows, knows_protocol

if TYPE_CHECKING:
    from aiohttp import web

SESSION_S: Final = 30 * 86400
COOKIE: Final = "blikk_session"
CSRF_HEADER: Final = "X-Blikk-CSRF"
FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
READS: Final = frozenset({"GET", "HEAD"})

ELSEWHERE: Final = "sent by a web page of elsewhere; one that may connect is named in `http.origins`"

_RANK: Final = {Scope.PUBLIC: 0, Scope.OWN: 0, Scope.VIEW: 1, Scope.CONTROL: 2}


def covers(given: Scope, wanted: Scope) -> bool:
    """Whether who has the one scope may have what needs the other."""
    return _RANK[given] >= _RANK[wanted]


def begin_session(request: "web.Request", answer: "web.Response", cookie: str, *, seconds: float = SESSION_S) -> None:
    """Have the browser keep the cookie of a session for so long."""
    answer.set_cookie(
        COOKIE, cookie, max_age=int(seconds), httponly=True, samesite="Strict", secure=request.secure, path="/"
    )


def end_session(answer: "web.Response") -> None:
    """Have the browser forget it."""
    answer.del_cookie(COOKIE, path="/")


class Access:
    """What each request may have.

    A token comes as `Authorization: Bearer`, offered by a WebSocket as a protocol (`wire.bearer`), or as the cookie of
    a session. Sessions are not kept: a cookie is signed with the tokens, so it outlives a restart, and ends with them.
    Without any token whoever is on this machine may have all, unless a proxy sends others there. Who comes through
    `ingress` may have all too: Home Assistant has let them in. `section` is where the keys of the server stand.

    A request that changes something and comes with a cookie needs the header `X-Blikk-CSRF`, which only our own pages
    can know. One that another web page has made is refused in any case (`check_origin`).
    """

    def __init__(
        self,
        *,
        view: str | None,
        control: str | None,
        clock: Clock,
        origins: Collection[str] = (),
        ingress: Ingress | None = None,
        section: str = "http",
    ) -> None:
        self._section = section
        self._tokens = {scope: token for scope, token in ((Scope.CONTROL, control), (Scope.VIEW, view)) if token}
        self._clock = clock
        self._origins = frozenset(origins)
        self._ingress = ingress
        known = "\n".join(self._tokens.values())
        self._key = sha256(b"blikk sessions\n" + (known.encode() or secrets.token_bytes(32))).digest()

    @property
    def open(self) -> bool:
        """Whether no token is asked for."""
        return not self._tokens

    def of_ingress(self, request: "web.Request") -> bool:
        """Whether Home Assistant has let in who asks."""
        return self._ingress is not None and self._ingress.passed_on(request)

    def asks_nobody(self, request: "web.Request") -> bool:
        """Whether there is nothing to log in or out with."""
        return self.open or self.of_ingress(request)

    def scope(self, request: "web.Request") -> Scope:
        """What this request may have; raises RefusedError where it shows what is not right."""
        if self.of_ingress(request):
            return Scope.CONTROL
        if self.open:
            self._check_here(request)
            return Scope.CONTROL
        if authorization := request.headers.get("Authorization", ""):
            return self._shown(lambda token: knows(authorization, token))
        if (offered := request.headers.get("Sec-WebSocket-Protocol", "")) and "bearer." in offered:
            return self._shown(lambda token: knows_protocol(offered, token))
        cookie = request.cookies.get(COOKIE, "")
        scope = self._session(cookie)
        if scope is None:
            return Scope.PUBLIC
        if request.method not in READS and not self._knows_csrf(request, cookie):
            raise RefusedError(403, f"the header `{CSRF_HEADER}` is missing or old; load the page again")
        return scope

    def check_origin(self, request: "web.Request") -> None:
        """Raise RefusedError for what a web page of elsewhere has made a browser send.

        A link to us may be followed. What such a page would only load it could not read; it would cost us the work.
        """
        origin = request.headers.get("Origin")
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        if request.method in READS and not upgrade:
            if _is_elsewhere(request) and request.headers.get("Sec-Fetch-Mode") != "navigate":
                raise RefusedError(403, ELSEWHERE)
            return
        of_ingress = self.of_ingress(request)
        if of_ingress and "Sec-Fetch-Site" in request.headers:
            origin = None  # a proxy before Home Assistant may call it otherwise than the browser does
        if origin is not None:
            host = called(request) if of_ingress else request.headers.get("Host", "").lower()
            if _host_of(origin) != host and origin.lower() not in self._origins:
                raise RefusedError(403, ELSEWHERE)
        elif _is_elsewhere(request):
            raise RefusedError(403, ELSEWHERE)

    def login(self, token: str) -> tuple[str, Scope] | None:
        """The cookie of a session and its scope, for who knows a token."""
        for scope, known in self._tokens.items():
            if hmac.compare_digest(token.encode("utf-8", "surrogatepass"), known.encode()):
                until = int(self._clock.now()) + SESSION_S
                return self._signed(f"{scope}.{until}.{secrets.token_hex(8)}"), scope
        return None

    def scope_or_public(self, request: "web.Request") -> Scope:
        """What this request may have; PUBLIC where it shows what is not right."""
        try:
            return self.scope(request)
        except RefusedError:
            return Scope.PUBLIC

    def csrf(self, request: "web.Request") -> str:
        """What our pages send along with a change, as `X-Blikk-CSRF`."""
        return self._mac(f"csrf.{request.cookies.get(COOKIE, '')}")

    def is_here(self, request: "web.Request") -> bool:
        """Whether this machine asks, and no proxy on it that says so for others."""
        return _is_here(request) and not _is_forwarded(request)

    def _check_here(self, request: "web.Request") -> None:
        if not _is_here(request):
            raise RefusedError(403, f"without `{self._section}.tokens` only this machine is answered")
        if _is_forwarded(request):
            raise RefusedError(403, f"a proxy sends others here: set `{self._section}.tokens`")

    def _shown(self, presents: Callable[[str], bool]) -> Scope:
        for scope, token in self._tokens.items():
            if presents(token):
                return scope
        raise RefusedError(401, f"this token is not one of `{self._section}.tokens`")

    def _session(self, cookie: str) -> Scope | None:
        said, _, _ = cookie.rpartition(".")
        if not said or not hmac.compare_digest(_bytes(self._signed(said)), _bytes(cookie)):
            return None
        scope, until, _ = said.split(".")
        return Scope(scope) if int(until) > self._clock.now() else None

    def _knows_csrf(self, request: "web.Request", cookie: str) -> bool:
        given = request.headers.get(CSRF_HEADER, "")
        return hmac.compare_digest(_bytes(given), self._mac(f"csrf.{cookie}").encode())

    def _signed(self, said: str) -> str:
        return f"{said}.{self._mac(said)}"

    def _mac(self, text: str) -> str:
        return hmac.new(self._key, _bytes(text), sha256).hexdigest()


def _bytes(header: str) -> bytes:
    """The bytes of a header: the library hands on those that are no UTF-8 as surrogates."""
    return header.encode("utf-8", "surrogateescape")


def _host_of(origin: str) -> str | None:
    """Host and port of an origin, in small letters; None where it cannot be read."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # like `http://[`
        return None


def _is_elsewhere(request: "web.Request") -> bool:
    """Whether a browser says that a page of another origin is behind this."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}


def _is_here(request: "web.Request") -> bool:
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return peer is not None and is_loopback(str(peer[0]))


def _is_forwarded(request: "web.Request") -> bool:
    return any(name in request.headers for name in FORWARDED)
