"""GET requests to one camera's web server: logins, redirects and limits, over a connection that is kept."""

import errno
import http.client
import io
import os
import re
import select
import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urljoin

from blikk_edge.sources.address import Address, parse
from blikk_edge.sources.faults import BROKEN, STANDS_STILL, TOO_LATE, status_meaning, system_meaning
from blikk_edge.sources.freshness import conditions, retry_after_s
from blikk_edge.sources.limits import Limit
from blikk_edge.sources.login import Login
from blikk_edge.sources.status_line import enough, mended

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# A wait looks this often whether it must end.
LOOK_S: Final = 0.25
# What takes longer was not there yet when it was asked for.
WAITED_S: Final = 0.002
READ_BYTES: Final = 65536
REDIRECTS_MOST: Final = 5
COOKIES_MOST: Final = 20
# Beyond it a length is an endless stream's.
LENGTH_MOST: Final = 2**31 - 1


_COMPRESSED: Final = frozenset({"gzip", "x-gzip", "deflate"})
_COOKIE = re.compile(
    r"\s*([!#$%&'*+.^`|~\w-]{1,128})=([\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e\x20\x22]{0,4096})", re.ASCII
)


class Failed(Exception):  # noqa: N818  # it is no error of a program; what it says is raised as a SourceError
    """A request that failed. `what` says why and how to mend it, without addresses.

    `passing` says that the same may go well in a moment; `stopped` that it was ended from outside; `unchanged` that the
    server says that nothing is new; `retry_s` for how long the server wants to be left alone.
    """

    def __init__(
        self,
        what: str,
        *,
        passing: bool = False,
        stopped: bool = False,
        unchanged: bool = False,
        retry_s: float = 0.0,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.passing = passing
        self.stopped = stopped
        self.unchanged = unchanged
        self.retry_s = retry_s


class HttpAnswer:
    """The answer to one request, read piece by piece.

    Attributes:
        content_type: In lower case, without its parameters; empty where none is given.
        length: Bytes of content; None where it ends with the connection, or never.
        conditions: Headers with which the same can be asked for once it has changed; none where the server gives none.
    """

    def __init__(self, response: http.client.HTTPResponse, wire: "_Wire") -> None:
        self.content_type = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
        if self.content_type.startswith("multipart/") or (response.length or 0) > LENGTH_MOST:
            response.length = None  # it has no end, whatever the camera says
        coding = (response.getheader("Content-Encoding") or "").strip().lower()
        # Proxies compress though nobody asked for it.
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32) if coding in _COMPRESSED else None
        self.length = None if self._inflate else response.length
        self.conditions = conditions(response.getheader)
        self._response = response
        self._wire = wire

    @property
    def waited(self) -> bool:
        """Whether the last piece was not there yet when it was asked for."""
        return self._wire.waited

    @property
    def whole(self) -> bool:
        """Whether all that was promised has come."""
        return not self._response.length

    @property
    def keeps(self) -> bool:
        """Whether the connection can serve another request, once all has been read."""
        done = self._response.isclosed() if self._response.chunked else self._response.length == 0
        return done and not self._response.will_close

    def read(self) -> bytes:
        """The next piece, empty at the end; raises Failed."""
        with _failing(self._wire.limit, BROKEN, late=STANDS_STILL):
            if self._inflate is None:
                return self._response.read1(READ_BYTES)
            while not self._inflate.eof:
                packed = self._inflate.unconsumed_tail or self._response.read1(READ_BYTES)
                piece = self._inflate.decompress(packed, READ_BYTES)
                if piece or not packed:
                    return piece
            return b""

    def close(self) -> None:
        """Read no more of it."""
        self._response.close()


