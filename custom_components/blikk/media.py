"""The client of a node's HTTP API for redacted pictures of past events (`contract/media.md`)."""

import asyncio
import json
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import aiohttp
import certifi
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util import dt as dt_util
from yarl import URL

from . import reader
from .const import CONF_MEDIA_URL, CONF_TOKEN, CONF_VERIFY_SSL
from .contract import Announce, ContractError, JsonObject

LIMIT_S = 10.0
CLIP_S = 45.0  # a clip is made when it is asked for
LOOK_S = 3.0
HAS_EXPIRED = 10  # OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED
IGNORE_TIME = 0x200000  # its X509_V_FLAG_NO_CHECK_TIME, which the standard library has no name for
MAX_ANSWER_BYTES = reader.MAX_REPLY_BYTES
MAX_PICTURES = 500
MAX_EVENTS = 200
_EVENT = re.compile(r"[A-Za-z0-9_-]{1,160}")
_ID = re.compile(r"[A-Za-z0-9_.-]{1,300}")


class MediaError(Exception):
    """The node's pictures are not to be had; the text says why, without the token."""


class MediaTokenError(MediaError):
    """The token is missing or wrong."""


class MediaGoneError(MediaError):
    """What was asked for is not there, or no more."""


def media_url(announce: Announce, data: Mapping[str, Any]) -> str | None:
    """Where the pictures are: as the user said, else as the node announces; None where it has a server without them."""
    if announce.live_url is not None and "media" not in announce.capabilities:
        return None
    return data.get(CONF_MEDIA_URL) or announce.media_url


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPicture:
    """A picture of the past that the node has kept."""

    id: str
    camera: str
    name: str
    event: str | None
    time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEvent:
    """An event of the past: what is said of it, its pictures, newest first, and whether there is a recording."""

    id: str
    title: str
    words: str
    pictures: tuple[KeptPicture, ...]
    started: datetime | None = None
    clip: bool = False


class NodeMedia:
    """One node's pictures. Every call raises MediaError, or MediaTokenError or MediaGoneError of it."""

    def __init__(
        self, hass: HomeAssistant, announce: Announce, data: Mapping[str, Any], url: URL | None = None
    ) -> None:
        self._hass = hass
        self._session = async_get_clientsession(hass, verify_ssl=data.get(CONF_VERIFY_SSL, True))
        try:
            self._url = url or URL(media_url(announce, data) or "").with_query(None)
        except ValueError:
            raise MediaError("the address is none") from None
        token = data.get(CONF_TOKEN)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def async_node(self) -> None:
        """Ask for the node itself, which every node with a live view tells to who may look at it."""
        await self._async_get(self._url / "v1" / "node")

    async def async_days(self, camera: str) -> list[str]:
        """The days, ISO and in the node's local time, of which there are pictures; newest first."""
        days = [_text(item, "day") for item in await self._async_list("days", camera=camera)]
        return [day for day in days if is_day(day)]

    async def async_pictures(self, camera: str | None = None, day: str | None = None) -> list[KeptPicture]:
        """The newest pictures of a camera and a day, newest first."""
        return _pictures(await self._async_list("pictures", camera=camera, day=day, limit=str(MAX_PICTURES)))

    async def async_events(
        self,
        camera: str | None = None,
        *,
        label: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = MAX_EVENTS,
    ) -> list[KeptEvent]:
        """The newest events that began in `since <= t < until`, newest first."""
        items = await self._async_list(
            "events",
            camera=camera,
            label=label,
            since=since.isoformat() if since else None,
            until=until.isoformat() if until else None,
            limit=str(limit),
        )
        return [_event(item) for item in items]

    async def async_picture(self, picture: str) -> bytes:
        """The redacted JPEG of that id."""
        try:
            return reader.read_picture(await self._async_get(self._url / "v1" / "pictures" / picture))
        except ContractError as error:
            raise MediaError(str(error)) from None

    @asynccontextmanager
    async def async_clip(self, event: str, part: str | None) -> AsyncIterator[aiohttp.ClientResponse]:
        """The recording of that event, or the part of it that a `Range` names, as the node sends it."""
        headers = {**self._headers, **({"Range": part} if part else {})}
        try:
            async with self._session.get(
                self._url / "v1" / "events" / event / "clip",
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=LIMIT_S, sock_read=CLIP_S),
            ) as answer:
                if answer.status in (401, 403):
                    raise MediaTokenError("the token is missing or wrong")
                if answer.status == 404:
                    raise MediaGoneError("it is not there, or no more")
                if answer.status not in (200, 206, 416):
                    raise MediaError(f"the node answered {answer.status}")
                yield answer
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            raise MediaError(f"no connection: {type(error).__name__}") from None

    async def _async_list(self, what: str, **query: str | None) -> list[JsonObject]:
        given = {key: value for key, value in query.items() if value is not None}
        try:
            content = json.loads(await self._async_get((self._url / "v1" / what).with_query(given)))
        except ValueError, RecursionError:
            raise MediaError("the answer is not JSON") from None
        return _objects(content, what) if isinstance(content, dict) else []

    async def _async_get(self, url: URL) -> bytes:
        try:
            async with (
                asyncio.timeout(LIMIT_S),
                self._session.get(url, headers=self._headers, allow_redirects=False) as answer,
            ):
                if answer.status in (401, 403):
                    raise MediaTokenError("the token is missing or wrong")
                if answer.status == 404:
                    raise MediaGoneError("it is not there, or no more")
                if answer.status != 200:
                    raise MediaError(f"the node answered {answer.status}")
                body = bytearray()
                async for chunk in answer.content.iter_chunked(65536):
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        raise MediaError("the answer is too long")
                return bytes(body)
        except TimeoutError:
            raise MediaError("no answer in time") from None
        except aiohttp.ClientConnectorCertificateError as error:
            why = await self._async_why_untrusted(url, error.certificate_error)
            raise MediaError(f"no connection: {why}") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise MediaError(f"no connection: {type(error).__name__}") from None

    async def _async_why_untrusted(self, url: URL, error: Exception) -> str:
        """Why the node's certificate is not trusted, and how to mend it; of one that has expired since when."""
        if not isinstance(error, ssl.SSLCertVerificationError) or error.verify_code != HAS_EXPIRED:
            return "the certificate of the node is not trusted; turn off its check, or let a known authority sign it"
        try:
            since = await self._hass.async_add_executor_job(_valid_until, url.host or "", url.port or 443)
        except OSError, KeyError, ValueError:
            return "the certificate of the node has expired; renew it, and start the node again"
        return f"the certificate of the node has expired, on {since}; renew it, and start the node again"


