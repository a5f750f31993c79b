"""What a camera answers, read from XML that may be anything: bounded in bytes, elements and depth, without a DTD."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import MAXYEAR, UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from blikk_edge.core.errors import SourceError

BYTES_MAX: Final = 512 * 1024
ELEMENTS_MAX: Final = 10_000
DEPTH_MAX: Final = 40
PARAMETERS_MAX: Final = 8192
"""So many characters a camera's own mark of a subscription has, at most: they are sent back with each request."""

NO_XML: Final = "what it answers is no ONVIF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One event that a camera reports.

    Attributes:
        topic: As it is written.
        operation: `Initialized`, `Changed` or `Deleted`; empty for what is no property.
        source: Names and values that say which part of the camera it is of, sorted.
        values: The values of its data, in lower case.
        at: When, as the camera writes it.
    """

    topic: str
    operation: str = ""
    source: tuple[tuple[str, str], ...] = ()
    values: tuple[str, ...] = ()
    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """A subscription that was made.

    Attributes:
        address: Where it is asked, as the camera writes it.
        parameters: XML that goes into the header of each request to it (WS-Addressing, reference parameters).
        left_s: How long it is kept; None where the camera does not say.
    """

    address: str
    parameters: str = field(default="", repr=False)
    left_s: float | None = None


class _Bounded(TreeBuilder):
    """Builds a tree until it is too large."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._elements = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        """An element begins; raises SourceError."""
        self._depth += 1
        self._elements += 1
        if self._depth > DEPTH_MAX or self._elements > ELEMENTS_MAX:
            raise SourceError("what it answers is too large, or nested too deeply, for ONVIF")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        """An element ends."""
        self._depth -= 1
        return super().end(tag)


def tree(content: bytes) -> Element:
    """The tree of a SOAP answer; raises SourceError for everything that is none."""
    defused = importlib.import_module("defusedxml.ElementTree")
    parser = defused.DefusedXMLParser(target=_Bounded(), forbid_dtd=True)
    try:
        parser.feed(content)
        root = parser.close()
    except (ParseError, ValueError, LookupError):
        # what defusedxml forbids is a ValueError, an encoding that is not known a LookupError
        raise SourceError(NO_XML) from None
    if not isinstance(root, Element) or local(root) != "Envelope":
        raise SourceError(NO_XML)
    return root


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def every(root: Element, name: str) -> Iterator[Element]:
    """All elements of that local name, in order."""
    return (element for element in root.iter() if local(element) == name)


def text_of(root: Element, name: str) -> str:
    """The text of the first element of that local name; empty where there is none."""
    found = next(every(root, name), None)
    return (found.text or "").strip() if found is not None else ""


def fault(root: Element) -> str | None:
    """The codes and reason of a fault, in one text that is never shown; None where it is none."""
    found = next(every(root, "Fault"), None)
    if found is None:
        return None
    words = ("Value", "Text", "faultcode", "faultstring")
    return " ".join((each.text or "").strip() for each in found.iter() if local(each) in words)


def notices(root: Element) -> tuple[Notice, ...]:
    """The events of an answer to PullMessages."""
    found = (_notice(message) for message in every(root, "NotificationMessage"))
    return tuple(notice for notice in found if notice is not None)


def left_s(root: Element) -> float | None:
    """How long a subscription is kept, by the camera's own clock, of any answer that says so; else None."""
    now, end = _moment(text_of(root, "CurrentTime")), _moment(text_of(root, "TerminationTime"))
    left = (end - now).total_seconds() if now is not None and end is not None else 0.0
    return left if left > 0 else None


def subscribed(root: Element) -> Subscribed:
    """The answer to CreatePullPointSubscription; raises SourceError where it names no address."""
    reference = next(every(root, "SubscriptionReference"), None)
    address = text_of(reference, "Address") if reference is not None else ""
    if reference is None or not address:
        raise SourceError("it gives no address for its events")
    return Subscribed(address=address, parameters=_parameters(reference), left_s=left_s(root))


def services(root: Element) -> dict[str, str]:
    """Addresses of services, as the camera writes them: `events` and `device`, of GetServices or GetCapabilities."""
    found: dict[str, str] = {}
    for service in every(root, "Service"):
        kind = text_of(service, "Namespace").lower()
        for name in ("events", "device"):
            if f"/{name}/wsdl" in kind:
                found[name] = text_of(service, "XAddr")
    for element in (*every(root, "Events"), *every(root, "Device")):
        if address := text_of(element, "XAddr"):
            found.setdefault(local(element).lower(), address)
    return {name: address for name, address in found.items() if address}


def camera_time(root: Element) -> datetime | None:
    """What a camera's clock shows, of its answer to GetSystemDateAndTime; None for what can be no time."""
    utc = next(every(root, "UTCDateTime"), None)
    if utc is None:
        return None
    parts = [text_of(utc, name) for name in ("Year", "Month", "Day", "Hour", "Minute", "Second")]
    try:
        time = datetime(*(int(part) for part in parts), tzinfo=UTC)  # type: ignore[arg-type, misc]  # six numbers
    except (ValueError, OverflowError):
        return None
    return time if time.year < MAXYEAR else None


def _moment(text: str) -> datetime | None:
    """A time as XML writes it; one without an offset counts as UTC; None where it is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _notice(message: Element) -> Notice | None:
    topic = text_of(message, "Topic")
    # `Message` of WS-Notification holds one of ONVIF's
    inner = next((each for each in every(message, "Message") if "UtcTime" in each.attrib or _has_items(each)), None)
    if not topic or inner is None:
        return None
    source, data = (next((each for each in inner.iter() if local(each) == name), None) for name in ("Source", "Data"))
    return Notice(
        topic=topic[:300],
        operation=inner.attrib.get("PropertyOperation", ""),
        source=tuple(sorted(_items(source))),
        values=tuple(value.strip().lower() for _, value in _items(data)),
        at=inner.attrib.get("UtcTime", "")[:64],
    )


def _has_items(message: Element) -> bool:
    return any(local(child) in {"Source", "Data", "Key"} for child in message)


def _items(part: Element | None) -> list[tuple[str, str]]:
    if part is None:
        return []
    return [
        (each.attrib.get("Name", "")[:100], each.attrib.get("Value", "")[:100]) for each in every(part, "SimpleItem")
    ]


def _parameters(reference: Element) -> str:
    """What a subscription is known by besides its address, as XML."""
    defused = importlib.import_module("defusedxml.ElementTree")
    written = []
    for holder in (*every(reference, "ReferenceParameters"), *every(reference, "ReferenceProperties")):
        for child in holder:
            child.set("{http://www.w3.org/2005/08/addressing}IsReferenceParameter", "true")
            child.tail = None
            written.append(defused.tostring(child, encoding="unicode"))
    text = "".join(written)
    if len(text) > PARAMETERS_MAX:
        raise SourceError("what it wants to have sent back is too large")
    return text
