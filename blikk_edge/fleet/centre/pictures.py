"""Redacted pictures out of the object stores of the sites, each over a connection of its own."""

import asyncio
import base64
import contextlib
import hashlib
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.trouble import Trouble
from blikk_edge.fleet.centre.looks import SEP
from blikk_edge.fleet.centre.options import SiteSource
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names

if TYPE_CHECKING:
    from nats.js import JetStreamContext
    from nats.js.object_store import ObjectStore

LOG = logging.getLogger("blikk.pages")

BYTES_MAX: Final = 8 * 1024 * 1024
AT_ONCE: Final = 8
PICTURE_S: Final = 8.0
AGAIN_S: Final = 5.0
"""For so long a site whose NATS is away is not asked again: a page asks for fifty pictures at once."""


class SitePictures:
    """The pictures of one site."""

    def __init__(self, source: SiteSource, *, clock: Clock) -> None:
        self._link = Link(source.fleet, name="blikk fleet web")
        self._names = Names(source.site)
        self._domain = source.domain
        self._clock = clock
        self._store: ObjectStore | None = None
        self._jetstream: JetStreamContext | None = None
        self._opening = asyncio.Lock()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._trouble = Trouble(LOG)
        self._again = 0.0

    @property
    def problem(self) -> str | None:
        """Why there are no pictures now; None while there is nothing wrong."""
        return self._trouble.now

    async def jpeg(self, name: str) -> bytes | None:
        """The bytes of a picture; None where it is not there (any more). Raises StoreError."""
        from nats.js.errors import NotFoundError  # noqa: PLC0415  # see Link

        site = self._names.site
        async with self._places:
            if self._trouble.now is not None and self._clock.monotonic() < self._again:
                raise StoreError(self._trouble.now)
            try:
                async with asyncio.timeout(PICTURE_S):
                    jetstream, store = await self._opened()
                    found = await self._read(jetstream, store, name)
            except NotFoundError:  # the picture, or the whole object store
                found = None
            except Exception as error:
                said = self._link.error(error)
                self._store = None
                self._again = self._clock.monotonic() + AGAIN_S
                self._trouble.start(f"{site}: its pictures cannot be had: {said}")
                if not self._link.connected:  # the library may have given up; the next one connects anew
                    await self._link.close()
                raise StoreError(str(said)) from error
        self._trouble.end(f"{site}: its pictures can be had again")
        return found

    async def check(self) -> None:
        """Where something was wrong, see whether it still is."""
        if self._trouble.now is not None and self._clock.monotonic() >= self._again:
            with contextlib.suppress(StoreError):
                await self.jpeg("-")  # which is no picture's name

    async def close(self) -> None:
        """Let go of the connection."""
        await self._link.close()

    async def _opened(self) -> "tuple[JetStreamContext, ObjectStore]":
        async with self._opening:
            if self._jetstream is None or self._store is None or not self._link.connected:
                client = await self._link.client()
                self._jetstream = client.jetstream(domain=self._domain) if self._domain else client.jetstream()
                self._store = await self._jetstream.object_store(self._names.pictures)
            return self._jetstream, self._store

    async def _read(self, jetstream: "JetStreamContext", store: "ObjectStore", name: str) -> bytes | None:
        """Part after part by the subject of its parts, so that no consumer, and no right to make one, is needed."""
        from nats.js.errors import BadObjectMetaError  # noqa: PLC0415  # see Link

        try:
            info = await store.get_info(name)
        except BadObjectMetaError:  # one object that no node has put there says nothing of the others
            return None
        size, digest = info.size, info.digest
        if not isinstance(size, int) or not isinstance(digest, str) or not 0 < size <= BYTES_MAX:
            return None
        parts, place = b"", 1
        while len(parts) < size:
            subject = f"$O.{self._names.pictures}.C.{info.nuid}"
            part = await jetstream.get_msg(f"OBJ_{self._names.pictures}", seq=place, subject=subject, next=True)
            parts, place = parts + (part.data or b""), (part.seq or place) + 1
        found = base64.urlsafe_b64encode(hashlib.sha256(parts).digest()).decode()
        return parts if _same(digest, found) else None


def _same(said: str, digest: str) -> bool:
    """Whether the object store says the same digest, as `SHA-256=...` in base64."""
    return said.partition("=")[2].rstrip("=") == digest.rstrip("=")


class Pictures:
    """Those of all sites, by `site/name`. `attach` and `jpeg` in the running loop, `bytes_of` in other threads."""

    def __init__(self, sources: Iterable[SiteSource], *, clock: Clock) -> None:
        self._sites = {source.site: SitePictures(source, clock=clock) for source in sources}

    @property
    def any(self) -> bool:
        """Whether there is a site whose pictures can be asked for."""
        return bool(self._sites)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong now."""
        return tuple(each.problem for each in self._sites.values() if each.problem is not None)

    async def check(self) -> None:
        """See whether what was wrong still is."""
        await asyncio.gather(*(each.check() for each in self._sites.values()))

    async def jpeg(self, id: str) -> bytes | None:  # noqa: A002  # as in core.album
        """The bytes of one; None where it is not there (any more). Raises StoreError."""
        site, _, name = id.partition(SEP)
        pictures = self._sites.get(site)
        return None if pictures is None else await pictures.jpeg(name)

    async def close(self) -> None:
        """Let go of all connections."""
        for each in self._sites.values():
            await each.close()
