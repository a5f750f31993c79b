"""Records of a node on their way to the centre: published to the site's stream, and kept here until they are stored."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from blikk_edge.core.album import Album
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError, quote
from blikk_edge.core.observation import Event, Observation, Observed, Phase, Record, Ring
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Inbox, Item, Pending
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.marks import MARK, mark_of
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.records import Progress, make_records, progress
from blikk_edge.fleet.uplink_pictures import UplinkPictures
from blikk_edge.sinks.uplink import UplinkOptions
from blikk_edge.wire.envelope import enveloped
from blikk_edge.wire.messages import record_kind
from blikk_edge.wire.topics import Topics

if TYPE_CHECKING:
    from nats.js import JetStreamContext

LOG = logging.getLogger("blikk.uplink")

BATCH: Final = 500
"""Records that are under way at the same time; the next ones go when the centre has stored these."""

ANSWER_S: Final = 10.0
FIRST_LOOK_S: Final = 0.02
LOOK_S: Final = 1.0
"""How often it is looked whether the centre has stored them, at first and later."""

SILENT_S: Final = 30.0
"""For so long the centre may store nothing before that is a problem."""

AT_ONCE_S: Final = 0.05
"""What is sent in this time is sent at once: a pause each record would take longer."""

URGENT: Final[Mapping[str, Mapping[str, str]]] = {
    "ring": {},
    "event": {"phase": Phase.STARTED},
    "observation": {"kind": Observed.ALERT},
}
"""What calls for somebody: a ring, a visit that begins, something that is measured and wrong."""

KNOWN: Final = 2000
"""Marks of records that are known to be in the stream."""


class Uplink:
    """Publishes records to the stream of the site; settles them when the centre has stored them (`fleet.records`).

    What calls for somebody goes out at once, also while older records wait (`run`), and first after an outage. Redacted
    Pictures go to the site's object store where `options` say so: as they come, and after an outage out of the album.
    """

    name = "uplink"
    batch = BATCH
    urgent = URGENT

    def __init__(
        self,
        options: UplinkOptions,
        link: Link,
        names: Names,
        *,
        topics: Topics,
        clock: Clock,
        album: Album | None = None,
        copies: int = 1,
        silent_s: float = SILENT_S,
    ) -> None:
        self.takes: Collection[str] | None = frozenset(options.kinds)
        self._options = options
        self._link = link
        self._names = names
        self._topics = topics
        self._clock = clock
        self._copies = copies
        self._silent_s = silent_s
        self._jetstream: JetStreamContext | None = None
        self._pictures = None
        if options.pictures_s is not None:
            self._pictures = UplinkPictures(
                link,
                names,
                topics=topics,
                kept_s=options.pictures_s,
                max_bytes=options.pictures_mb * 10**6,
                album=album,
                copies=copies,
            )
        self._stream = ""
        self._known: OrderedDict[str, int] = OrderedDict()
        """The numbers in the stream of records that are in it, by their marks."""

        self._waits_for: int | None = None
        self._due = clock.monotonic()

    # -- as a durable sink ---------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect; where the centre was silent, wait until it goes on. Raises SinkError."""
        self._jetstream = None
        jetstream = await self._link.open()
        try:
            async with asyncio.timeout(ANSWER_S):
                max_bytes = self._options.max_mb * 10**6
                await make_records(jetstream, self._names, max_bytes=max_bytes, copies=self._copies)
                now = await progress(jetstream, self._names)
                if self._pictures is not None:
                    await self._pictures.open(jetstream)
        except Exception as error:
            raise self._link.error(error) from error
        if now.stream != self._stream:
            self._stream, self._waits_for = now.stream, None
            self._known.clear()
        self._jetstream = jetstream
        while self._waits_for is not None and now.stored < self._waits_for and now.stream == self._stream:
            await self._clock.sleep(LOOK_S)
            now = await self._progress(jetstream)
        self._waits_for = None

    async def send(self, batch: Sequence[Pending]) -> None:
        """Publish these, no faster than is allowed, and wait until the centre has stored them. Raises SinkError."""
        assert self._jetstream is not None  # opened before
        if self._pictures is not None:
            await self._pictures.catch_up(batch, self._known)
        marks = {pending.seq: mark_of(pending.record) for pending in batch}
        refused = await self._publish(self._jetstream, [each for each in batch if marks[each.seq] not in self._known])
        await self._stored(self._jetstream, {seq: mark for seq, mark in marks.items() if seq not in refused}, refused)
        if refused:
            raise SinkError(
                f"{self._link}: it does not take {len(refused)} of {len(batch)} records, which are given up: larger "
                "than its max_payload",
                taken=marks.keys() - refused,
                refused=refused,
            )

    async def close(self) -> None:
        """Let go of the connection."""
        self._jetstream = None
        if self._pictures is not None:
            self._pictures.close()
        await self._link.close()

    async def _publish(self, jetstream: "JetStreamContext", batch: Sequence[Pending]) -> set[int]:
        """Publish them; the numbers of those that are larger than any message may be. Raises SinkError."""
        under_way: list[tuple[str, asyncio.Future[Any]]] = []
        refused: set[int] = set()
        try:
            for pending in batch:
                await self._pause()
                mark = mark_of(pending.record)
                answer = await self._put(jetstream, pending.record, mark, replayed=pending.replayed)
                if answer is None:
                    refused.add(pending.seq)
                else:
                    under_way.append((mark, answer))
            async with asyncio.timeout(ANSWER_S):
                for mark, answer in under_way:
                    self._note(mark, (await answer).seq)
        except Exception as error:
            raise self._error(error) from error
        finally:
            for _, answer in under_way:
                answer.cancel()
        return refused

    async def _put(
        self, jetstream: "JetStreamContext", record: Record, mark: str, *, replayed: bool = False
    ) -> "asyncio.Future[Any] | None":
        """Its answer, to be awaited; None for a record that is larger than any message may be."""
        sent = enveloped(record, self._topics, replayed=replayed)
        if len(sent.text) > self._link.text_max:
            return None
        subject = self._names.record(sent.camera, sent.kind)
        return await jetstream.publish_async(subject, sent.text, stream=self._names.records, headers={MARK: mark})

    async def _stored(self, jetstream: "JetStreamContext", marks: dict[int, str], refused: Collection[int]) -> None:
        """Wait until the centre has stored them. Raises SinkError, with those that it has."""
        look_s, at, since = FIRST_LOOK_S, -1, self._clock.monotonic()
        places = {seq: self._known[mark] for seq, mark in marks.items() if mark in self._known}
        last = max(places.values(), default=0)
        while True:
            now = await self._progress(jetstream)
            taken = [seq for seq, place in places.items() if place <= now.stored]
            if now.stream != self._stream:
                raise SinkError(f"{self._link}: the stream of the site was made anew; records are sent again")
            if now.stored >= last and len(places) == len(marks):
                return
            if now.stored > at:
                at, since = now.stored, self._clock.monotonic()
            if self._clock.monotonic() - since >= self._silent_s:
                self._waits_for = min(place for place in places.values() if place > now.stored)
                raise SinkError(
                    f"{self._link}: {now.waiting} records of the site wait for the centre, which has stored none for "
                    f"{self._silent_s:.0f} s; see whether `blikk collect` runs, and its log",
                    taken=taken,
                    refused=refused,
                    after_s=0,
                )
            await self._clock.sleep(look_s)
            look_s = min(LOOK_S, look_s * 2)

    async def _progress(self, jetstream: "JetStreamContext") -> Progress:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await progress(jetstream, self._names)
        except Exception as error:
            raise self._link.error(error) from error

    async def _pause(self) -> None:
        """Wait for the turn of the next record."""
        now = self._clock.monotonic()
        self._due = max(self._due, now - AT_ONCE_S) + 1 / self._options.max_per_second
        if self._due - now > AT_ONCE_S:
            await self._clock.sleep(self._due - now)

    def _note(self, mark: str, place: int) -> None:
        self._known[mark] = place
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)

    def _error(self, error: Exception) -> SinkError:
        said = str(getattr(error, "description", "") or "")
        if "maximum bytes exceeded" in said:
            return SinkError(
                f"{self._link}: the stream {self._names.records} is full; it empties when `blikk collect` stores what "
                "is in it",
                after_s=10.0,
            )
        return self._link.error(error)

    # -- what does not wait --------------------------------------------------------------------------------------------

    async def run(self, inbox: Inbox[Item]) -> None:
        """Send what calls for somebody before all that waits, and Pictures, until cancelled.

        While the centre is silent the records are left to the journal, which has the newest first afterwards; in the
        stream they would stand one behind the other.
        """
        while True:
            item = await inbox.get()
            jetstream = self._jetstream
            if jetstream is None or not self._link.connected:
                continue  # the journal has the record, and the album the Picture
            try:
                async with asyncio.timeout(ANSWER_S):
                    if isinstance(item, Picture):
                        if self._pictures is not None:
                            await self._pictures.show(item)
                    elif self._waits_for is None and calls(item) and self._takes(item):
                        mark = mark_of(item)
                        if (answer := await self._put(jetstream, item, mark)) is not None:
                            self._note(mark, (await answer).seq)
            except Exception as error:  # noqa: BLE001 - whatever the library raises, the journal has it
                LOG.debug("%s", quote(str(error)))

    def _takes(self, record: Record) -> bool:
        return self.takes is None or record_kind(record) in self.takes


def calls(item: Item) -> TypeGuard[Ring | Event | Observation]:
    """Whether it calls for somebody (`URGENT`)."""
    match item:
        case Ring() | Event() | Observation():
            fields = URGENT[record_kind(item)]
            return all(getattr(item, name) == value for name, value in fields.items())
        case _:
            return False
