"""A camera that speaks ONVIF on loopback, with the faults of real ones; found by WS-Discovery as real ones are."""

import base64
import contextlib
import hashlib
import re
import socket
import struct
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from onvif_events import EventService

GROUP = "239.255.255.250"
PORT = 3702
SKEW_S = 300.0

SOAP = (
    '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:t="http://www.onvif.org/ver10/schema" xmlns:d="http://www.onvif.org/ver10/device/wsdl" '
    'xmlns:m="http://www.onvif.org/ver10/media/wsdl" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:w="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:e="http://www.onvif.org/ver10/error" '
    'xmlns:tev="http://www.onvif.org/ver10/events/wsdl" xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2" '
    'xmlns:tns1="http://www.onvif.org/ver10/topics" xmlns:wsrf-r="http://docs.oasis-open.org/wsrf/r-2">'
    "<s:Header>{head}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
)
REFUSED = (
    "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>e:NotAuthorized</s:Value></s:Subcode></s:Code>"
    "<s:Reason><s:Text>Sender not Authorized</s:Text></s:Reason></s:Fault>"
)


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One stream of the camera; `url` is what it says, be it wrong."""

    token: str
    width: int
    height: int
    url: str
    encoding: str = "H264"


@dataclass
class OnvifDevice:
    """A camera at `address`, asking for `user` and `password` where they are set.

    `clock` is how far its own clock is ahead; a login whose time is too far from it is refused, as real ones do. With
    `discovered` it answers searches on loopback. `events` are what it reports; None: it has no such service. With
    `events_elsewhere` they are at a port of their own. `redirects` sends everybody on to the same address for ever. It
    cannot stream the `broken` ones, and does not know operations that are `unknown`.
    """

    streams: list[Stream]
    user: str = ""
    password: str = ""
    clock: timedelta = timedelta()
    name: str = "Porch%20camera"
    discovered: bool = False
    endpoint: str = field(default_factory=lambda: f"urn:uuid:{uuid.uuid4()}")
    asked: list[str] = field(default_factory=list)
    body: str = ""  # answered to everything, where it is set
    port: int = 0
    events: EventService | None = None
    events_elsewhere: bool = False
    redirects: bool = False
    broken: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        device = self

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if device.redirects:
                    self.send_response(302)
                    self.send_header("Location", self.path)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if device.events_elsewhere and self.path.startswith("/event/") is (self.server is device._server):
                    self.send_error(404)
                    return
                status, text = device.answer(request, self.path)
                content = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/soap+xml")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with contextlib.suppress(OSError):  # who asked may be gone
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Answers)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._threads = [threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)]
        self._elsewhere: ThreadingHTTPServer | None = None
        if self.events is not None:
            self.events.clock = self.clock
            if self.events_elsewhere:
                self._elsewhere = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
                self._elsewhere.daemon_threads = True
                self._threads.append(threading.Thread(target=self._elsewhere.serve_forever, args=(0.05,), daemon=True))
                self.events.at = f"10.99.99.99:{self._elsewhere.server_address[1]}"
        self._radio: socket.socket | None = None
        if self.discovered:
            self._radio = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._radio.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._radio.bind(("", PORT))
            joined = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton("127.0.0.1"))
            self._radio.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
            self._radio.settimeout(0.1)
            self._threads.append(threading.Thread(target=self._answer_searches, daemon=True))
        self._ended = threading.Event()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self.events is not None:
            self.events.restart()
        for server in (self._server, self._elsewhere):
            if server is not None:
                server.shutdown()
                server.server_close()
        for thread in self._threads:
            thread.join(10)
        if self._radio is not None:
            self._radio.close()

    @property
    def address(self) -> str:
        """`onvif://`, with user and password where it asks for them."""
        login = f"{self.user}:{self.password}@" if self.user else ""
        return f"onvif://{login}127.0.0.1:{self.port}"

    def answer(self, request: str, path: str = "") -> tuple[int, str]:
        """What it answers to a request: status and body."""
        found = re.search(r"<(?:[\w-]+:)?Body[^>]*>\s*<(?:[\w-]+:)?(\w+)", request)
        operation = found[1] if found else ""
        self.asked.append(operation)
        if self.body:
            return 200, self.body
        if operation == "GetSystemDateAndTime":
            return 200, _envelope(self._time())
        if self.user and not self._knows(request):
            return 400, _envelope(REFUSED)
        answers = {
            "GetServices": self._services,
            "GetCapabilities": self._capabilities,
            "GetDeviceInformation": lambda: (
                "<d:GetDeviceInformationResponse><d:Manufacturer>Acme</d:Manufacturer><d:Model>Eye 2</d:Model>"
                "</d:GetDeviceInformationResponse>"
            ),
            "GetEndpointReference": lambda: (
                f"<d:GetEndpointReferenceResponse><d:GUID>{self.endpoint}</d:GUID></d:GetEndpointReferenceResponse>"
            ),
            "GetProfiles": self._profiles,
            "GetStreamUri": lambda: self._uri(request),
        }
        if self.events is not None and (said := self.events.answer(operation, request, path)) is not None:
            return (400 if "<s:Fault>" in said else 200), _envelope(said)
        if operation not in answers or operation in self.unknown:
            fault = "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>e:ActionNotSupported</s:Value>"
            return 500, _envelope(f"{fault}</s:Subcode></s:Code></s:Fault>")
        return 200, _envelope(answers[operation]())

    @property
    def _services_here(self) -> tuple[str, ...]:
        return ("device", "media", "events") if self.events is not None else ("device", "media")

    def _capabilities(self) -> str:
        said = "".join(
            f"<t:{name.title()}><t:XAddr>http://10.99.99.99/onvif/{name}_service</t:XAddr></t:{name.title()}>"
            for name in self._services_here
        )
        return f"<d:GetCapabilitiesResponse><d:Capabilities>{said}</d:Capabilities></d:GetCapabilitiesResponse>"

    def _services(self) -> str:
        # as cameras behind a router do: with an address that nobody else reaches
        services = "".join(
            f"<d:Service><d:Namespace>http://www.onvif.org/ver10/{name}/wsdl</d:Namespace>"
            f"<d:XAddr>http://10.99.99.99/onvif/{name}_service</d:XAddr></d:Service>"
            for name in self._services_here
        )
        return f"<d:GetServicesResponse>{services}</d:GetServicesResponse>"

    def _profiles(self) -> str:
        profiles = "".join(
            f'<m:Profiles token="{each.token}"><t:Name>{each.token}</t:Name><t:VideoSourceConfiguration token="v"/>'
            f'<t:VideoEncoderConfiguration token="{each.token}"><t:Encoding>{each.encoding}</t:Encoding><t:Resolution>'
            f"<t:Width>{each.width}</t:Width><t:Height>{each.height}</t:Height></t:Resolution><t:RateControl>"
            "<t:FrameRateLimit>15</t:FrameRateLimit></t:RateControl></t:VideoEncoderConfiguration></m:Profiles>"
            for each in self.streams
        )
        return f"<m:GetProfilesResponse>{profiles}</m:GetProfilesResponse>"

    def _uri(self, request: str) -> str:
        if any(f">{token}<" in request for token in self.broken):
            return REFUSED.replace("NotAuthorized", "IncompleteConfiguration").replace("not Authorized", "is early")
        url = next(each.url for each in self.streams if f">{each.token}<" in request)
        return f"<m:GetStreamUriResponse><m:MediaUri><t:Uri>{url}</t:Uri></m:MediaUri></m:GetStreamUriResponse>"

    def _time(self) -> str:
        now = datetime.now(UTC) + self.clock
        return (
            "<d:GetSystemDateAndTimeResponse><d:SystemDateAndTime><t:UTCDateTime><t:Time>"
            f"<t:Hour>{now.hour}</t:Hour><t:Minute>{now.minute}</t:Minute><t:Second>{now.second}</t:Second></t:Time>"
            f"<t:Date><t:Year>{now.year}</t:Year><t:Month>{now.month}</t:Month><t:Day>{now.day}</t:Day></t:Date>"
            "</t:UTCDateTime></d:SystemDateAndTime></d:GetSystemDateAndTimeResponse>"
        )

    def _knows(self, request: str) -> bool:
        """Whether a request carries the right login: the password's digest, of a time near to ours (WS-Security)."""
        given = {
            name: found[1] for name in ("Username", "Password", "Nonce", "Created")
            if (found := re.search(rf"<(?:[\w-]+:)?{name}(?:\s[^>]*)?>([^<]*)<", request))
        }  # fmt: skip
        if len(given) < 4 or given["Username"] != self.user:
            return False
        at = datetime.fromisoformat(given["Created"])
        if abs((at - datetime.now(UTC) - self.clock).total_seconds()) > SKEW_S:
            return False
        said = base64.b64decode(given["Nonce"]) + given["Created"].encode() + self.password.encode()
        return base64.b64encode(hashlib.sha1(said).digest()).decode() == given["Password"]

    def _answer_searches(self) -> None:
        assert self._radio is not None
        while not self._ended.is_set():
            try:
                request, who = self._radio.recvfrom(65535)
            except TimeoutError:
                continue
            found = re.search(r"MessageID>([^<]*)<", request.decode(errors="replace"))
            head = f"<a:RelatesTo>{found[1] if found else ''}</a:RelatesTo>"
            match = (
                f"<w:ProbeMatches><w:ProbeMatch><a:EndpointReference><a:Address>{self.endpoint}</a:Address>"
                "</a:EndpointReference><w:Types>dn:NetworkVideoTransmitter</w:Types>"
                f"<w:Scopes>onvif://www.onvif.org/name/{self.name} onvif://www.onvif.org/hardware/Eye</w:Scopes>"
                f"<w:XAddrs>http://169.254.7.7/onvif/device_service http://127.0.0.1:{self.port}/onvif/device_service"
                "</w:XAddrs><w:MetadataVersion>1</w:MetadataVersion></w:ProbeMatch></w:ProbeMatches>"
            )
            self._radio.sendto(_envelope(match, head).encode(), who)


def _envelope(body: str, head: str = "") -> str:
    return SOAP.format(head=head, body=body)
