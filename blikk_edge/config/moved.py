"""Keys of servers that are gone: what they said, as the one section `http` that is to be written instead."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import voluptuous as vol

from blikk_edge.config.settings import Settings
from blikk_edge.grammar.leaf import Leaf, Where
from blikk_edge.grammar.problem import Moved, Wrong, dotted
from blikk_edge.grammar.values import HOST, TEXT, WEB_ADDRESS
from blikk_edge.net.http.options import ORIGIN, HttpSettings
from blikk_edge.net.options import EVERYWHERE

PORT: Final = HttpSettings().port
OLD_PORTS: Final = frozenset({8427, 8429, 8430})
"""On which doorbells, edge clients and subscribers were served."""

_SECTIONS: Final[tuple[tuple[str, ...], ...]] = (("media",), ("sinks", "websocket"), ("ingest",), ("ring_hook",))
"""What the first of them says counts: pages and pictures were called by the address of `media`."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9/][\w./-]*")


def moved(value: Leaf, wrongs: Sequence[Moved], line: Callable[[Where], int]) -> Wrong:
    """One thing to mend for all of these keys: remove them, and write a section that can be pasted."""
    places = [tuple(step if isinstance(step, int) else str(step) for step in wrong.path) for wrong in wrongs]
    named = ", ".join(f"`{dotted(place)}` (line {line(place)})" for place in places)
    verb, them = ("is", "it") if len(places) == 1 else ("are", "them")
    there = (
        "have `http:` say this" if isinstance(value, dict) and "http" in value else "write this at the top of the file"
    )
    section = http_section(value)
    secrets = ", with both tokens (16 letters or more) in secrets.yaml" if "!secret" in section else ""
    return Wrong(
        f"{named} {verb} not read any more: all of it is served by `http` now, on its one port",
        f"Remove {them}, and {there}{secrets}:\n{section}",
        *places[0],
    )


def http_section(value: Leaf) -> str:
    """The section `http` that says what the old keys say; what is secret is only named in it."""
    host = _first(value, "host", HOST)
    away = host is not None and host not in {"127.0.0.1", "::1", "localhost"}
    lines = ["http:", *([f"  host: {_yaml(host)}"] if host else []), f"  port: {PORT}"]
    if host in EVERYWHERE:
        url = _first(value, "url", WEB_ADDRESS)
        lines.append(f"  url: https://{(url and urlsplit(url).hostname) or 'name-of-this-machine'}:{PORT}")
    if away or any(_said(value, "tls")):
        files: dict[str, Leaf] = next((tls for tls in _said(value, "tls") if isinstance(tls, dict)), {})
        certificate, key = (_read(TEXT, files.get(name)) or f"{name}.pem" for name in ("certificate", "key"))
        lines.append(f"  tls: {{certificate: {_yaml(certificate)}, key: {_yaml(key)}}}")
    if away or any(_said(value, "token")):
        lines.append("  tokens: {view: !secret http_view_token, control: !secret http_control_token}")
    for name, read in (("names", HOST), ("origins", ORIGIN)):
        for found in _said(value, name):
            texts = [text for each in (found if isinstance(found, list) else [found]) if (text := _read(read, each))]
            lines.append(f"  {name}: [{', '.join(map(_yaml, texts))}]")
    return "\n".join(lines)


def old_address(settings: Settings) -> Iterator[Wrong]:
    """A problem where others are still sent to a port that nobody serves any more."""
    http = settings.http
    if http is None or http.url is None or (port := urlsplit(http.url).port) == http.port:
        return
    if port in OLD_PORTS:
        mend = f"Write the port of `http` in it: {http.port}."
        yield Wrong(f"it names the port {port}, on which nothing is served any more", mend, "http", "url")


def _said(value: Leaf, key: str) -> Iterator[Leaf]:
    """What the old sections say of a key."""
    for section in _SECTIONS:
        below = value
        for step in (*section, key):
            below = below.get(step) if isinstance(below, dict) else None
        if below is not None:
            yield below


def _first(value: Leaf, key: str, read: Callable[[Leaf], Any]) -> str | None:
    return next((text for found in _said(value, key) if (text := _read(read, found))), None)


def _read(read: Callable[[Leaf], Any], leaf: Leaf) -> str | None:
    """A value that may be shown: its own type can read it, and it is no secret."""
    try:
        return str(read(leaf))
    except vol.Invalid:
        return None


def _yaml(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
