"""The webhook: records posted to a web address, as the JSON that MQTT carries."""

import asyncio
import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from blikk_edge.core.errors import SinkError
from blikk_edge.core.loopback import is_loopback
from blikk_edge.core.ports import DurableSink, Pending, Sink
from blikk_edge.core.summary import Answer
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret, SecretAddress
from blikk_edge.grammar.values import SECRET, WEB_ADDRESS, ListOf, Scalar, choice
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.certificates import untrusted_by_system
from blikk_edge.net.tls import client_context
from blikk_edge.wire.messages import Message, encode
from blikk_edge.wire.topics import Topics

if TYPE_CHECKING:
    from aiohttp import ClientSession

LOG = logging.getLogger("blikk.webhook")

TRIES: Final = 10
"""Of one record with a server that fails on it: some three minutes, then it may be the record's fault."""
PATIENCE_MAX_S: Final = 300.0

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


class WebhookUrl(SecretAddress):
    """A web address without user and query. Shows only its scheme, host and port: the path may itself be a secret."""

    __slots__ = ()

    @property
    def public(self) -> str:
        """The address as it may be shown and logged."""
        parts = urlsplit(self.reveal())
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOptions:
    """Where records are posted to.

    Attributes:
        url: The web address; each record is one POST of the JSON that MQTT carries.
        token: Sent as `Authorization: Bearer`; None: no such header.
        tell: The kinds of records that are posted; of answers only those that changed.
    """

    url: WebhookUrl
    token: Secret | None = None
    tell: tuple[str, ...] = ("answer",)