def _valid_until(host: str, port: int) -> str:
    """Until when the certificate of a server is valid; raises OSError where that cannot be seen."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where())
    context.check_hostname = False
    context.verify_flags |= ssl.VerifyFlags(IGNORE_TIME)
    with (
        socket.create_connection((host, port), LOOK_S) as connection,
        context.wrap_socket(connection, server_hostname=host) as tls,
    ):
        ends = ssl.cert_time_to_seconds(str((tls.getpeercert() or {})["notAfter"]))
    return f"{datetime.fromtimestamp(ends, UTC):%Y-%m-%d %H:%M} UTC"


def is_event_id(text: str) -> bool:
    """Whether a text can be the id of an event, and nothing else in a path."""
    return _EVENT.fullmatch(text) is not None


def is_picture_id(text: str) -> bool:
    """Whether a text can be the id of a picture, and nothing else in a path."""
    return _ID.fullmatch(text) is not None and set(text) != {"."}


def is_day(text: str) -> bool:
    """Whether a text is a day like 2026-11-21."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _pictures(items: list[JsonObject]) -> list[KeptPicture]:
    return [
        KeptPicture(
            id=_text(item, "id"),
            camera=_text(item, "camera"),
            name=_text(item, "name"),
            event=_text(item, "event") or None,
            time=dt_util.parse_datetime(_text(item, "time")),
        )
        for item in items
        if is_picture_id(_text(item, "id"))
    ]


def _event(item: JsonObject) -> KeptEvent:
    summary, zones = item.get("summary"), item.get("zones")
    written = summary if isinstance(summary, dict) else {}
    names = [zone for zone in zones if isinstance(zone, str)] if isinstance(zones, list) else []
    words = [_text(written, "title"), _text(written, "text"), _text(item, "event_type"), _text(item, "label"), *names]
    return KeptEvent(
        id=_text(item, "id"),
        title=_text(written, "title"),
        words=" ".join(words),
        pictures=tuple(_pictures(_objects(item, "pictures"))),
        started=_moment(item, "started"),
        clip=isinstance(item.get("clip"), dict),
    )


def _moment(item: JsonObject, key: str) -> datetime | None:
    return dt_util.parse_datetime(_text(item, key))


def _objects(content: JsonObject, key: str) -> list[JsonObject]:
    items = content.get(key)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _text(item: JsonObject, key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""
