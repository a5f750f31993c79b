"""Fetching a file over HTTP: resumed, bounded, checked, and put in its place whole or not at all."""

import base64
import fcntl
import hashlib
import http.client
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from blikk_edge import __version__
from blikk_edge.core.errors import ModelError
from blikk_edge.core.loopback import is_loopback
from blikk_edge.net.tls import client_context
from blikk_edge.transforms.models.tflite import describe

CONNECT_TIMEOUT_S = 10.0
"""The longest time until a server answers: name server, all its addresses, redirections and TLS together."""

READ_TIMEOUT_S = 20.0
"""The longest silence of a server that has answered."""

DEADLINE_S = 300.0
"""The longest one file may take: 4 MB at the 14 kB/s of a bad mobile connection."""

MOST_BYTES = 256 * 1024 * 1024
"""No model that a Pi can run is larger; it bounds what a server of unknown size may put on the disk."""

CHUNK_BYTES = 64 * 1024
RESUMES = 3
"""How often a connection that broke after bringing something is taken up again at once."""

_RANGE_REFUSED = 416


class Progress(Protocol):
    """Called with how far a download is, at its start and after each piece, in the thread that fetches.

    `done_bytes` are those on the disk, with what an earlier try left there; `total_bytes` is None where neither the
    server nor the registry says it. `done_bytes` becomes smaller where a file has to be begun again.
    """

    def __call__(self, done_bytes: int, total_bytes: int | None, /) -> None:
        """So much is here."""
        ...


class UnreachableError(ModelError):
    """Nobody answered: no route, no name, no server, or silence."""


class _CutOff(Exception):  # noqa: N818  not an error that anybody sees
    """The connection ended before the file did."""


def fetch(
    url: str,
    target: Path,
    *,
    sha256: str,
    size_bytes: int | None = None,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    read_timeout_s: float = READ_TIMEOUT_S,
    deadline_s: float = DEADLINE_S,
    progress: Progress | None = None,
) -> None:
    """Bring the file at an http(s) `url` to `target`, which then has this SHA-256.

    Bytes gather in `<target>.part`, which survives a broken connection and is continued by the next call; a wrong hash
    removes it. `progress` is called with how far it is. User and password in the URL become basic
    authentication. Proxies of the environment are used, except for loopback. Raises ModelError; UnreachableError where
    nobody answered.
    """
    limits = _Limits(connect_s=connect_timeout_s, read_s=read_timeout_s, deadline=time.monotonic() + deadline_s)

    def bring(file: BufferedRandom) -> None:
        _Download(url, file, size_bytes, limits, progress).run()

    put(target, bring, shown=public_url(url), sha256=sha256)


def put(target: Path, bring: Callable[[BufferedRandom], None], *, shown: str, sha256: str) -> None:
    """Let `bring` write a part file, check that it has this SHA-256, and put it at `target` whole or not at all.

    One process at a time may do so. `shown` names in words what is fetched. Raises ModelError.
    """
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(part) as file:
            bring(file)
            _check(shown, file, part, sha256)
            os.fsync(file.fileno())
            part.replace(target)
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror or error}") from error


