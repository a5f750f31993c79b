"""The webhook: records posted to a web address, as the JSON that MQTT carries."""

import asyncio
import contextlib
import ipaddress
import logging
import random
import re
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError
from blikk_edge.core.observation import Event, Record, Ring
from blikk_edge.core.ports import Inbox, Item
from blikk_edge.core.summary import Answer, Summary
from blikk_edge.wire.messages import Message, encode
from blikk_edge.wire.topics import Topics

if TYPE_CHECKING:
    from aiohttp import ClientSession

LOG = logging.getLogger("blikk.webhook")

TRIES: Final = 10
"""Of one record with a server that fails on it: some three minutes, then it may be the record's fault."""
PATIENCE_MAX_S: Final = 300.0
LEFT_S: Final = 1.0

KINDS: Final[dict[str, type[Record]]] = {"answer": Answer, "event": Event, "ring": Ring, "summary": Summary}
_AWAY: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Whoever answers so says nothing of the record."""

_HINTS: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "; check webhook.token",
    HTTPStatus.FORBIDDEN: "; check webhook.token",
    HTTPStatus.NOT_FOUND: "; check webhook.url",
    HTTPStatus.METHOD_NOT_ALLOWED: "; check webhook.url: it does not take POST",
}

_Post: TypeAlias = Callable[[Message], Awaitable[tuple[int, str]]]
"""Posts a message; status and Retry-After of the answer. Raises _LaterError."""


class _LaterError(SinkError):
    """It was not delivered and may be next time, not before `after_s`."""

    def __init__(self, text: str, *, after_s: float = 0.0) -> None:
        super().__init__(text)
        self.after_s = after_s


class _RefusedError(SinkError):
    """It will never be taken."""


@dataclass(slots=True, eq=False)
class _Waiting:
    serial: int
    record: Record
    tries: int = 0


class WebhookSink:
    """Posts the records named in `tell` (of answers those that changed) to `url`, in order, one at a time.

    `token` is sent as `Authorization: Bearer`; the MQTT topic as `Blikk-Topic`. `timeout_s` bounds each try in all.
    What cannot be delivered waits in memory, at most `queue` records, the newest; `lost` counts what was given up. A
    record that is refused (4xx; 3xx, as redirects are not followed) is given up at once. `problem` is a sentence while
    something is wrong. Neither the token nor the path of the URL, which may be a secret too, is ever logged.
    """

    name = "webhook"

    def __init__(
        self,
        url: str,
        *,
        topics: Topics,
        clock: Clock,
        token: str | None = None,
        tell: Collection[str] = ("answer",),
        timeout_s: float = 10.0,
        queue: int = 200,
        rng: random.Random | None = None,
    ) -> None:
        self.lost = 0
        self.problem: str | None = None
        self._worked = False
        parts = urlsplit(url)
        self._who = f"webhook {parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._host = parts.hostname or ""
        self._secure = parts.scheme == "https"
        self._url = url
        self._topics = topics
        self._clock = clock
        self._token = token
        self._kinds = tuple(KINDS[kind] for kind in tell)
        self._timeout_s = timeout_s
        self._limit = queue
        self._rng = rng
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._serial = 0
        self._stale = 0  # what came up to this one has waited through an outage
        self._posting: _Waiting | None = None
        self._overflows = False

    async def run(self, inbox: Inbox[Item]) -> None:
        """Deliver until cancelled, then what is left within 1 s.

        Raises SinkError for an address, a token or a proxy that cannot be used.
        """
        # 15 MB that only a node with a webhook needs
        import aiohttp  # noqa: PLC0415

        if "@" in urlsplit(self._url).netloc:
            raise SinkError(f"{self._who}: webhook.url holds a user or a password; set webhook.token instead")
        headers = {"User-Agent": "blikk-edge", "Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._checked_token(self._token)}"
        proxy = _proxy(self._who, self._host, secure=self._secure)
        session = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            # else the environment's .netrc would take the place of our token
            trust_env=False,
        )
        async with session, asyncio.TaskGroup() as group:
            group.create_task(self._take(inbox), name="webhook.take")
            await self._deliver(self._post_by(session, proxy))

    def _checked_token(self, token: str) -> str:
        if re.fullmatch(r"[!-~]+", token) is None:
            raise SinkError(f"{self._who}: webhook.token holds a space or a letter that HTTP cannot carry; mend it")
        if not self._secure and not _is_here(self._host):
            LOG.warning("%s: webhook.token goes over the network unencrypted; use https", self._who)
        return token

    async def _take(self, inbox: Inbox[Item]) -> None:
        while True:
            item = await inbox.get()
            if not isinstance(item, self._kinds) or (isinstance(item, Answer) and not item.changed):
                continue
            if len(self._waiting) >= self._limit:
                if self._waiting.popleft() is not self._posting:
                    self.lost += 1
                if not self._overflows:
                    LOG.warning("%s: %d records wait; the oldest are given up from now on", self._who, self._limit)
                self._overflows = True
            self._serial += 1
            self._waiting.append(_Waiting(self._serial, item))
            self._arrived.set()

    async def _deliver(self, post: _Post) -> None:
        backoff, rests = Backoff(rng=self._rng), False
        try:
            while True:
                if not self._waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
                try:
                    await self._deliver_oldest(post)
                except _LaterError as error:
                    self._stale, rests = self._serial, True
                    await self._clock.sleep(max(backoff.next_s(), error.after_s))
                    rests = False
                else:
                    backoff.reset()
        finally:
            with contextlib.suppress(TimeoutError, _LaterError):
                async with asyncio.timeout(LEFT_S):
                    while self._waiting and not rests:
                        await self._deliver_oldest(post)
            if self._waiting:
                LOG.warning("%s: %d records were not delivered and are lost", self._who, len(self._waiting))
            self.lost += len(self._waiting)
            self._waiting.clear()

    async def _deliver_oldest(self, post: _Post) -> None:
        """Raises _LaterError, told already; the record stays in its place unless newer ones have pushed it out."""
        self._posting = waiting = self._waiting[0]
        message = encode(waiting.record, self._topics, replayed=waiting.serial <= self._stale)
        try:
            self._judge(waiting, *await post(message))
        except _RefusedError as error:
            self._went(str(error))
            self._pop(waiting)
            self.lost += 1
        except _LaterError as error:
            self._went(str(error))
            self.lost += waiting not in self._waiting
            raise
        else:
            self._pop(waiting)
            self._came()
        finally:
            self._posting = None

    def _pop(self, waiting: _Waiting) -> None:
        if self._waiting and self._waiting[0] is waiting:
            self._waiting.popleft()

    def _judge(self, waiting: _Waiting, status: int, retry_after: str) -> None:
        """Return where it was taken; raises _LaterError or _RefusedError."""
        text = f"{self._who}: it answers {status}"
        if 200 <= status < 300:
            return
        if status in _AWAY:
            asked_s = float(retry_after) if re.fullmatch(r"\d{1,9}", retry_after, re.ASCII) else 0.0
            raise _LaterError(text, after_s=min(asked_s, PATIENCE_MAX_S))
        if status >= 500:
            waiting.tries += 1
            if waiting.tries < TRIES:
                raise _LaterError(text)
            raise _RefusedError(f"{text} to a record {TRIES} times; it is given up")
        moved = "; redirects are not followed: set webhook.url to where it leads" if 300 <= status < 400 else ""
        raise _RefusedError(f"{text}{_HINTS.get(status, moved)}")

    def _came(self) -> None:
        if self.problem is not None:
            works = "works again" if self._worked else "works now"
            LOG.info("%s: %s; %d records were given up since start", self._who, works, self.lost)
        self.problem, self._overflows, self._worked = None, False, True

    def _went(self, problem: str) -> None:
        if self.problem != problem:
            LOG.warning("%s", problem)
        self.problem = problem

    def _post_by(self, session: "ClientSession", proxy: str | None) -> _Post:
        import aiohttp  # noqa: PLC0415  # see run

        async def post(message: Message) -> tuple[int, str]:
            # the topic says what the body is and whose; a header holds ASCII only
            headers = {"Blikk-Topic": quote(message.topic, safe="/")}
            try:
                async with session.post(
                    self._url, data=message.payload, headers=headers, allow_redirects=False, proxy=proxy
                ) as response:
                    return response.status, response.headers.get("Retry-After", "")
            except TimeoutError as error:
                raise _LaterError(f"{self._who}: no answer within {self._timeout_s:g} s") from error
            except (aiohttp.ClientError, OSError) as error:
                raise _LaterError(f"{self._who}: {_reason(error)}") from error

        return post


def _reason(error: Exception) -> str:
    """Why it could not be reached, in words that hold no URL."""
    import aiohttp  # noqa: PLC0415  # see run

    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not trusted ({error.certificate_error})"
        case aiohttp.ClientConnectorError(os_error=OSError() as cause):
            return f"cannot connect: {cause.strerror or type(cause).__name__}"
        case aiohttp.ServerDisconnectedError():
            return "it hung up without an answer"
        case OSError() if error.strerror:
            return f"the connection broke: {error.strerror}"
        case _:
            return f"what it answers is no HTTP ({type(error).__name__})"


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _proxy(who: str, host: str, *, secure: bool) -> str | None:
    """The environment's proxy for `host`; none for this machine. Raises SinkError for a kind that is not spoken."""
    proxy = getproxies().get("https" if secure else "http")
    if proxy is None or _is_here(host) or proxy_bypass(host):
        return None
    if urlsplit(proxy).scheme not in {"http", "https"}:
        raise SinkError(f"{who}: the environment names a proxy that is not http; name the host in no_proxy, or mend it")
    return proxy
