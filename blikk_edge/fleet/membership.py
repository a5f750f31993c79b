"""A member of a site at work: its leases, what it keeps for a start without NATS, and cameras that are applied anew."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from blikk_edge import __version__
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError, StoreError, quote
from blikk_edge.core.ports import Memory
from blikk_edge.core.probe import FleetNote, SinkNote
from blikk_edge.fleet.applied import HISTORY, KEY, is_version
from blikk_edge.fleet.bucket import Bucket
from blikk_edge.fleet.leases import BEAT_S, Holding, Leases
from blikk_edge.fleet.link import Link, heed_cancellation
from blikk_edge.fleet.names import Names

LOG = logging.getLogger("blikk.fleet")

HOLDING: Final = "fleet/holding"
KEEP_S: Final = 0.25

BACK_S: Final = 60.0
"""So long it is waited for a member that started again before this one does."""

PROBLEMS_MAX: Final = 3


class Membership:
    """Runs the leases of this node until cancelled. `permit` is what it may watch.

    What it holds is kept in `memory`. When cameras of another version than `version` are applied, `restart` is called,
    when it is this node's turn: one after the other, in the order of their ids. `left_out` are sentences about cameras
    that cannot be watched here. `uplink` is how that sink is doing; None where the node has none. `past` is what is
    wrong with the past of the site here; None while nothing is.
    """

    name = "fleet"

    def __init__(
        self,
        link: Link,
        names: Names,
        leases: Leases,
        *,
        memory: Memory,
        clock: Clock,
        version: int,
        restart: Callable[[], None],
        left_out: Sequence[str] = (),
        uplink: Callable[[], SinkNote | None] = lambda: None,
        past: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.permit = leases
        self._names = names
        self._uplink = uplink
        self._past = past
        self.link = self._link = link
        self._memory = memory
        self._clock = clock
        self._version = version
        self._restart = restart
        self._left_out = tuple(left_out)
        self._applied = Bucket(link, names.cameras, clock=clock, history=HISTORY)
        self._there: dict[str, float] = {}
        self._waits = False

    @property
    def problem(self) -> str | None:
        """What is wrong now, in a sentence; None while all is well."""
        if (problem := self.permit.problem) is not None:
            return problem
        more = f" (and {len(self._left_out) - PROBLEMS_MAX} more)" if len(self._left_out) > PROBLEMS_MAX else ""
        if self._left_out:
            return f"cameras of the site that this node cannot watch: {'; '.join(self._left_out[:PROBLEMS_MAX])}{more}"
        if self._version == 0:
            return "the site has no cameras yet: apply some with `blikk fleet apply cameras.yaml`"
        return None

    def note(self) -> FleetNote:
        """How this member is doing now."""
        leases = self.permit
        cameras, counts = leases.cameras, leases.counts
        return FleetNote(
            site=self._names.site,
            version=self._version,
            cameras=cameras,
            elsewhere=frozenset(camera for camera in cameras if not leases.watches(camera)),
            unwatched=frozenset(leases.unwatched()),
            members=leases.members,
            held=leases.held,
            cameras_max=leases.place.cameras_max,
            refused=len(self._left_out),
            leads=leases.leads,
            connected=self._link.connected,
            sees=leases.sees,
            claims=counts["claimed"],
            moves=counts["moved"],
            claims_lost=counts["beaten"],
            handed_on=counts["handed_on"],
        )

    def says(self) -> Mapping[str, Any]:
        """What a heartbeat says of the program, for who looks at the site; members do not read it."""
        said: dict[str, Any] = {"program": __version__}
        if (problem := self.permit.problem) is not None:
            said["problem"] = quote(problem)
        if self._left_out:
            said["refused"] = [quote(text) for text in self._left_out[:PROBLEMS_MAX]]
            said["refused_count"] = len(self._left_out)
        if (past := self._past()) is not None:
            said["past"] = quote(past)
        if (uplink := self._uplink()) is not None:
            said["uplink"] = {"waiting": uplink.backlog, "problem": uplink.problem and quote(uplink.problem)}
        return said

    async def run(self) -> None:
        """Be a member until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.permit.run(), name="fleet.leases")
            group.create_task(self._keep(), name="fleet.keep")
            group.create_task(self._follow(), name="fleet.applied")

    async def close(self) -> None:
        """After `run`: say that this node is gone, and let go of the connection."""
        await self.permit.leave()
        await self._link.close()

    async def _keep(self) -> None:
        """Keep what is held, for a start without NATS."""
        kept: Holding | None = None
        while True:
            if (now := self.permit.holding) != kept:
                try:
                    await asyncio.to_thread(self._memory.remember, HOLDING, _text(now))
                    kept = now
                except StoreError as error:
                    LOG.debug("what is held is not kept: %s", error)
            await self._clock.sleep(KEEP_S)

    async def _follow(self) -> None:
        """Start again when other cameras were applied, in turn."""
        from nats.errors import Error  # noqa: PLC0415  # only a node of a fleet needs it

        try:
            while True:
                heed_cancellation()
                await self._clock.sleep(BEAT_S / 2)
                self._there |= dict.fromkeys(self.permit.alive, self._clock.monotonic())
                if not self._link.connected:
                    continue
                try:
                    async with asyncio.timeout(BEAT_S):
                        await self._applied.current()
                except (SinkError, Error, OSError, TimeoutError) as error:
                    LOG.debug("the cameras of the site cannot be looked at: %s", error)
                    continue
                value = self._applied.values.get(KEY)
                if value is None or not is_version(value.content):
                    continue
                if value.revision != self._version and self._is_turn(value.revision):
                    LOG.warning("other cameras were applied (version %d): starting again", value.revision)
                    self._version = value.revision
                    self._restart()
        finally:
            await self._applied.close()

    def _is_turn(self, version: int) -> bool:
        """Whether all members before this one know these cameras, and none comes or goes."""
        if self._version == 0:
            return True  # there is nothing to hand over
        now, alive = self._clock.monotonic(), self.permit.alive
        if not self.permit.calm or any(member.leaving for member in alive.values()):
            return False
        before = [member for member, at in self._there.items() if member < self.permit.me and now - at < BACK_S]
        turn = all(member in alive and alive[member].version == version for member in before)
        if not turn and not self._waits:
            LOG.info("other cameras were applied (version %d): waiting for the nodes before this one", version)
            self._waits = True
        return turn


def recalled(memory: Memory) -> Holding:
    """What this node held last; nothing where that is not known."""
    try:
        found = json.loads(memory.recall(HOLDING) or "{}")
        fences = {str(camera): int(fence) for camera, fence in found.get("fences", {}).items()}
        return Holding(fences=fences, leads=found.get("leads") is True)
    except (ValueError, TypeError, AttributeError, StoreError):
        return Holding()


def _text(holding: Holding) -> str:
    return json.dumps({"fences": dict(holding.fences), "leads": holding.leads})
