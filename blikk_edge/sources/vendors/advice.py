"""What a vendor's entry has to say about an address: when it fails, before it fails, and when it is opened."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from blikk_edge.sources.address import Address, AddressError, parse, scheme_of
from blikk_edge.sources.vendors.table import GENERIC, Vendor, When, vendor_of, vendors

SUBS_MOST: Final = 2


def when_failed(address: Address, when: When, *, server: str = "", realm: str = "") -> str:
    """What helps against a failure of this address, in words without any part of it; empty where nothing is known."""
    vendor = vendor_of(address, server=server, realm=realm)
    if vendor is None:
        return _joined(vendors()[GENERIC].said(when)) if address.scheme.startswith("rtsp") else ""
    said = list(vendor.said(when))
    if when in {When.NOT_FOUND, When.OPEN} and not is_sub(vendor, address) and (subs := vendor.subs(address)):
        said.insert(0, f"its sub-stream is `{'` or `'.join(subs[:SUBS_MOST])}`")
    return f"{vendor.name}: {_joined(said)}" if said else ""


def before(text: str) -> Iterator[str]:
    """What is worth knowing about a camera's address before it is opened."""
    address = _parsed(text)
    if address is None or address.scheme == "onvif":
        return
    for vendor, part in _dropped(address):
        yield f"`{part.removeprefix('#')}` is left out of the address, which {vendor.name} put there for itself"
    vendor_here = vendor_of(address)
    if vendor_here is None:
        return
    if is_main(vendor_here, address) and (subs := vendor_here.subs(address)):
        yield f"this is the main stream of {vendor_here.name}; its sub-stream is enough to watch: `{subs[0]}`"
    for said in vendor_here.said(When.CHECK):
        yield f"{vendor_here.name}: {said}"


def is_main(vendor: Vendor, address: Address) -> bool:
    """Whether this is the address of a main stream that has a smaller one beside it."""
    mains = (each.main for each in vendor.streams if each.sub is not None and each.tells)
    return not is_sub(vendor, address) and any(main.match(address) is not None for main in mains)


def is_sub(vendor: Vendor, address: Address) -> bool:
    """Whether this is the address of a sub-stream."""
    return any(each.sub is not None and each.sub.match(address) is not None for each in vendor.streams)


def opened(text: str) -> str:
    """The address that is to be opened: without what is known to make the stream of its vendor unreadable."""
    if "?" not in text and "#" not in text:
        return text
    address = _parsed(text)
    if address is None or not (dropped := [part for _, part in _dropped(address)]):
        return text
    # behind a # there are only options of a program that reads addresses of its own kind
    path, mark, query = address.target.partition("#")[0].partition("?")
    kept = [each for each in query.split("&") if _key(each) not in dropped]
    target = path + (mark + "&".join(kept) if any(kept) else "")
    return replace(address, target=target).url


def other_scheme(text: str) -> str:
    """How the scheme of an address that another program understands is written here; empty for any other."""
    scheme = scheme_of(text)
    return next((each.schemes[scheme] for each in vendors().values() if scheme in each.schemes), "") if scheme else ""


def meant(address: Address, content: bytes) -> When | None:
    """The status that is meant by what a camera sends with 200 instead of a picture; None where that is not known."""
    vendor = vendor_of(address)
    text = content[:4096].decode("latin-1").replace(" ", "")
    answers = () if vendor is None else vendor.answers
    return next((when for has, when in answers if has.replace(" ", "") in text), None)


class Advice:
    """Words for failures of one RTSP address; asks its server once what it is, where the address does not tell.

    `ask` gives what the server calls itself, and the realm that it names.
    """

    def __init__(self, text: str, ask: Callable[[threading.Event], tuple[str, str]]) -> None:
        self._address = _parsed(text)
        self._ask = ask
        self._server: tuple[str, str] | None = None

    def __call__(self, when: When, stop: threading.Event) -> str:
        """What helps against this failure; empty where nothing is known."""
        if self._address is None:
            return ""
        if self._server is None and when is not When.REFUSED and vendor_of(self._address) is None:
            self._server = self._ask(stop)
        server, realm = self._server or ("", "")
        return when_failed(self._address, when, server=server, realm=realm)


def _dropped(address: Address) -> Iterator[tuple[Vendor, str]]:
    """Each part of an address that is taken out, and whose it is."""
    target, _, fragment = address.target.partition("#")
    options = {f"#{_key(each)}" for each in fragment.split("#") if each}
    parameters = {_key(each) for each in target.partition("?")[2].split("&") if each}
    owner = vendor_of(address)
    for vendor in vendors().values():
        for part in vendor.drop:
            if part in options or (vendor is owner and part in parameters):
                yield vendor, part


def _key(parameter: str) -> str:
    return unquote(parameter.partition("=")[0])


def _parsed(text: str) -> Address | None:
    try:
        return parse(text)
    except AddressError:
        return None


def _joined(said: Sequence[str]) -> str:
    return "; ".join(said)
