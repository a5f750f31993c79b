"""Files over HTTP: an index whole, an archive in as many attempts as it takes, from where the last one ended."""

import errno
import hashlib
import http.client
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from blikk_update.errors import IntegrityError, UpdateError
from blikk_update.index import Release
from blikk_update.places import Limits, sync_folder

T = TypeVar("T")
_CHUNK: Final = 1 << 16
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP's statuses that may be better the next time."""
_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO})
"""Not the network's fault."""


class _FailedError(Exception):
    """An attempt that may work the next time; the text says what happened."""


def fetch_small(url: str, *, largest: int, limits: Limits) -> bytes:
    """A file of at most `largest` bytes. Raises UpdateError."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise UpdateError(f"{url} is neither an http nor an https address")

    def attempt() -> bytes:
        with _open(url, {}, limits) as answer:
            content = answer.read(largest + 1)
        if len(content) > largest:
            raise UpdateError(f"{url}: more than {largest} bytes")
        return content

    return _with_retries(attempt, url, limits)


def fetch_archive(release: Release, folder: Path, limits: Limits) -> Path:
    """The archive in `folder`, once its size and hash are right; goes on with what an earlier call left.

    Raises UpdateError; what was got stays there. IntegrityError where it is another file; that does not stay.
    """
    done, part = folder / f"{release.sha256}.tar.xz", folder / f"{release.sha256}.part"
    if not done.exists():
        for begun in (part.exists(), False):
            _with_retries(lambda: _continue(release, part, limits), release.url, limits)
            if _sha256(part) == release.sha256:
                break
            part.unlink()
            # what another process left may be damaged; what is whole and wrong is so at its source
            if not begun:
                raise IntegrityError(f"{release.url} is not the file that was signed; nothing was changed")
        part.rename(done)
        sync_folder(folder)
    return done


def _continue(release: Release, part: Path, limits: Limits) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have == release.size:
        return
    if have > release.size:
        part.unlink()
        have = 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with _open(release.url, headers, limits) as answer:
        if have and not _continues(answer, have):
            have = 0
        with part.open("r+b" if have else "wb") as file:
            file.seek(have)
            try:
                while have <= release.size and (chunk := answer.read(_CHUNK)):
                    file.write(chunk)
                    have += len(chunk)
            finally:
                file.flush()
                os.fsync(file.fileno())
    if have > release.size:
        part.unlink()
        raise IntegrityError(f"{release.url} is longer than the file that was signed; nothing was changed")
    if have < release.size:
        raise _FailedError(f"the connection ended after {have} of {release.size} bytes")


def _continues(answer: http.client.HTTPResponse, have: int) -> bool:
    start = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return answer.status == http.HTTPStatus.PARTIAL_CONTENT and start is not None and int(start[1]) == have


def _open(url: str, headers: dict[str, str], limits: Limits) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": "blikk-update", **headers})  # noqa: S310  see callers
    answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=limits.network_s)  # noqa: S310
    return answer


def _with_retries(attempt: Callable[[], T], url: str, limits: Limits) -> T:
    for pause in (*limits.retry_s, None):
        again = pause is not None
        try:
            return attempt()
        except urllib.error.HTTPError as error:
            problem = f"the server answers {error.code} {error.reason}"
            again = again and error.code in _PASSING
            error.close()
        except urllib.error.URLError as error:
            problem = _said(error.reason)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in _DISK:
                raise
            problem = _said(error)
        except _FailedError as error:
            problem = str(error)
        if not again or pause is None:
            raise UpdateError(f"cannot fetch {url}: {problem}; tried again the next time")
        time.sleep(pause)
    raise AssertionError


def _said(error: object) -> str:
    """What happened, as its reader knows it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({error.verify_message}); is the clock right?"
    return str(error) or type(error).__name__


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
