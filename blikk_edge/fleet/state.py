"""How a site is doing now: its cameras and who watches them, its nodes and workers, and what waits for the centre."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError
from blikk_edge.fleet.leases import TTL_S
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.records import CONSUMER

if TYPE_CHECKING:
    from nats.js import JetStreamContext

ANSWER_S: Final = 5.0
WORKER_S: Final = 10.0
"""A worker that has not been heard of for so long is gone; each says something every 2 s."""

LAG_S: Final = 60.0
"""Records that wait longer for the centre are a problem."""

FULL: Final = 0.9
"""So full a stream is a problem: what it refuses stays at the nodes."""

_CAMERA: Final = "camera."


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A node or a worker, as its last heartbeat says.

    Attributes:
        id: Its id.
        silent_s: How long ago that was, by the clock of the servers.
        here: Whether it counts as there.
        says: What it said.
    """

    id: str
    silent_s: float
    here: bool
    says: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A camera of the site.

    Attributes:
        id: Its id.
        owner: The node that watches it; None: nobody.
        fence: Of its lease.
    """

    id: str
    owner: str | None = None
    fence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for the centre.

    Attributes:
        records: How many records.
        size_bytes: What they take.
        max_bytes: What the stream takes at most; None: no bound.
        oldest_s: For how long the oldest has been in the stream; None where none waits.
        collects: Whether a `blikk collect` asks for them.
        given: How many are with one, and not stored yet.
    """

    records: int
    size_bytes: int
    max_bytes: int | None
    oldest_s: float | None
    collects: bool
    given: int

    @property
    def problems(self) -> Iterator[str]:
        """What is wrong, each a sentence."""
        if not self.collects and not self.given and self.records:
            yield f"{self.records} records wait, and nobody takes them; see whether `blikk collect` runs"
        elif self.oldest_s is not None and self.oldest_s > LAG_S:
            yield f"records wait for {self.oldest_s:.0f} s; see the log of `blikk collect`"
        if self.max_bytes is not None and self.size_bytes > FULL * self.max_bytes:
            share = 100 * self.size_bytes / self.max_bytes
            yield f"the stream of records is {share:.0f} % full; what it does not take waits at the nodes"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteState:
    """How a site is doing.

    Attributes:
        site: Its name.
        version: Of the cameras that were applied; 0: none were.
        cameras: Those that were applied, and those that somebody watches, by id.
        nodes: Its nodes, by id.
        workers: Its workers, by id.
        waiting: What waits for the centre; None where no node has an uplink.
        jobs: How many jobs wait for a worker; None where there never was one.
    """

    site: str
    version: int
    cameras: tuple[Watched, ...]
    nodes: tuple[Heard, ...]
    workers: tuple[Heard, ...]
    waiting: Waiting | None
    jobs: int | None

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, each a sentence that names what."""
        return tuple(self._problems())

    def _problems(self) -> Iterator[str]:
        here = {node.id for node in self.nodes if node.here}
        for node in self.nodes:
            if not node.here:
                yield f"node {node.id}: it has not been heard of for {node.silent_s:.0f} s"
        for camera in self.cameras:
            if camera.owner is None:
                yield f"camera {camera.id}: nobody watches it"
            elif camera.owner not in here:
                yield f"camera {camera.id}: {camera.owner} is to watch it, and is not there"
        for worker in self.workers:
            if worker.here and isinstance(said := worker.says.get("problems"), list):
                yield from (f"worker {worker.id}: {text}" for text in said)
        if self.jobs and not any(worker.here for worker in self.workers):
            yield f"{self.jobs} jobs wait, and no worker is there; start `blikk worker`"
        if self.waiting is not None:
            yield from self.waiting.problems


async def site_state(link: Link, names: Names, *, cameras: tuple[str, ...], version: int, clock: Clock) -> SiteState:
    """How the site is doing, whose applied `cameras` have this `version`. Makes nothing there. Raises SinkError."""
    jetstream = await link.open()
    try:
        async with asyncio.timeout(3 * ANSWER_S):
            now = await _servers_now(link, names, clock)
            nodes = [_heard(id_, *said, now, TTL_S) for id_, said in (await _bucket(jetstream, names.members)).items()]
            workers = [
                _heard(id_, *said, now, WORKER_S) for id_, said in (await _bucket(jetstream, names.workers)).items()
            ]
            leases = {
                key.removeprefix(_CAMERA): (value.get("owner"), fence)
                for key, (value, fence, _) in (await _bucket(jetstream, names.leases)).items()
                if key.startswith(_CAMERA) and isinstance(value.get("owner"), str)
            }
            jobs = await _info(link, names.jobs)
            waiting = await _waiting(link, names, now)
    except Exception as error:
        raise link.error(error) from error
    unwatched = (None, None)
    return SiteState(
        site=names.site,
        version=version,
        cameras=tuple(
            Watched(id=id_, owner=leases.get(id_, unwatched)[0], fence=leases.get(id_, unwatched)[1])
            for id_ in sorted({*cameras, *leases})
        ),
        nodes=tuple(sorted(nodes, key=lambda node: node.id)),
        workers=tuple(sorted(workers, key=lambda worker: worker.id)),
        waiting=waiting,
        jobs=None if jobs is None else int(jobs["state"]["messages"]),
    )


def _heard(
    id: str,  # noqa: A002  # the glossary's word
    says: Mapping[str, Any],
    _revision: int,
    at: datetime,
    now: datetime,
    ttl_s: float,
) -> Heard:
    silent_s = max(0.0, (now - at).total_seconds())
    return Heard(id=id, silent_s=round(silent_s, 1), here=silent_s <= ttl_s, says=says)


async def _bucket(jetstream: "JetStreamContext", name: str) -> dict[str, tuple[dict[str, Any], int, datetime]]:
    """What is in a bucket, by key: the value, its revision, and when the servers took it; nothing without a bucket."""
    from nats.js.errors import BucketNotFoundError  # noqa: PLC0415  # see Link

    try:
        kv = await jetstream.key_value(name)
    except BucketNotFoundError:
        return {}
    found: dict[str, tuple[dict[str, Any], int, datetime]] = {}
    watcher = await kv.watchall(ignore_deletes=True)
    try:
        async for entry in watcher:
            if entry is None:
                break
            try:
                value = json.loads(entry.value or b"null")
            except ValueError:
                continue
            if isinstance(value, dict) and entry.revision is not None:
                found[entry.key] = value, entry.revision, _moment(entry.created)
    finally:
        await watcher.stop()  # type: ignore[no-untyped-call]  # of the library
    return found


async def _info(link: Link, stream: str) -> dict[str, Any] | None:
    """What the servers say of a stream, with their time; None where there is none of that name."""
    client = await link.client()
    answer = await client.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=ANSWER_S)
    content: dict[str, Any] = json.loads(answer.data)
    if (error := content.get("error")) is not None:
        if error.get("code") == 404:
            return None
        raise SinkError(f"{link}: {error.get('description')}")
    return content


async def _servers_now(link: Link, names: Names, clock: Clock) -> datetime:
    """The servers' time; ours where they are too old to say it."""
    for stream in (f"KV_{names.members}", f"KV_{names.workers}", names.records):
        content = await _info(link, stream)
        if content is not None and "ts" in content:
            return _moment(content["ts"])
    return datetime.fromtimestamp(clock.now(), UTC)


