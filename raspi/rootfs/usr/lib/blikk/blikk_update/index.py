"""The release index: which versions there are, signed by the maintainers."""

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from blikk_update.errors import IntegrityError, UpdateError

PRODUCT: Final = "blikk-edge"
LARGEST_BYTES: Final = 1_000_000
"""Of an index."""
_VERSION: Final = re.compile(r"\d{1,6}(\.\d{1,6}){0,3}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SKEW: Final = timedelta(hours=12)
"""A clock may be wrong by this much; one that was never set is wrong by months."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One slot archive of the index."""

    version: str
    """Numbers and dots; also the name of its slot."""
    url: str
    """Where the archive is: a tar.xz of the slot's content."""
    size: int
    """Of the archive, in bytes."""
    unpacked: int
    """Of the slot, in bytes."""
    sha256: str
    """Of the archive."""
    layout: int
    """The oldest layout of slots that this program has to know."""
    machine: str
    """As `uname -m` says it."""
    python: str
    """The system's Python for which the slot is made: `3.13`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """All releases that can be had."""

    serial: int
    """Never lower than that of an index which was accepted."""
    releases: tuple[Release, ...]
    """In any order."""


def order(version: str) -> tuple[int, ...]:
    """What sorts versions: 0.10 is newer than 0.9, and 1.0 is 1."""
    numbers = [int(number) for number in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def is_version(text: object) -> bool:
    """Whether it is a version that an index may name: a name of a folder and no more."""
    return isinstance(text, str) and _VERSION.fullmatch(text) is not None


def verify(content: bytes, signature: bytes, keys: Path) -> None:
    """Raise IntegrityError unless the Ed25519 signature of one of the keys is on it, UpdateError without keys."""
    known = sorted(keys.glob("*.pem"))
    if not known:
        raise UpdateError(f"no updates: there is no key of a maintainer in {keys}")
    with tempfile.TemporaryDirectory() as name:
        index, signed = Path(name, "index"), Path(name, "signature")
        index.write_bytes(content)
        signed.write_bytes(signature)
        if not any(_fits(key, index, signed) for key in known):
            raise IntegrityError("the release index is not signed by a key of this card; nothing was changed")


def _fits(key: Path, index: Path, signature: Path) -> bool:
    command: list[str | Path] = ["openssl", "pkeyutl", "-verify", "-rawin"]
    command += ["-pubin", "-inkey", key, "-in", index, "-sigfile", signature]
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except FileNotFoundError as error:
        raise UpdateError("no updates: there is no `openssl`, which checks signatures") from error
    except subprocess.TimeoutExpired as error:
        raise UpdateError("the signature of the release index could not be checked within a minute") from error


def read(content: bytes, *, source: str, now: datetime, serial: int) -> Index:
    """The index, once it is verified. `serial` is that of the last one which was accepted.

    Raises UpdateError where it is from before that, has expired or is from the future, or is not one.
    """
    try:
        found = json.loads(content)
        if found["product"] != PRODUCT:
            raise IntegrityError(f"the release index is that of {found['product']!r}, not of {PRODUCT}")
        issued, expires = (datetime.fromisoformat(found[key]) for key in ("issued", "expires"))
        index = Index(
            serial=int(found["serial"]), releases=tuple(_release(entry, source) for entry in found["releases"])
        )
        early, late = now + _SKEW < issued, now > expires
    except (ValueError, KeyError, TypeError) as error:
        raise UpdateError(f"the release index cannot be read ({type(error).__name__}: {error})") from error
    if early:
        raise UpdateError(
            f"the clock says {now:%Y-%m-%d}, but the release index is of {issued:%Y-%m-%d}: "
            "the clock is wrong; tried again when it is set"
        )
    if late:
        raise UpdateError(
            f"the release index expired on {expires:%Y-%m-%d} and the clock says {now:%Y-%m-%d}: "
            "somebody holds back newer ones, or the clock is wrong"
        )
    if index.serial < serial:
        raise IntegrityError(
            f"the release index is older than one seen before (serial {index.serial} after {serial}); "
            "nothing was changed"
        )
    return index


def _release(entry: dict[str, Any], source: str) -> Release:
    release = Release(
        version=entry["version"],
        url=urljoin(source, entry["url"]),
        size=int(entry["size"]),
        unpacked=int(entry["unpacked"]),
        sha256=entry["sha256"],
        layout=int(entry["layout"]),
        machine=str(entry["machine"]),
        python=str(entry["python"]),
    )
    if not is_version(release.version):
        raise ValueError(f"{release.version!r} is no version")
    if _SHA256.fullmatch(release.sha256) is None:
        raise ValueError(f"the sha256 of {release.version} is none")
    if urlsplit(release.url).scheme not in {"http", "https"}:
        raise ValueError(f"the address of {release.version} is neither http nor https")
    return release
