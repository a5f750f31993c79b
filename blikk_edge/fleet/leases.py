"""Who watches which camera: a member's heartbeat, what it sees of the others, and its claims by compare-and-set."""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError, some_of
from blikk_edge.fleet.bucket import Bucket
from blikk_edge.fleet.link import Link, heed_cancellation
from blikk_edge.fleet.member import Member, member_content, read_member
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.placing import Place, Wanted, moves, placed

LOG = logging.getLogger("blikk.fleet")

TTL_S: Final = 6.0
BEAT_S: Final = 2.0
LOOKS: Final = 4
"""So often in the time of a beat it is looked whether somebody is gone."""

ANSWER_S: Final = 3.0

AHEAD_S: Final = 15.0
"""So long a camera is watched ahead that shows nothing; then it is given up, and left alone for AGAIN_S."""

AGAIN_S: Final = 60.0
AHEAD_MAX: Final = 4
"""So many cameras at once are moved to a member that has less to do."""

NOBODY_S: Final = 5.0
"""A camera that nobody holds for so long is not watched; before that it is on its way to somebody."""

CLAIMS: Final = 8
"""So many claims are on their way at once: NATS may need long for each, and the next beat waits for them."""

HAND_OVER_S: Final = 5.0
"""So long a stop waits for others; with the end of the node it has to fit into the 10 s that Docker gives."""

FORGET_S: Final = 86_400.0
"""A member that has been gone for so long is forgotten: nobody is to be told of it for ever."""

NAMED: Final = 5
REVISION_BITS: Final = 21
"""Two million leases before one bucket could meet the fences of the next; with the seconds 52 bits of JSON's 53."""

LEADER: Final = "leader"
_OF_CAMERA: Final = "camera."


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Why a member watches a camera.

    Attributes:
        owner: The member.
        revision: Of the key, which makes the fence.
    """

    owner: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a member holds, kept for a start without NATS.

    Attributes:
        fences: The fence of each camera.
        leads: Whether it speaks for the site.
    """

    fences: Mapping[str, int] = field(default_factory=dict)
    leads: bool = False


