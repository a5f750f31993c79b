"""Where an OpenAI-compatible endpoint is, and the key to it: what a user wrote, checked."""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

from blikk_edge.core.loopback import is_loopback
from blikk_edge.llm.port import RefusedError

_KEY: Final = re.compile(r"[!-~]+", re.ASCII)
_BEARER: Final = re.compile(r"\Abearer\s+", re.I)
_PLACE: Final = "/chat/completions"
_QUERY: Final = re.compile(r"api-version=[\w.-]{1,40}", re.ASCII)
"""The only one that a base_url may have: Azure's older addresses do not work without it, and it is no secret."""


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
    if "@" in url.netloc or url.fragment or (url.query and not is_version(url.query)):
        raise RefusedError(
            f"language model at {url.hostname}: base_url holds more than an address; keys belong in api_key"
        )
    return url


def is_version(query: str) -> bool:
    """Whether a query names the version of a service and nothing else."""
    return _QUERY.fullmatch(query) is not None


def checked_key(key: str | None, who: str) -> str | None:
    """The key without spaces around it, None where there is none; raises RefusedError for one that cannot be sent."""
    stripped = _BEARER.sub("", (key or "").strip())
    if stripped and not _KEY.fullmatch(stripped):
        raise RefusedError(f"{who}: api_key holds characters that no key has")
    return stripped or None


def endpoint(base_url: str) -> str:
    """Where chat.completions are, also where `base_url` names that place itself; a query stays behind it."""
    url = urlsplit(base_url)
    path = url.path.rstrip("/").removesuffix(_PLACE).rstrip("/")
    return urlunsplit((url.scheme, url.netloc, path + _PLACE, url.query, ""))