class Client:
    """Asks one address again and again; all waiting is under `limit`, whose deadline the owner sets."""

    def __init__(self, address: Address, limit: Limit) -> None:
        self._address = self._asked = address
        self._limit = limit
        self._login = Login(*address.login) if address.login is not None else None
        self._socket: socket.socket | None = None
        self._answer: HttpAnswer | None = None
        self._when: Mapping[str, str] = {}
        self._cookies: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, when: Mapping[str, str] | None = None) -> HttpAnswer:
        """Ask, follow redirects, and log in where that is wanted. Raises Failed for any answer without content.

        `when` are headers under whose conditions there is to be content.
        """
        self._when = when or {}
        self._to(self._address)
        for _ in range(2 * REDIRECTS_MOST):
            response = self._exchanged()
            status = response.status
            self._keep_cookies(response)
            if status in {301, 302, 303, 307, 308} and (place := response.getheader("Location")):
                self._to(self._redirected(place))
            elif status == 401 and self._may_log_in and self._challenged(response):
                self._done_with(response)
            elif status in {200, 203, 206} and self._answer is not None:
                if self._login is not None:
                    self._login.accepted()
                return self._answer
            else:
                # Whatever it is: where it went well before, it may go well again, as with a file that is just replaced.
                if status == 304:
                    self._done_with(response)
                else:
                    self.close()
                raise Failed(
                    status_meaning(status),
                    passing=True,
                    unchanged=status == 304,
                    retry_s=retry_after_s(response.getheader("Retry-After"), response.getheader("Date")),
                )
        self.close()
        raise Failed("the server sends from one address to the next without end; mend the path of the source")

    def close(self) -> None:
        """Give up the connection."""
        self._drop()
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    # -- helpers -------------------------------------------------------------------------------------------------

    @property
    def _at_home(self) -> bool:
        return is_same_server(self._address, self._asked)

    @property
    def _may_log_in(self) -> bool:
        return self._login is not None and self._at_home

    def _keep_cookies(self, response: http.client.HTTPResponse) -> None:
        """What the server wants to be reminded of, for as long as this client asks: some redirect until it is."""
        for said in response.headers.get_all("Set-Cookie") or () if self._at_home else ():
            if (found := _COOKIE.match(said)) is None:
                continue
            name, value = found[1], found[2].strip()
            if not value:
                self._cookies.pop(name, None)
            elif name in self._cookies or len(self._cookies) < COOKIES_MOST:
                self._cookies[name] = value

    def _challenged(self, response: http.client.HTTPResponse) -> bool:
        assert self._login is not None
        return self._login.challenged(response.headers.get_all("WWW-Authenticate") or ())

    def _to(self, address: Address) -> None:
        """Ask this address next, over the same connection where that is possible."""
        same = (address.scheme, address.host, address.port_number) == (
            self._asked.scheme,
            self._asked.host,
            self._asked.port_number,
        )
        self._asked = address
        if self._answer is not None and not self._answer.keeps:
            same = False
        if not same:
            self.close()
        self._drop()

    def _drop(self) -> None:
        """The last answer is done with; nothing of it is left to the garbage collector."""
        if self._answer is not None:
            self._answer.close()
        self._answer = None

    def _redirected(self, place: str) -> Address:
        base = self._asked
        try:
            address = parse(urljoin(base.url, place))
        except ValueError:
            address = None
        self.close()
        if address is None or not address.scheme.startswith("http"):
            raise Failed("the server sends to an address that is none of http or https; name the stream's own address")
        return address

    def _exchanged(self) -> http.client.HTTPResponse:
        """Send the request and read the answer's head, once more where a kept connection was closed meanwhile."""
        kept = self._socket is not None
        try:
            return self._exchange()
        except Failed as failed:
            self.close()
            if not kept or failed.stopped or self._limit.over:
                raise
        return self._exchange()

    def _exchange(self) -> http.client.HTTPResponse:
        asked = self._asked
        with _failing(self._limit, "the server does not answer as a web server does; check port and `https`"):
            if self._socket is None:
                self._socket = _connected(asked, self._limit)
            wire = _Wire(self._socket, self._limit)
            connection = http.client.HTTPConnection(asked.host, asked.port_number)
            connection.default_port = 443 if asked.scheme == "https" else 80
            connection.sock = _Duct(self._socket, wire)
            headers = {"User-Agent": "blikk-edge", "Accept": "*/*", **self._when}
            if (
                self._may_log_in
                and self._login is not None
                and (authorization := self._login.header("GET", asked.target))
            ):
                headers["Authorization"] = authorization
            if self._cookies and self._at_home:
                headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
            connection.request("GET", asked.target, headers=headers)
            response = connection.getresponse()
            self._answer = HttpAnswer(response, wire)
            return response

    def _done_with(self, response: http.client.HTTPResponse) -> None:
        """Read the short page that came with a refusal, so that the connection can be used again."""
        length = response.length
        if response.will_close or length is None or length > READ_BYTES:
            self.close()
            return
        with _failing(self._limit, BROKEN):
            response.read()
        self._drop()


