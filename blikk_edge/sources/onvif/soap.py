"""Requests to one camera that speaks ONVIF, one at a time, each within limits."""

import asyncio
import importlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import Element

from blikk_edge.core.errors import SourceError
from blikk_edge.sources.address import Address
from blikk_edge.sources.onvif.device import SERVICE, library
from blikk_edge.sources.onvif.soap_xml import BYTES_MAX, NO_XML, camera_time, fault, services, text_of, tree

CONTENT_TYPE: Final = "application/soap+xml; charset=utf-8"

_NOT_ALLOWED: Final = re.compile(r"notauthori[sz]ed|not authori[sz]ed|failedauthentication", re.IGNORECASE)
_UNKNOWN: Final = re.compile(
    r"not ?implemented|not ?supported|optionalaction|unknownaction|method not found", re.IGNORECASE
)


class WrongLoginError(SourceError):
    """The camera does not take user and password."""


class UnsupportedError(SourceError):
    """The camera does not do what it is asked for, and will not tomorrow."""


class FaultError(SourceError):
    """The camera refuses a request; what it is about may be gone."""


class UnreachableError(SourceError):
    """Nobody answers at an address."""


class SoapClient:
    """Asks a camera at an `onvif://` address; raises SourceError, whose words name neither camera nor address.

    User and password go to that host alone, whatever addresses the camera names, and by the camera's own clock. No
    redirect is followed.
    """

    def __init__(self, address: Address, *, timeout_s: float) -> None:
        self.ahead_s = 0.0
        self._address = address
        self.bodies: Any = library().envelopes  # what is asked, as XML
        self._httpx: Any = importlib.import_module("httpx")
        self._user, self._password = (each.decode(errors="replace") for each in address.login or (b"", b""))
        self._timeout_s = timeout_s
        self._login: Any = None  # of HTTP, where the camera wants it besides that of SOAP
        # each request has a connection of its own: cameras forget idle ones without a word
        self._http = self._httpx.AsyncClient(
            verify=False,  # a camera makes its certificate itself
            follow_redirects=False,
            trust_env=False,
            limits=self._httpx.Limits(max_connections=4, max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Let go of all connections."""
        await self._http.aclose()

    @property
    def now(self) -> datetime:
        """What the camera's clock shows."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)

    @property
    def service(self) -> str:
        """The address of the device service."""
        target = self._address.target or SERVICE
        return Address(scheme="http", host=self._address.host, port=self._address.port_number, target=target).url

    async def set_clock(self) -> None:
        """See how far the camera's clock is ahead; one that does not say is taken to be right."""
        try:
            answer = await self._post(self.service, self.bodies.device_get_system_date_time(), login=False)
        except UnreachableError:
            raise
        except SourceError:
            return
        if (time := camera_time(answer)) is not None:
            self.ahead_s = (time - datetime.now(UTC)).total_seconds()

    async def identity(self) -> str:
        """What it calls itself on the network; empty where it does not say."""
        try:
            return text_of(await self.ask(self.service, self.bodies.device_get_endpoint_reference()), "GUID")
        except (FaultError, UnsupportedError):
            return ""

    async def services(self) -> Mapping[str, str]:
        """Addresses of its services, as it writes them: `events`, `device`."""
        bodies = (self.bodies.device_get_services(), self.bodies.device_get_capabilities())
        found: Mapping[str, str] = {}
        for body in bodies:
            try:
                found = services(await self.ask(self.service, body))
            except (FaultError, UnsupportedError):
                continue
            if "events" in found:
                break
        return found

    async def ask(
        self, url: str, body: str, *, action: str = "", to: str = "", parameters: str = "", wait_s: float = 0.0
    ) -> Element:
        """The answer to a request, which may take `wait_s` longer than others.

        `action`, `to` and `parameters` are those of WS-Addressing, where it is wanted.
        """
        return await self._post(url, body, action=action, to=to, parameters=parameters, wait_s=wait_s, login=True)

    def reachable(self, reported: str, *, own: str) -> tuple[str, ...]:
        """Where to try an address that the camera names; `own` is what it says of its device service, or empty.

        A camera behind a router or in a container names a host, and often a port, that nobody else reaches: the host is
        always that by which it was reached. Where it names another port than its own, that one comes first.
        """
        here = self.service
        try:
            parts = urlsplit(urljoin(own or here, reported))
            port = parts.port or (443 if parts.scheme == "https" else 80)
            own_parts = urlsplit(own or here)
            own_port = own_parts.port or (443 if own_parts.scheme == "https" else 80)
        except ValueError:
            raise SourceError("it names an address that cannot be read") from None
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        ours = self._address.port_number
        ports = (ours,) if port in {own_port, ours} else (port, ours)
        return tuple(
            Address(scheme="http", host=self._address.host, port=each, target=target or "/").url for each in ports
        )

    async def _post(
        self,
        url: str,
        body: str,
        *,
        action: str = "",
        to: str = "",
        parameters: str = "",
        wait_s: float = 0.0,
        login: bool,
    ) -> Element:
        envelope = self.bodies.build_envelope(
            body,
            username=self._user if login else "",
            password=self._password if login else "",
            wsa_action=action,
            wsa_to=to,
            clock_offset_s=self.ahead_s,
        )
        if parameters:
            envelope = envelope.replace("</s:Header>", f"{parameters}</s:Header>", 1)
        status, content, challenge = await self._sent(url, envelope, wait_s)
        if status == 401 and login and (auth := self._answer_to(challenge)) is not None:
            self._login = auth
            status, content, _ = await self._sent(url, envelope, wait_s)
        return self._read(status, content)

    async def _sent(self, url: str, envelope: str, wait_s: float) -> tuple[int, bytes, str]:
        """Status, body and challenge of one answer."""
        limits = self._httpx.Timeout(self._timeout_s, read=self._timeout_s + wait_s)
        content = bytearray()
        try:
            async with (
                asyncio.timeout(2 * self._timeout_s + wait_s),
                self._http.stream(
                    "POST",
                    url,
                    content=envelope.encode(),
                    headers={"Content-Type": CONTENT_TYPE, "Connection": "close"},
                    timeout=limits,
                    auth=self._login,
                ) as answer,
            ):
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > BYTES_MAX:
                        raise SourceError(f"it answers more than {BYTES_MAX // 1024} kB")
                return answer.status_code, bytes(content), answer.headers.get("WWW-Authenticate", "")
        except (self._httpx.ConnectError, self._httpx.ConnectTimeout):
            raise UnreachableError("nobody answers; check host and port, and that ONVIF is switched on") from None
        except (self._httpx.TimeoutException, TimeoutError):
            raise SourceError("it does not answer in time") from None
        except (self._httpx.HTTPError, self._httpx.InvalidURL) as error:
            raise SourceError(f"the connection broke off ({type(error).__name__})") from None

    def _answer_to(self, challenge: str) -> Any:
        """The login that HTTP asks for; None where there is none, or it was given already."""
        if self._login is not None or not self._user:
            return None
        words = challenge.lower()
        if "digest" in words:
            return self._httpx.DigestAuth(self._user, self._password)
        return self._httpx.BasicAuth(self._user, self._password) if "basic" in words else None

    def _read(self, status: int, content: bytes) -> Element:
        if status == 401:
            raise self._wrong_login()
        if 300 <= status < 400:
            raise SourceError("it redirects to another address, which is not followed; name that one")
        try:
            root = tree(content)
        except SourceError as error:
            if status >= 400 and str(error) == NO_XML:
                raise FaultError(f"it answers {status}") from None
            raise
        if (why := fault(root)) is not None:
            if _NOT_ALLOWED.search(why):
                raise self._wrong_login()
            if _UNKNOWN.search(why):
                raise UnsupportedError("it does not support what it is asked for")
            raise FaultError("it refuses what it is asked for")
        if status >= 400:
            raise FaultError(f"it answers {status}")
        return root

    def _wrong_login(self) -> WrongLoginError:
        why = "user or password is wrong" if self._user else "it asks for a user and a password"
        return WrongLoginError(
            f"{why}; some cameras have users of their own for ONVIF, made in their web page, or users who may not see "
            "events"
        )