def public_url(url: str) -> str:
    """The address as it may be shown: without user, password and query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """How long may be waited: for the answer, for each piece, and (a moment of the monotonic clock) for all."""

    connect_s: float
    read_s: float
    deadline: float


class _Download:
    """One file on its way to an open part file."""

    def __init__(
        self,
        url: str,
        file: BufferedRandom,
        size_bytes: int | None,
        limits: _Limits,
        progress: Progress | None,
    ) -> None:
        self._url = url
        self._where = public_url(url)
        self._file = file
        self._size_bytes = size_bytes
        self._limits = limits
        self._progress = progress

    def run(self) -> None:
        if self._size_bytes is not None and self._have() > self._size_bytes:
            self._file.truncate(0)
        for resume in range(RESUMES + 1):
            before = self._have()
            if before == self._size_bytes:
                return
            try:
                self._get(before)
            except _CutOff as error:
                if resume == RESUMES or self._have() <= before:
                    raise self._failed(f"the connection broke: {error}") from error
            else:
                return

    def _get(self, have: int) -> None:
        try:
            response = _within(self._limits.connect_s, lambda: self._connect(have))
        except TimeoutError as error:
            raise self._unreached(f"did not answer within {self._limits.connect_s:g} s") from error
        with response:
            if have and not _continues(response, have):
                have = 0
                self._file.truncate(0)
            self._receive(response, have)

    def _connect(self, have: int) -> http.client.HTTPResponse:
        opener = _opener(self._url)
        try:
            response: http.client.HTTPResponse = opener.open(_request(self._url, have), timeout=self._limits.read_s)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == _RANGE_REFUSED and have:  # the file there is shorter than what is kept
                self._file.truncate(0)
                return self._connect(0)
            raise self._failed(f"the server answers {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            reason = getattr(error.reason, "strerror", None) or error.reason
            raise self._unreached(f"cannot be reached: {reason}") from error
        except (OSError, http.client.HTTPException) as error:
            raise self._unreached(f"does not answer: {error or type(error).__name__}") from error
        return response

    def _receive(self, response: http.client.HTTPResponse, have: int) -> None:
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() else None
        if response.headers.get_content_type() == "text/html":
            raise self._failed("a web page came instead of a model; the address, a login or a proxy is wrong")
        limit = self._size_bytes if self._size_bytes is not None else MOST_BYTES
        if total is not None and total > limit:
            raise self._failed(f"{total} bytes are offered, {limit} at most were expected; the file has changed there")
        self._file.seek(0, os.SEEK_END)
        self._report(have, total)
        while chunk := _read(response):
            have += len(chunk)
            if have > limit:
                raise self._failed(f"more than the expected {limit} bytes came; the file has changed there")
            self._file.write(chunk)
            self._file.flush()
            self._report(have, total)
            if time.monotonic() > self._limits.deadline:
                raise self._failed("it takes too long")
        if total is not None and have < total:
            raise _CutOff(f"{have} of {total} bytes came")

    def _report(self, have: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress(have, self._size_bytes if total is None else total)

    def _have(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _unreached(self, why: str) -> UnreachableError:
        if self._have():
            return UnreachableError(str(self._failed(why)))
        return UnreachableError(f"{urlsplit(self._where).netloc} {why}")

    def _failed(self, why: str) -> ModelError:
        kept = self._have()
        rest = f"; {kept} bytes are kept and the next try goes on from there" if kept else ""
        return ModelError(f"{self._where}: {why}{rest}")


def _within(limit_s: float, connect: Callable[[], http.client.HTTPResponse]) -> http.client.HTTPResponse:
    """What `connect` gives; raises TimeoutError where that takes longer.

    A name server that is silent cannot be hurried, and a host may have many addresses that are silent one after the
    other. The thread that waits for them is left behind, and closes what comes too late.
    """
    outcome: Future[http.client.HTTPResponse] = Future()

    def run() -> None:
        try:
            response = connect()
        except BaseException as error:  # noqa: BLE001  handed to the thread that waits
            with suppress(InvalidStateError):
                outcome.set_exception(error)
            return
        try:
            outcome.set_result(response)
        except InvalidStateError:
            response.close()

    threading.Thread(target=run, name="connect", daemon=True).start()
    try:
        return outcome.result(limit_s)
    finally:
        outcome.cancel()


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _CutOff(str(error) or type(error).__name__) from error


def _check(shown: str, file: BufferedRandom, part: Path, sha256: str) -> None:
    file.seek(0)
    got = hashlib.file_digest(file, "sha256").hexdigest()
    if got == sha256.lower():
        return
    file.seek(0)
    head = file.read(64)
    size = os.fstat(file.fileno()).st_size
    part.unlink(missing_ok=True)
    looks = "" if head[4:8] == b"TFL3" else f"; {describe(head)}"
    raise ModelError(
        f"{shown}: wrong content: {size} bytes with SHA-256 {got}, {sha256} was expected{looks}; nothing kept"
    )


@contextmanager
def locked(part: Path) -> Iterator[BufferedRandom]:
    """The part file open for reading and appending, held by this process alone; raises ModelError."""
    busy = ModelError(f"{part.name} is being fetched by another process; try again when it is done")
    with part.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise busy from error
        # Another process may have finished between opening and locking: then this is its finished file.
        if not part.exists() or part.stat().st_ino != os.fstat(file.fileno()).st_ino:
            raise busy
        try:
            yield file
        finally:
            if os.fstat(file.fileno()).st_size == 0:  # nothing came
                part.unlink(missing_ok=True)


def _request(url: str, have: int) -> urllib.request.Request:
    parts = urlsplit(url)
    netloc = parts.netloc.rpartition("@")[2]
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=netloc)))  # noqa: S310  scheme: see _opener
    request.add_header("User-Agent", f"blikk-edge/{__version__}")
    request.add_header("Accept-Encoding", "identity")  # a compressed answer would break ranges and sizes
    if have:
        request.add_header("Range", f"bytes={have}-")
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        # Not sent on to another host that the server redirects to.
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(login).decode()}")
    return request


def _opener(url: str) -> urllib.request.OpenerDirector:
    """HTTP and HTTPS and nothing else: no file:, ftp: or data: addresses, not by redirection either."""
    opener = urllib.request.OpenerDirector()
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=client_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ]
    if not is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler())
    for handler in handlers:
        opener.add_handler(handler)
    return opener


def _continues(response: http.client.HTTPResponse, have: int) -> bool:
    return response.status == http.HTTPStatus.PARTIAL_CONTENT and (
        response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    )