def is_same_server(named: Address, asked: Address) -> bool:
    """Whether the server is asked that an address names: a redirect must take neither login nor cookie to another.

    One that only wants encryption, on the usual ports, is the same.
    """
    secured = (named.scheme, asked.scheme, named.port_number, asked.port_number) == ("http", "https", 80, 443)
    same = (named.scheme, named.port_number) == (asked.scheme, asked.port_number)
    return named.host.lower() == asked.host.lower() and (same or secured)


class _Wire(io.RawIOBase):
    """One answer as it comes through a socket, its first line mended; a wait ends with its limit."""

    def __init__(self, sock: socket.socket, limit: Limit) -> None:
        self.limit = limit
        self.waited = False
        self._socket = sock
        self._begun = False
        self._begin = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """At least one byte, 0 at the end."""
        if not self._begun:
            self._begun = True
            while not enough(self._begin) and (count := self._receive(buffer)):
                self._begin += bytes(memoryview(buffer)[:count])
            self._begin = mended(self._begin)
        if not self._begin:
            return self._receive(buffer)
        count = min(len(self._begin), memoryview(buffer).nbytes)
        memoryview(buffer)[:count], self._begin = self._begin[:count], self._begin[count:]
        return count

    def _receive(self, buffer: "WriteableBuffer") -> int:
        asked = time.monotonic()
        while not self.limit.over:
            try:
                count = self._socket.recv_into(buffer)
            except TimeoutError:
                continue
            self.waited = time.monotonic() - asked > WAITED_S
            return count
        raise TimeoutError


class _Duct:
    """What http.client takes for a socket; closing it leaves the real one open."""

    def __init__(self, sock: socket.socket, wire: _Wire) -> None:
        self._socket = sock
        self._wire = wire

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(self._wire, READ_BYTES)

    def sendall(self, content: bytes) -> None:
        self._socket.sendall(content)

    def close(self) -> None:
        """The owner closes it."""


@contextmanager
def _failing(limit: Limit, otherwise: str, *, late: str = TOO_LATE) -> Iterator[None]:
    """Expected errors as Failed, whose cause (it may hold an address) is cut off."""
    try:
        yield
    except (ssl.SSLError, ssl.CertificateError) as error:
        failed = Failed(late if isinstance(error, TimeoutError) else "no encrypted connection; check port and `https`")
    except TimeoutError:
        failed = Failed(late, passing=True, stopped=limit.stop.is_set())
    except OSError as error:
        failed = Failed(system_meaning(error), passing=True)
    except http.client.IncompleteRead:
        failed = Failed(BROKEN, passing=True)
    except (http.client.HTTPException, ValueError, zlib.error):
        failed = Failed(otherwise)
    else:
        return
    raise failed from None


def _connected(address: Address, limit: Limit) -> socket.socket:
    """A connection, encrypted for https; each address of a name has its share of the time that is left."""
    places = socket.getaddrinfo(address.host, address.port_number, type=socket.SOCK_STREAM)
    error: OSError = OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))
    for number, (family, kind, protocol, _, place) in enumerate(places):
        until = time.monotonic() + limit.left_s / (len(places) - number)
        sock = socket.socket(family, kind, protocol)
        try:
            _connect(sock, place, until, limit)
            sock.settimeout(LOOK_S)
            return _encrypted(sock, address.host, limit) if address.scheme == "https" else sock
        except OSError as raised:
            sock.close()
            error = raised
            if limit.over:
                break
    raise error


def _connect(sock: socket.socket, place: object, until: float, limit: Limit) -> None:
    sock.setblocking(False)
    writable = select.poll()
    writable.register(sock, select.POLLOUT)
    code = sock.connect_ex(place)  # type: ignore[arg-type]  # as getaddrinfo gave it
    while code in {errno.EINPROGRESS, errno.EINTR}:
        if limit.over or time.monotonic() > until:
            raise TimeoutError
        if writable.poll(LOOK_S * 1000):
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def camera_tls() -> ssl.SSLContext:
    """TLS as cameras have it: with a certificate that they made themselves, so nobody vouches for it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _encrypted(sock: socket.socket, host: str, limit: Limit) -> ssl.SSLSocket:
    wrapped = camera_tls().wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    try:
        while True:
            try:
                wrapped.do_handshake()
            except TimeoutError:
                if limit.over:
                    raise
            else:
                return wrapped
    except BaseException:
        wrapped.close()  # it has taken the place of `sock`
        raise
