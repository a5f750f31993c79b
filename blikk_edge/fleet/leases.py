"""Who watches which camera: a member's heartbeat, what it sees of the others, and its claims by compare-and-set."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.placing import Place, Wanted, placed

if TYPE_CHECKING:
    from nats.js.kv import KeyValue

LOG = logging.getLogger("blikk.fleet")

TTL_S: Final = 6.0
BEAT_S: Final = 2.0
LOOKS: Final = 4
"""So often in the time of a beat it is looked whether somebody is gone."""

BEHIND: Final = 2
"""After so many beats in which nothing came of what is there, a bucket is listened to anew."""

ANSWER_S: Final = 3.0
MOST_COPIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Why a member watches a camera.

    Attributes:
        owner: The member.
        revision: Of the key, which is the fence.
    """

    owner: str
    revision: int


@dataclass(slots=True)
class _Bucket:
    """A bucket that is listened to: its newest values by key, with their revisions and when they came."""

    name: str
    values: dict[str, tuple[dict[str, Any], int, float]] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    """Of every key, those that were removed included: with what a key is made anew."""

    seen: int = 0
    behind: int = 0
    kv: "KeyValue | None" = None
    listening: asyncio.Task[None] | None = None


class Leases:
    """The cameras that this member may watch, of those that are `wanted`; `place` is said to the others.

    `run` keeps it so until cancelled. A member counts as gone when its heartbeat has not changed for `ttl_s` by the
    clock of who looks. Without NATS what is held stays; a process that did not run for `ttl_s` speaks for nothing until
    it has seen what it still holds, or has known for `ttl_s` that there is no NATS. `fence` is safe from any thread.
    """

    name = "fleet"

    def __init__(
        self,
        link: Link,
        names: Names,
        place: Place,
        *,
        wanted: Iterable[Wanted],
        clock: Clock,
        ttl_s: float = TTL_S,
        beat_s: float = BEAT_S,
        copies: int = 1,
    ) -> None:
        self._link = link
        self._place = place
        self._wanted = tuple(wanted)
        self._clock = clock
        self._ttl_s = ttl_s
        self._beat_s = beat_s
        self._copies = MOST_COPIES if copies >= MOST_COPIES else 1
        self._members = _Bucket(names.members)
        self._leases = _Bucket(names.leases)
        self._held: dict[str, int] = {}
        self._beats = 0
        self._ran_at = clock.monotonic()
        self._beat_at = -beat_s
        self._doubted_at: float | None = None
        self._live = False

    @property
    def problem(self) -> str | None:
        """What is wrong now; None while it is connected."""
        return self._link.problem

    def fence(self, camera: str) -> int | None:
        """The fence with which this member speaks for a camera now; None where it does not."""
        # asked before the loop had its turn: a process that was stopped goes on in any of its threads
        if self._doubted_at is not None or self._clock.monotonic() - self._ran_at > self._ttl_s:
            return None
        return self._held.get(camera)

    def owner(self, camera: str) -> str | None:
        """The member that watches a camera, as far as is known here."""
        lease = self._lease(camera)
        return None if lease is None else lease.owner

    async def run(self) -> None:
        """Beat, look and claim until cancelled. Raises nothing that is expected: see `problem`."""
        try:
            while True:
                self._look_at_clock()
                if self._clock.monotonic() - self._beat_at >= self._beat_s:
                    await self._beat()
                if self._live:
                    await self._look()
                await self._clock.sleep(self._beat_s / LOOKS)
        finally:
            for bucket in (self._members, self._leases):
                await _unheard(bucket)

    def _look_at_clock(self) -> None:
        now = self._clock.monotonic()
        if now - self._ran_at > self._ttl_s:
            LOG.warning("this process did not run for %.0f s: it waits for what it still owns", now - self._ran_at)
            self._doubted_at = now
            self._lose_sight()
        self._ran_at = now
        if self._doubted_at is not None and not self._live and now - self._doubted_at > self._ttl_s:
            self._doubted_at = None

    def _lose_sight(self) -> None:
        """What was seen last is old: nobody is gone because of it."""
        self._live, self._beat_at = False, -self._beat_s
        now = self._clock.monotonic()
        for key, (value, revision, _) in self._members.values.items():
            self._members.values[key] = value, revision, now

    async def _beat(self) -> None:
        from nats.errors import Error  # noqa: PLC0415  # only a node of a fleet needs it

        self._beat_at, self._beats = self._clock.monotonic(), self._beats + 1
        place = self._place
        said = {
            "beat": self._beats,
            "cameras_max": place.cameras_max,
            "load": round(place.load, 2),
            "near": sorted(place.near),
        }
        try:
            async with asyncio.timeout(ANSWER_S):
                members, _ = [await self._open(bucket) for bucket in (self._members, self._leases)]
                await members.put(place.member, json.dumps(said).encode())
                current = [await self._current(bucket) for bucket in (self._members, self._leases)]
        except (SinkError, Error, OSError, TimeoutError) as error:
            LOG.debug("no beat: %s", error)
            self._lose_sight()
            self._beat_at = self._clock.monotonic()
        else:
            if not self._live and all(current):
                self._lose_sight()
                self._beat_at, self._live, self._doubted_at = self._clock.monotonic(), True, None
                self._drop_lost()

    async def _open(self, bucket: _Bucket) -> "KeyValue":
        if bucket.kv is None:
            from nats.js.api import KeyValueConfig  # noqa: PLC0415  # as above

            jetstream = await self._link.open()
            config = KeyValueConfig(bucket=bucket.name, history=1, replicas=self._copies)
            bucket.kv = await jetstream.create_key_value(config)
        if bucket.listening is None or bucket.listening.done():
            bucket.seen = bucket.behind = 0
            bucket.listening = asyncio.create_task(self._listen(bucket, bucket.kv), name=bucket.name)
        return bucket.kv

    async def _current(self, bucket: _Bucket) -> bool:
        """Whether all that is there has been seen; where nothing comes for long, it is listened to anew."""
        assert bucket.kv is not None  # opened before
        newest = (await bucket.kv.status()).stream_info.state.last_seq
        if bucket.seen >= newest:
            bucket.behind = 0
            return True
        bucket.behind += 1
        if bucket.behind > BEHIND:
            await _unheard(bucket)
        return False

    async def _listen(self, bucket: _Bucket, kv: "KeyValue") -> None:
        from nats.errors import Error  # noqa: PLC0415  # as above

        with contextlib.suppress(Error, OSError, TimeoutError):
            watcher = await kv.watchall()
            try:
                async for entry in watcher:
                    if entry is not None and entry.revision is not None:
                        self._heard(bucket, entry.key, entry.value, entry.revision)
            finally:
                with contextlib.suppress(Error, OSError, TimeoutError):
                    await watcher.stop()  # type: ignore[no-untyped-call]  # of the library

    def _heard(self, bucket: _Bucket, key: str, raw: bytes | None, revision: int) -> None:
        bucket.seen = max(bucket.seen, revision)
        if revision <= bucket.revisions.get(key, 0):
            return  # of the listening before
        bucket.revisions[key] = revision
        try:
            value = json.loads(raw or b"null")
        except ValueError:
            value = None
        if isinstance(value, dict):
            bucket.values[key] = value, revision, self._clock.monotonic()
        else:
            bucket.values.pop(key, None)

    def _lease(self, camera: str) -> Lease | None:
        value, revision, _ = self._leases.values.get(_key(camera), ({}, 0, 0.0))
        owner = value.get("owner")
        return Lease(owner=owner, revision=revision) if isinstance(owner, str) else None

    def _alive(self) -> list[Place]:
        now = self._clock.monotonic()
        seen = {key: value for key, (value, _, at) in self._members.values.items() if now - at <= self._ttl_s}
        seen.pop(self._place.member, None)
        return [self._place, *(_place(member, value) for member, value in seen.items())]

    def _drop_lost(self) -> None:
        """Drop what another has claimed."""
        for camera in list(self._held):
            lease = self._lease(camera)
            if lease is not None and lease.owner != self._place.member:
                LOG.info("%s: %s watches it now", camera, lease.owner)
                del self._held[camera]

    async def _look(self) -> None:
        self._drop_lost()
        alive = self._alive()
        there = {place.member for place in alive}
        watched: dict[str, list[str]] = {}
        free: list[Wanted] = []
        for each in self._wanted:
            lease = self._lease(each.camera)
            own = lease is not None and lease.owner == self._place.member and each.camera not in self._held
            if lease is None or lease.owner not in there or own:
                free.append(each)
            else:
                watched.setdefault(lease.owner, []).append(each.camera)
        plan = placed(free, alive, watched)
        await self._claim([camera for camera, member in plan.items() if member == self._place.member])

    async def _claim(self, cameras: Sequence[str]) -> None:
        from nats.errors import Error  # noqa: PLC0415  # as above
        from nats.js.errors import KeyWrongLastSequenceError  # noqa: PLC0415

        value = {"owner": self._place.member}
        for camera in cameras:
            key, kv = _key(camera), self._leases.kv
            assert kv is not None  # it is live
            try:
                async with asyncio.timeout(ANSWER_S):
                    revision = await kv.update(key, json.dumps(value).encode(), self._leases.revisions.get(key, 0))
            except KeyWrongLastSequenceError:
                continue  # another was faster, which will be heard
            except (Error, OSError, TimeoutError) as error:
                LOG.debug("%s: not claimed: %s", camera, error)
                return
            self._heard(self._leases, key, json.dumps(value).encode(), revision)
            self._held[camera] = revision
            LOG.info("%s: watched here from now on (fence %d)", camera, revision)


def _key(camera: str) -> str:
    return f"camera.{camera}"


def _place(member: str, value: dict[str, Any]) -> Place:
    """What another member says; one that says nonsense has no room."""
    most, load, near = value.get("cameras_max"), value.get("load"), value.get("near")
    return Place(
        member=member,
        cameras_max=most if isinstance(most, int) else 0,
        load=load if isinstance(load, int | float) else 0.0,
        near=frozenset(each for each in near if isinstance(each, str)) if isinstance(near, list) else frozenset(),
    )


async def _unheard(bucket: _Bucket) -> None:
    task, bucket.listening = bucket.listening, None
    if task is not None:
        task.cancel()
        await asyncio.wait((task,), timeout=ANSWER_S)
