"""Redacted Pictures of a node on their way to the centre: in the object store of the site, named in its stream."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from blikk_edge.core.album import Album
from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Event, Phase, Ring
from blikk_edge.core.picture import FRAME, SNAPSHOT, Picture
from blikk_edge.core.ports import Pending
from blikk_edge.core.trouble import Trouble
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.marks import MARK, mark_of
from blikk_edge.fleet.names import Names
from blikk_edge.wire.messages import PROTOCOL, encode
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import JsonObject, iso_time, json_bytes

if TYPE_CHECKING:
    from nats.js import JetStreamContext
    from nats.js.object_store import ObjectStore

LOG = logging.getLogger("blikk.uplink")

KEEP_WITHIN_S: Final = 10.0
PASSING: Final = frozenset({SNAPSHOT, FRAME})


class UplinkPictures:
    """Keeps Pictures in the object store for `kept_s`, at most `max_bytes` of them.

    `show` has one as it comes, `catch_up` has those of the `album` after an outage. A full store leaves them out.
    """

    def __init__(
        self,
        link: Link,
        names: Names,
        *,
        topics: Topics,
        kept_s: float,
        max_bytes: int,
        album: Album | None,
        copies: int,
    ) -> None:
        self._link = link
        self._names = names
        self._topics = topics
        self._kept_s = kept_s
        self._max_bytes = max_bytes
        self._album = album
        self._copies = copies
        self._jetstream: JetStreamContext | None = None
        self._store: ObjectStore | None = None
        self._unseen = Trouble(LOG)

    async def open(self, jetstream: "JetStreamContext") -> None:
        """Have the object store. Raises what the library raises."""
        from nats.js.api import ObjectStoreConfig  # noqa: PLC0415  # see Link
        from nats.js.errors import NotFoundError  # noqa: PLC0415

        self._jetstream = jetstream
        if self._store is not None:
            return
        try:
            self._store = await jetstream.object_store(self._names.pictures)
        except NotFoundError:
            config = ObjectStoreConfig(
                description="redacted pictures",
                ttl=self._kept_s,
                max_bytes=self._max_bytes,
                replicas=self._copies,
            )
            self._store = await jetstream.create_object_store(self._names.pictures, config)

    def close(self) -> None:
        """The connection is gone."""
        self._jetstream = self._store = None

    async def show(self, picture: Picture) -> None:
        """Keep a Picture that has just come. Raises what the library raises."""
        if self._store is not None and picture.name not in PASSING:
            jpeg = encode(picture, self._topics).payload
            await self._keep(self._store, _Shown(picture.camera, picture.event, picture.name, picture.time, jpeg))

    async def catch_up(self, batch: Sequence[Pending], known: Collection[str]) -> None:
        """The Pictures of what waited through an outage, as far as the album has them. Raises SinkError.

        What has a mark that is `known` has been sent.
        """
        if self._album is None or self._store is None:
            return
        for pending in batch:
            record = pending.record
            over = (isinstance(record, Event) and record.phase is Phase.ENDED) or isinstance(record, Ring)
            if not pending.replayed or not over or mark_of(record) in known:
                continue
            assert isinstance(record, Event | Ring)
            for shown in await asyncio.to_thread(_of_album, self._album, record):
                try:
                    async with asyncio.timeout(KEEP_WITHIN_S):
                        await self._keep(self._store, shown)
                except Exception as error:
                    raise self._link.error(error) from error

    async def _keep(self, store: "ObjectStore", shown: "_Shown") -> None:
        """Have it in the object store, and say so to the centre; a full store leaves it out."""
        from nats.js.errors import APIError, NotFoundError  # noqa: PLC0415  # see Link

        try:
            await store.get_info(shown.object)
        except NotFoundError:
            try:
                await store.put(shown.object, shown.jpeg)
            except APIError as error:
                if "maximum bytes exceeded" not in str(error.description):
                    raise
                full = f"{self._link}: {self._names.pictures} is full; pictures are left out until it has room"
                self._unseen.start(full)
                return
            self._unseen.end(f"{self._link}: pictures are kept again")
        if (jetstream := self._jetstream) is not None:
            said = shown.said(self._topics.member, self._kept_s)
            subject, headers = self._names.record(shown.camera, "picture"), {MARK: f"picture {shown.object}"}
            await jetstream.publish(subject, json_bytes(said), stream=self._names.records, headers=headers)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A Picture on its way into the object store.

    Attributes:
        camera: The camera's id.
        event: The id of the Event or Ring that it shows, if any.
        name: Its place on MQTT.
        time: Capture time, seconds since 1970 UTC.
        jpeg: The file.
    """

    camera: str
    event: str | None
    name: str
    time: float
    jpeg: bytes = field(repr=False)

    @property
    def object(self) -> str:
        """What it is called in the object store: `<camera>/<event or ->/<UTC time with ms>.<name>.jpg`."""
        moment = datetime.fromtimestamp(self.time, UTC)
        stamp = f"{moment:%Y%m%dT%H%M%S}{moment.microsecond // 1000:03d}"
        return f"{self.camera}/{self.event or '-'}/{stamp}.{self.name}.jpg"

    def said(self, member: str | None, kept_s: float) -> JsonObject:
        """What the centre is told of it."""
        content: JsonObject = {
            "v": PROTOCOL,
            "id": self.object,
            "camera": self.camera,
            "event": self.event,
            "name": self.name,
            "time": iso_time(self.time),
            "expires": iso_time(self.time + kept_s),
        }
        return {"v": PROTOCOL, "kind": "picture", "camera": self.camera, "member": member, "content": content}


def _of_album(album: Album, of: Event | Ring) -> list[_Shown]:
    """The Pictures that the album has of it; blocking."""
    try:
        return [
            _Shown(kept.camera, kept.event, kept.name, kept.time, jpeg)
            for kept in album.pictures(camera=of.camera, event=of.id)
            if (jpeg := album.jpeg(kept.id)) is not None
        ]
    except StoreError as error:
        LOG.debug("%s", error)
        return []