async def _waiting(link: Link, names: Names, now: datetime) -> Waiting | None:
    content = await _info(link, names.records)
    if content is None:
        return None
    client = await link.client()
    answer = await client.request(f"$JS.API.CONSUMER.INFO.{names.records}.{CONSUMER}", b"", timeout=ANSWER_S)
    consumer = json.loads(answer.data)
    state, most = content["state"], content["config"].get("max_bytes", -1)
    records = int(state["messages"])
    return Waiting(
        records=records,
        size_bytes=int(state["bytes"]),
        max_bytes=most if most > 0 else None,
        oldest_s=max(0.0, round((now - _moment(state["first_ts"])).total_seconds(), 1)) if records else None,
        collects=bool(consumer.get("num_waiting")),
        given=int(consumer.get("num_ack_pending", 0)),
    )


def _moment(said: object) -> datetime:
    """A time of the servers, whose nanoseconds no calendar of ours holds."""
    if isinstance(said, datetime):
        return said if said.tzinfo is not None else said.replace(tzinfo=UTC)
    text = str(said)
    head, _, rest = text.partition(".")
    if rest:
        digits = rest.rstrip("Z").partition("+")[0][:6]
        return datetime.fromisoformat(f"{head}.{digits:0<6}+00:00")
    return datetime.fromisoformat(text)