class WebhookSink:
    """Posts the records named in `tell` (of answers those that changed) to `url`, in order, one at a time.

    `token` is sent as `Authorization: Bearer`; the MQTT topic as `Blikk-Topic`. `timeout_s` bounds each try in all. A
    record that is refused (4xx; 3xx, as redirects are not followed) is given up at once. Neither the token nor the path
    of the URL, which may be a secret too, is ever logged.
    """

    name = "webhook"
    batch = 1

    def __init__(
        self,
        url: str,
        *,
        topics: Topics,
        token: str | None = None,
        tell: Collection[str] = ("answer",),
        timeout_s: float = 10.0,
    ) -> None:
        parts = urlsplit(url)
        self.takes = frozenset(tell)
        self._who = f"webhook {parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._host = parts.hostname or ""
        self._secure = parts.scheme == "https"
        self._url = url
        self._topics = topics
        self._token = token
        self._timeout_s = timeout_s
        self._session: ClientSession | None = None
        self._proxy: str | None = None
        self._failing: tuple[int, int] = (0, 0)
        """The number of the record that the server fails on, and how often it did."""

    def __repr__(self) -> str:
        return f"WebhookSink({self._who})"

    async def open(self) -> None:
        """Raises SinkError for an address, a token or a proxy that cannot be used."""
        if self._session is not None:
            return
        # 15 MB that only a node with a webhook needs
        import aiohttp  # noqa: PLC0415

        if "@" in urlsplit(self._url).netloc:
            raise SinkError(f"{self._who}: webhook.url holds a user or a password; set webhook.token instead")
        headers = {"User-Agent": "blikk-edge", "Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._checked_token(self._token)}"
        self._proxy = _proxy(self._who, self._host, secure=self._secure)
        trusted = await asyncio.to_thread(client_context) if self._secure else True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trusted),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            # else the environment's .netrc would take the place of our token
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, batch: Sequence[Pending]) -> None:
        """Post each; raises SinkError at the first that was not taken."""
        taken: list[int] = []
        for pending in batch:
            record = pending.record
            if not (isinstance(record, Answer) and not record.changed):
                try:
                    await self._post(pending)
                except SinkError as error:
                    raise SinkError(str(error), after_s=error.after_s, taken=taken, refused=error.refused) from error
            taken.append(pending.seq)

    async def _post(self, pending: Pending) -> None:
        message = encode(pending.record, self._topics, replayed=pending.replayed)
        status, retry_after = await self._answer(message)
        text = f"{self._who}: it answers {status}"
        if 200 <= status < 300:
            return
        if status in _AWAY:
            asked_s = float(retry_after) if re.fullmatch(r"\d{1,9}", retry_after, re.ASCII) else 0.0
            raise SinkError(text, after_s=min(asked_s, PATIENCE_MAX_S) or None)
        refused = (pending.seq,)
        if status >= 500:
            failing, tries = self._failing
            self._failing = pending.seq, tries + 1 if failing == pending.seq else 1
            if self._failing[1] < TRIES:
                raise SinkError(text)
            raise SinkError(f"{text} to a record {TRIES} times; it is given up", refused=refused)
        moved = "; redirects are not followed: set webhook.url to where it leads" if 300 <= status < 400 else ""
        raise SinkError(f"{text}{_HINTS.get(status, moved)}", refused=refused)

    async def _answer(self, message: Message) -> tuple[int, str]:
        """Post it; status and Retry-After of the answer. Raises SinkError."""
        import aiohttp  # noqa: PLC0415  # see open

        assert self._session is not None  # opened before
        # the topic says what the body is and whose; a header holds ASCII only
        headers = {"Blikk-Topic": quote(message.topic, safe="/")}
        try:
            async with self._session.post(
                self._url, data=message.payload, headers=headers, allow_redirects=False, proxy=self._proxy
            ) as response:
                return response.status, response.headers.get("Retry-After", "")
        except TimeoutError as error:
            raise SinkError(f"{self._who}: no answer within {self._timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise SinkError(f"{self._who}: {await untrusted_by_system(error, self._url) or _reason(error)}") from error

    def _checked_token(self, token: str) -> str:
        if re.fullmatch(r"[!-~]+", token) is None:
            raise SinkError(f"{self._who}: webhook.token holds a space or a letter that HTTP cannot carry; mend it")
        if not self._secure and not is_loopback(self._host):
            LOG.warning("%s: webhook.token goes over the network unencrypted; use https", self._who)
        return token


def _reason(error: Exception) -> str:
    """Why it could not be reached, in words that hold no URL."""
    import aiohttp  # noqa: PLC0415  # see open

    match error:
        case aiohttp.ClientConnectorError(os_error=OSError() as cause):
            return f"cannot connect: {cause.strerror or type(cause).__name__}"
        case aiohttp.ServerDisconnectedError():
            return "it hung up without an answer"
        case OSError() if error.strerror:
            return f"the connection broke: {error.strerror}"
        case _:
            return f"what it answers is no HTTP ({type(error).__name__})"


def _proxy(who: str, host: str, *, secure: bool) -> str | None:
    """The environment's proxy for `host`; none for this machine. Raises SinkError for a kind that is not spoken."""
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  # 2 MB that only a node with a webhook needs

    proxy = getproxies().get("https" if secure else "http")
    if proxy is None or is_loopback(host) or proxy_bypass(host):
        return None
    if urlsplit(proxy).scheme not in {"http", "https"}:
        raise SinkError(f"{who}: the environment names a proxy that is not http; name the host in no_proxy, or mend it")
    return proxy


def _webhook_url(text: str) -> WebhookUrl:
    return WebhookUrl(WEB_ADDRESS.read(text))


WEBHOOK_URL = Scalar(f"{WEB_ADDRESS.words}, its path kept secret", _webhook_url, secret=True)

OPTIONS = Section(
    of=WebhookOptions,
    plain="url",
    keys=(
        Key(name="url", value=WEBHOOK_URL, required=True, meaning="Where records are posted to, as on MQTT."),
        Key(name="token", value=SECRET, meaning="Sent as `Authorization: Bearer`."),
        Key(
            name="tell",
            value=ListOf(choice(("answer", "event", "ring", "summary"))),
            meaning="What is posted: of answers, which are those to the cameras' `questions`, the ones that changed.",
        ),
    ),
)


def _make(options: WebhookOptions, context: Context) -> WebhookSink:
    return WebhookSink(
        options.url.reveal(),
        topics=context.topics,
        token=options.token.reveal() if options.token else None,
        tell=options.tell,
    )


KIND: Kind[Context, Sink | DurableSink] = Kind(
    name="webhook", meaning="Posts records to a web address.", options=OPTIONS, make=_make
)