class Leases:
    """The cameras that this member may watch, of those that are `wanted`; `place` is said to the others.

    `run` keeps it so until cancelled. A member counts as gone when its heartbeat has not changed for `ttl_s` by the
    clock of who looks. Without NATS what is held stays; a process that did not run for long speaks for nothing until
    it has seen what it still holds, or has known for `ttl_s` that there is no NATS. Where there is no NATS from the
    start, it holds what it held `last`. `version` is that of the cameras: members with an older one get no more.
    `load` is how busy this machine is, 0..1; `says` is what else a heartbeat says, for people and programs that look at
    the site. What is asked by others is safe from any thread.
    """

    def __init__(
        self,
        link: Link,
        names: Names,
        place: Place,
        *,
        wanted: Iterable[Wanted],
        clock: Clock,
        version: int = 0,
        last: Holding | None = None,
        load: Callable[[], float] = lambda: 0.0,
        says: Callable[[], Mapping[str, Any]] = dict,
        ttl_s: float = TTL_S,
        beat_s: float = BEAT_S,
        forget_s: float = FORGET_S,
    ) -> None:
        self._link = link
        self._me = Member(place=place, version=version)
        self._wanted = tuple(wanted)
        self._clock = clock
        self._load = load
        self._says = says
        self._last = last or Holding()
        self._ttl_s = ttl_s
        self._beat_s = beat_s
        self._forget_s = forget_s
        self._pause_s = 0.75 * (ttl_s - beat_s)
        """A pause after which another may have taken a camera: the last beat was up to `beat_s` before it."""
        self._run_id = f"{int(clock.now() * 1000):014d}-{secrets.token_hex(4)}"
        self._rival_at: float | None = None
        self._members = Bucket(link, names.members, clock=clock, changed=self._heard_member)
        self._leases = Bucket(link, names.leases, clock=clock, changed=self._heard_lease)
        self._held: dict[str, int] = {}
        self._leads = False
        self._ahead: dict[str, float] = {}  # since when
        self._frames: set[str] = set()
        self._given_up: dict[str, float] = {}
        self._nobody: dict[str, float] = {}  # since when
        self._alive: dict[str, Member] = {place.member: self._me}
        self._changed_at = self._began_at = self._ran_at = clock.monotonic()
        self._beats = 0
        self._beat_at = -beat_s
        self._doubted_at: float | None = None
        self._behind = False
        self._live = False
        self._was_live = False
        self.counts: Counter[str] = Counter()
        """How many cameras were `claimed` that nobody held, `moved` here and `handed_on`; claims that were `beaten`."""

    # -- what is asked -------------------------------------------------------------------------------------------

    @property
    def me(self) -> str:
        """This member."""
        return self._me.place.member

    @property
    def problem(self) -> str | None:
        """What is wrong now, in a sentence; None while all is well."""
        if self._rival():
            return f"another node calls itself {self.me}: this one watches nothing; give each a `node.id` of its own"
        if (nobody := self.unwatched()) and self.leads:
            named = some_of(sorted(nobody), NAMED)
            return f"nobody has room for {named}: start another node, or raise `fleet.cameras_max`"
        return self._link.problem

    @property
    def holding(self) -> Holding:
        """What it holds now; before it has seen NATS what it held last, as it may have to do with that."""
        if not self._was_live and not self._held:
            return self._last
        return Holding(fences=dict(self._held), leads=self._leads)

    @property
    def leads(self) -> bool:
        """Whether this member speaks for the site."""
        return self._leads and not self._doubted

    @property
    def alone(self) -> bool:
        """Whether no other member is there, as far as is known."""
        return len(self._alive) == 1

    @property
    def alive(self) -> Mapping[str, Member]:
        """The members that are there, this one included, by id."""
        return self._alive

    @property
    def place(self) -> Place:
        """What this member can watch."""
        return self._me.place

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras of the site, as this member knows them."""
        return tuple(each.camera for each in self._wanted)

    @property
    def members(self) -> Mapping[str, bool]:
        """Whether a member is there, by id; one that has stopped as planned is not among them."""
        return dict.fromkeys((self.me, *self._members.values), False) | dict.fromkeys(self._alive, True)

    @property
    def held(self) -> int:
        """How many cameras this member holds."""
        return len(self._held)

    @property
    def sees(self) -> bool:
        """Whether heartbeats get through, and those of the others are heard."""
        return self._live

    @property
    def calm(self) -> bool:
        """Whether it sees the others, and none has come or gone for two beats."""
        return self._live and self._clock.monotonic() - self._changed_at > 2 * self._beat_s

    def watches(self, camera: str) -> bool:
        """Whether this member is to have the stream open: it holds the camera, or is about to."""
        return camera in self._held or camera in self._ahead

    def fence(self, camera: str) -> int | None:
        """The fence with which this member speaks for a camera now; None where it does not."""
        return None if self._doubted else self._held.get(camera)

    def seen(self, camera: str) -> None:
        """Frames of a camera come that is watched ahead: it may be claimed."""
        if camera in self._ahead:
            self._frames.add(camera)

    def owner(self, camera: str) -> str | None:
        """The member that watches a camera, as far as is known here."""
        lease = self._lease(_key(camera))
        return None if lease is None else lease.owner

    def has_lost(self, camera: str, fence: int) -> bool:
        """Whether who saw something of a camera under this fence watches it no more: another does, or that one is gone.

        False where that is not known here.
        """
        lease = self._lease(_key(camera))
        if lease is None or not self._live or not self._leases.made_s:
            return False
        return lease.owner not in self._alive or fence_of(self._leases.made_s, lease.revision) > fence

    def others_watch(self, camera: str) -> bool:
        """Whether another member that is there watches a camera, as far as is known now."""
        owner = self.owner(camera)
        return self._live and owner != self.me and owner in self._alive

    def elsewhere(self, camera: str) -> str | None:
        """In a sentence why a camera is not watched here; None where it is."""
        if self.watches(camera):
            return None
        owner = self.owner(camera)
        if owner is not None and owner != self.me and camera not in self._nobody:
            return f"{owner} watches it"
        return "no node of the site watches it now"

    def unwatched(self) -> Collection[str]:
        """The cameras that nobody has held for a while."""
        now = self._clock.monotonic()
        return tuple(camera for camera, since in dict(self._nobody).items() if now - since > NOBODY_S)

    @property
    def _doubted(self) -> bool:
        # asked before the loop had its turn: a process that was stopped goes on in any of its threads
        return self._doubted_at is not None or self._clock.monotonic() - self._ran_at > self._pause_s

    # -- what is done --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Beat, look and claim until cancelled. Raises nothing that is expected: see `problem`."""
        ticking = asyncio.create_task(self._tick(), name="fleet.clock")
        try:
            while True:
                heed_cancellation()
                due = self._clock.monotonic() - self._beat_at >= self._beat_s
                if (due or self._behind) and not self._rival():
                    await self._beat(says=due)
                if self._live and not self._rival():
                    await self._look()
                await self._clock.sleep(self._beat_s / LOOKS)
        finally:
            ticking.cancel()
            for bucket in (self._members, self._leases):
                await bucket.close()

    async def _tick(self) -> None:
        """Look at the clock, whatever a beat waits for: a gap means that the process did not run."""
        while True:
            self._look_at_clock()
            await self._clock.sleep(self._beat_s / LOOKS)

    async def hand_over(self, limit_s: float = HAND_OVER_S) -> None:
        """This member is about to stop: wait until others hold its cameras, as far as they have room."""
        if not self._live or self.alone:
            return
        self._me = replace(self._me, leaving=True)
        self._beat_at = -self._beat_s
        deadline = self._clock.monotonic() + limit_s
        while (self._held or self._leads) and self._live and self._clock.monotonic() < deadline:
            staying = [each for each in self._alive.values() if not each.leaving]
            if not staying or (not self._leads and not any(self._room(each) for each in staying)):
                break
            await self._clock.sleep(self._beat_s / LOOKS / 4)
        if self._held:
            LOG.warning("nobody has taken over yet: %s", ", ".join(sorted(self._held)))

    async def leave(self) -> None:
        """After `run`: say that this member is gone, so that nobody has to wait until it counts as gone."""
        from nats.errors import Error  # noqa: PLC0415  # only a node of a fleet needs it

        try:
            async with asyncio.timeout(1.0):
                if self._was_live and self._link.connected and not self._rival():
                    await self._members.remove(self.me)
        except (SinkError, Error, OSError, TimeoutError) as error:
            LOG.debug("not said that it is gone: %s", error)
        finally:
            await self._members.close()

    def _look_at_clock(self) -> None:
        now = self._clock.monotonic()
        if now - self._ran_at > self._pause_s:
            LOG.warning("this process did not run for %.0f s: it waits for what it still holds", now - self._ran_at)
            self._doubted_at = now
            self._lose_sight()
        self._ran_at = now
        if self._live:
            return
        if self._doubted_at is not None and now - self._doubted_at > self._ttl_s:
            self._doubted_at = None
        if not self._was_live and now - self._began_at > self._ttl_s and (self._last.fences or self._last.leads):
            wanted = {each.camera for each in self._wanted}
            self._held = {camera: fence for camera, fence in self._last.fences.items() if camera in wanted}
            self._leads, self._last = self._last.leads, Holding()
            LOG.warning("there is no NATS: this node watches the %d cameras that it had last", len(self._held))

    def _lose_sight(self) -> None:
        """What was seen last is old: nobody is gone because of it, and nobody is back."""
        self._live, self._beat_at = False, -self._beat_s
        self._members.refresh(self._alive)

    async def _beat(self, *, says: bool) -> None:
        """Say that this member is there, unless it is not due yet, and see whether all has been heard."""
        from nats.errors import Error  # noqa: PLC0415  # as above

        buckets = (self._members, self._leases)
        if says:
            self._beat_at, self._beats = self._clock.monotonic(), self._beats + 1
            self._me = replace(self._me, place=replace(self._me.place, load=self._load()))
            self._alive[self.me] = self._me
        try:
            async with asyncio.timeout(ANSWER_S):
                for bucket in buckets:
                    await bucket.open()
                if says:
                    await self._members.put(self.me, self._content())
                current = [await bucket.current() for bucket in buckets]
        except (SinkError, Error, OSError, TimeoutError) as error:
            LOG.debug("no beat: %s", error)
            self._lose_sight()
            self._beat_at = self._clock.monotonic()
        else:
            self._behind = not all(current)
            if not self._live and not self._behind:
                self._lose_sight()
                self._beat_at = self._clock.monotonic()
                self._live = self._was_live = True
                self._doubted_at, self._changed_at = None, self._beat_at
                self._drop_lost()

    def _content(self) -> Mapping[str, Any]:
        return {**self._says(), **member_content(self._me, self._beats, run=self._run_id)}

    def _heard_member(self, key: str) -> None:
        """Of two processes with the same id the one that started last is the member."""
        value = self._members.values.get(key)
        if key != self.me or value is None or not isinstance(run := value.content.get("run"), str):
            return
        if run > self._run_id:
            self._rival_at = self._clock.monotonic()
            self._held, self._ahead, self._leads = {}, {}, False

    def _rival(self) -> bool:
        return self._rival_at is not None and self._clock.monotonic() - self._rival_at <= self._ttl_s

    def _heard_lease(self, key: str) -> None:
        if self._live:
            self._drop_lost([key])

    def _lease(self, key: str) -> Lease | None:
        value = self._leases.values.get(key)
        owner = None if value is None else value.content.get("owner")
        return Lease(owner=owner, revision=value.revision) if value and isinstance(owner, str) else None

    def _drop_lost(self, keys: Iterable[str] | None = None) -> None:
        """Drop what another has claimed: of these keys, or of all."""
        for key in keys or [*map(_key, self._held), LEADER]:
            lease = self._lease(key)
            if lease is None or lease.owner == self.me:
                continue
            if key == LEADER and self._leads:
                LOG.info("%s speaks for the site now", lease.owner)
                self._leads = False
            elif (camera := _camera(key)) in self._held:
                LOG.info("%s: %s watches it now", camera, lease.owner, extra={"camera": camera})
                self.counts["handed_on"] += 1
                del self._held[camera]

    async def _look_who_is_there(self) -> None:
        found = self._beating()
        if self._alive.keys() - found.keys() and not await self._has_heard_all():
            return  # they may have said more than came
        now, found = self._clock.monotonic(), self._beating()
        if found.keys() != self._alive.keys():
            self._changed_at = now
            for member in sorted(found.keys() ^ self._alive.keys()):
                LOG.info("node %s is %s", member, "there" if member in found else "gone")
        self._alive = found

    def _beating(self) -> dict[str, Member]:
        """This member, and those whose heartbeat came within TTL."""
        now = self._clock.monotonic()
        others = {key: value for key, value in self._members.values.items() if now - value.heard_at <= self._ttl_s}
        return {key: read_member(key, value.content) for key, value in others.items()} | {self.me: self._me}

    async def _has_heard_all(self) -> bool:
        """Whether all that members said came here; where NATS does not answer, it is lost from sight."""
        from nats.errors import Error  # noqa: PLC0415  # as above

        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._members.current()
        except (SinkError, Error, OSError, TimeoutError) as error:
            LOG.debug("not seen who is there: %s", error)
            self._lose_sight()
            return False

    def _room(self, member: Member) -> int:
        owners = [self.owner(each.camera) for each in self._wanted]
        return max(0, member.place.cameras_max - owners.count(member.place.member))

    async def _look(self) -> None:
        self._drop_lost()
        await self._look_who_is_there()
        if not self._live:
            return
        now = self._clock.monotonic()
        held: dict[str, list[str]] = {}
        free: list[Wanted] = []
        going: list[Wanted] = []
        for each in self._wanted:
            owner = self.owner(each.camera)
            member = None if owner is None else self._alive.get(owner)
            if member is None or (owner == self.me and each.camera not in self._held):
                free.append(each)
            elif each.camera in self._ahead:
                held.setdefault(self.me, []).append(each.camera)  # it takes room here already
            elif member.leaving:
                going.append(each)
            else:
                held.setdefault(member.place.member, []).append(each.camera)
        self._nobody = {each.camera: self._nobody.get(each.camera, now) for each in free}
        if self._me.leaving:
            return
        peers = [each.place for each in self._alive.values() if not each.leaving and each.version >= self._me.version]
        plan = placed([*free, *going], peers, held)
        mine = [each for each in free if plan.get(each.camera) == self.me or each.camera in self._ahead]
        await self._claim([each.camera for each in mine])
        for each in going:
            if plan.get(each.camera) == self.me and not self._rests(each.camera):
                self._ahead[each.camera] = now
        if self._settled():
            wanted = [each for each in self._wanted if not self._rests(each.camera)]
            for camera in moves(wanted, peers, held, me=self.me)[: max(0, AHEAD_MAX - len(self._ahead))]:
                self._ahead[camera] = now
        await self._claim_ahead(now)
        await self._lead(peers)
        if self.leads:
            await self._forget(now)

    def _settled(self) -> bool:
        """Whether cameras may be moved to who has less to do: nobody comes or goes."""
        same = all(each.version == self._me.version and not each.leaving for each in self._alive.values())
        return same and self.calm

    def _rests(self, camera: str) -> bool:
        """Whether a camera was watched ahead in vain a short while ago."""
        return self._clock.monotonic() - self._given_up.get(camera, -AGAIN_S) < AGAIN_S

    async def _claim_ahead(self, now: float) -> None:
        """Claim what is watched ahead and shows frames; give up what shows none."""
        await self._claim([camera for camera in self._ahead if camera in self._frames])
        for camera, since in list(self._ahead.items()):
            if camera in self._held:
                del self._ahead[camera]
            elif now - since > AHEAD_S or self.owner(camera) not in self._alive:
                self._given_up[camera] = now
                del self._ahead[camera]
        self._frames &= self._ahead.keys()

    async def _lead(self, peers: Sequence[Place]) -> None:
        leader = self._lease(LEADER)
        member = None if leader is None else self._alive.get(leader.owner)
        vacant = member is None or member.leaving or (member is self._me and not self._leads)
        turn = vacant and min((peer.member for peer in peers), default="") == self.me
        if turn and await self._claimed(LEADER) is not None:
            self._leads = True
            LOG.info("this node speaks for the site from now on")

    async def _forget(self, now: float) -> None:
        """Remove the heartbeats of members that have been gone for long, as far as this one has looked."""
        from nats.errors import Error  # noqa: PLC0415  # as above

        for key, value in list(self._members.values.items()):
            if key in self._alive or now - value.heard_at <= self._forget_s:
                continue
            try:
                async with asyncio.timeout(ANSWER_S):
                    await self._members.remove(key, revision=value.revision)
            except (SinkError, Error, OSError, TimeoutError) as error:  # it has just come back, or NATS is away
                LOG.debug("node %s is not forgotten: %s", key, error)
            else:
                LOG.info("node %s has been gone for %.0f s and is forgotten", key, now - value.heard_at)

    async def _claim(self, cameras: Sequence[str]) -> None:
        """Claim these, until a beat is due: what is left comes after it."""
        for first in range(0, len(cameras), CLAIMS):
            if first and self._clock.monotonic() - self._beat_at >= self._beat_s:
                return
            await asyncio.gather(*map(self._claim_one, cameras[first : first + CLAIMS]))

    async def _claim_one(self, camera: str) -> None:
        owner = self.owner(camera)
        revision = await self._claimed(_key(camera))
        if revision is not None:
            self.counts["moved" if owner != self.me and owner in self._alive else "claimed"] += 1
            self._held[camera] = fence_of(self._leases.made_s, revision)
            self._nobody.pop(camera, None)
            fence = self._held[camera]
            LOG.info("%s: watched here from now on (fence %d)", camera, fence, extra={"camera": camera})

    async def _claimed(self, key: str) -> int | None:
        """The revision with which a key is ours now; None where another was faster, or NATS did not answer."""
        from nats.errors import Error  # noqa: PLC0415  # as above

        try:
            async with asyncio.timeout(ANSWER_S):
                revision = await self._leases.claim(key, {"owner": self.me})
        except (SinkError, Error, OSError, TimeoutError) as error:
            LOG.debug("%s: not claimed: %s", key, error)
            self._lose_sight()
            return None
        if revision is None:
            self.counts["beaten"] += 1
        return revision


def fence_of(made_s: int, revision: int) -> int:
    """The fence of a lease: it grows with each, also when the bucket is lost and made anew; an exact number in JSON."""
    return (made_s << REVISION_BITS) + revision


def _key(camera: str) -> str:
    return f"{_OF_CAMERA}{camera}"


def _camera(key: str) -> str:
    return key.removeprefix(_OF_CAMERA)
