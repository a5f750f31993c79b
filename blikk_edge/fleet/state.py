"""How a site is doing now: its cameras and who watches them, its nodes and workers, and what waits for the centre."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.clock import Clock
from blikk_edge.fleet.heard import TTL_OF_WORKER_S, NodeHeard, WorkerHeard, node_heard, worker_heard
from blikk_edge.fleet.leases import LEADER, TTL_S, fence_of
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.stream_info import ANSWER_S, Waiting, moment, stream_info, waiting

if TYPE_CHECKING:
    from nats.js import JetStreamContext

_CAMERA: Final = "camera."


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A camera of the site.

    Attributes:
        id: Its id.
        owner: The node that watches it; None: nobody.
        fence: Of its lease, as in its records.
    """

    id: str
    owner: str | None = None
    fence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteState:
    """How a site is doing.

    Attributes:
        site: Its name.
        version: Of the cameras that were applied; 0: none were.
        leader: The node that speaks for the site; None: none does.
        cameras: Those that were applied, and those that somebody watches, by id.
        nodes: Its nodes, by id.
        workers: Its workers, by id.
        waiting: What waits for the centre; None where there is no stream of records.
        jobs: How many jobs wait for a worker or are with one, by kind; None where there never was a worker.
    """

    site: str
    version: int
    leader: str | None
    cameras: tuple[Watched, ...]
    nodes: tuple[NodeHeard, ...]
    workers: tuple[WorkerHeard, ...]
    waiting: Waiting | None
    jobs: Mapping[str, int] | None

    @property
    def programs(self) -> Mapping[str, tuple[str, ...]]:
        """The nodes and workers that are there, by the version of their program; "" where one does not say it."""
        found: dict[str, list[str]] = {}
        for kind, those in (("node", self.nodes), ("worker", self.workers)):
            for each in those:
                if each.here:
                    found.setdefault(each.program or "", []).append(f"{kind} {each.id}")
        return {program: tuple(found[program]) for program in sorted(found)}

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth knowing and not wrong, each a sentence."""
        if len(self.programs) <= 1:
            return ()
        said = [f"{program or 'an older one'} ({', '.join(those)})" for program, those in self.programs.items()]
        return (f"programs of different versions are there: {'; '.join(said)}",)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, each a sentence that names what."""
        return tuple(self._problems())

    def _problems(self) -> Iterator[str]:
        here = {node.id for node in self.nodes if node.here}
        for node in self.nodes:
            yield from (f"node {node.id}: {text}" for text in node.problems(self.version))
        for camera in self.cameras:
            if camera.owner is None:
                yield f"camera {camera.id}: nobody watches it"
            elif camera.owner not in here:
                yield f"camera {camera.id}: {camera.owner} is to watch it, and is not there"
        if self.cameras and here and self.leader not in here:
            yield "no node speaks for the site; one takes over within some seconds"
        for worker in self.workers:
            if worker.here:
                yield from (f"worker {worker.id}: {text}" for text in worker.problems)
        yield from self._job_problems()
        if self.waiting is not None:
            yield from self.waiting.problems
        elif senders := [node.id for node in self.nodes if node.here and node.uplink is not None]:
            yield f"there is no stream of records, though {', '.join(senders)} sends some; its log says why"

    def _job_problems(self) -> Iterator[str]:
        done = {worker.kind for worker in self.workers if worker.here}
        if self.jobs is None and done:
            yield "there is no stream of jobs, though a worker is there; its log says why"
        for kind, jobs in (self.jobs or {}).items():
            if kind not in done:
                yield f"{jobs} jobs of kind {kind} wait, and no worker is there that does them; start `blikk worker`"


async def site_state(link: Link, names: Names, *, cameras: tuple[str, ...], version: int, clock: Clock) -> SiteState:
    """How the site is doing, whose applied `cameras` have this `version`. Makes nothing there. Raises SinkError."""
    jetstream = await link.open()
    try:
        async with asyncio.timeout(3 * ANSWER_S):
            now = await _servers_now(link, names, clock)
            members = await _bucket(jetstream, names.members)
            workers = await _bucket(jetstream, names.workers)
            leases = await _bucket(jetstream, names.leases)
            client = await link.client()
            leases_made_s = _made_s(await stream_info(client, link, f"KV_{names.leases}"))
            jobs = await stream_info(client, link, names.jobs, subjects=names.job("*", "*"))
            queue = await waiting(client, link, names, clock, consumer=True)
    except Exception as error:
        raise link.error(error) from error
    owners = {
        key: (value["owner"], fence_of(leases_made_s, revision))
        for key, (value, revision, _) in leases.items()
        if _owner(value)
    }
    held = {key.removeprefix(_CAMERA): owner for key, owner in owners.items() if key.startswith(_CAMERA)}
    unwatched = (None, None)
    return SiteState(
        site=names.site,
        version=version,
        leader=owners.get(LEADER, unwatched)[0],
        cameras=tuple(
            Watched(id=id_, owner=held.get(id_, unwatched)[0], fence=held.get(id_, unwatched)[1])
            for id_ in sorted({*cameras, *held})
        ),
        nodes=tuple(node_heard(id_, says, _silent_s(at, now), TTL_S) for id_, (says, _, at) in sorted(members.items())),
        workers=tuple(
            worker_heard(id_, says, _silent_s(at, now), TTL_OF_WORKER_S)
            for id_, (says, _, at) in sorted(workers.items())
        ),
        waiting=queue,
        jobs=None if jobs is None else _by_kind(jobs["state"].get("subjects") or {}),
    )


def _by_kind(subjects: Mapping[str, int]) -> Mapping[str, int]:
    """How many messages there are of each kind of job, of how many there are of each subject."""
    found = Counter[str]()
    for subject, messages in subjects.items():
        found[subject.split(".")[-2]] += messages
    return dict(sorted(found.items()))


def _made_s(stream: Mapping[str, Any] | None) -> int:
    """When a stream was made, seconds since 1970 UTC; 0 where there is none."""
    return 0 if stream is None else int(moment(stream["created"]).timestamp())


def _owner(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("owner"), str)


def _silent_s(at: datetime, now: datetime) -> float:
    return max(0.0, (now - at).total_seconds())


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
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict) and entry.revision is not None:
                found[entry.key] = value, entry.revision, moment(entry.created)
    finally:
        await watcher.stop()  # type: ignore[no-untyped-call]  # of the library
    return found


async def _servers_now(link: Link, names: Names, clock: Clock) -> datetime:
    """The servers' time; ours where they are too old to say it."""
    client = await link.client()
    for stream in (f"KV_{names.members}", f"KV_{names.workers}", names.records):
        content = await stream_info(client, link, stream)
        if content is not None and "ts" in content:
            return moment(content["ts"])
    return datetime.fromtimestamp(clock.now(), UTC)
