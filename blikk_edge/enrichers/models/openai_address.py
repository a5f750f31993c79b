"""Where an OpenAI-compatible endpoint is, and the key to it: what a user wrote, checked."""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from blikk_edge.core.loopback import is_loopback
from blikk_edge.enrichers.models.port import RefusedError

_KEY: Final = re.compile(r"[!-~]+", re.ASCII)


def is_here(host: str) -> bool:
    """Whether a host is this machine, which no proxy reaches."""
    return is_loopback(host) or host.endswith(".localhost")


def address_of(base_url: str) -> SplitResult:
    """The address, read; raises RefusedError where it is none, or holds more than an address."""
    try:
        url = urlsplit(base_url)
        usable = url.scheme in {"http", "https"} and url.hostname and (url.port or 1)
    except ValueError:
        usable = False
    if not usable:
        raise RefusedError("language model: base_url is no address; it looks like https://host/v1")
    if "@" in url.netloc or url.query or url.fragment:
        raise RefusedError(
            f"language model at {url.hostname}: base_url holds more than an address; keys belong in api_key"
        )
    return url


def checked_key(key: str | None, who: str) -> str | None:
    """The key without spaces around it, None where there is none; raises RefusedError for one that cannot be sent."""
    stripped = (key or "").strip()
    if stripped and not _KEY.fullmatch(stripped):
        raise RefusedError(f"{who}: api_key holds characters that no key has")
    return stripped or None
