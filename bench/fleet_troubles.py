"""The troubles of `fleet.py`: each does one thing to a site at work, and says how soon its cameras were owned again."""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from fleet_site import SITE, Fleet, leads

from nats_server import NatsServer  # isort: skip

from blikk_edge.fleet.leases import TTL_S
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions

AWAY_S: Final = 2 * TTL_S
SLOW_SERVER_S: Final = 0.02
SLOW_DATABASE_S: Final = 0.1
"""How much longer each sync takes of a disk that is slow."""

STOP_S: Final = 10.0
NAMES: Final = Names(SITE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        what: What was done.
        owned_s: How long until each camera was owned again by a node that is there.
        more: What else there is to say.
        wrong: What should not have been.
        floor_s: How much longer it takes at least, by the disk of a server that is slow: a write for each camera.
    """

    what: str
    owned_s: float
    more: str = ""
    wrong: str = ""
    floor_s: float = 0.0


def node_killed(fleet: Fleet) -> Outcome:
    """A node dies: the one with the most cameras that does not lead."""
    return _killed(fleet, fleet.fullest(but=fleet.leader()), "a node")


def leader_killed(fleet: Fleet) -> Outcome:
    """The node dies that speaks for the site."""
    return _killed(fleet, fleet.leader(), "the node that leads")


def node_paused(fleet: Fleet) -> Outcome:
    """A node stands still for longer than TTL and wakes up: it speaks for nothing that others own by then."""
    name = fleet.fullest()
    lost, node = fleet.held(name), fleet.nodes[name]
    before, began = fleet.said(name, " watches it now"), time.monotonic()
    node.signal(signal.SIGSTOP)
    fleet.away.add(name)
    owned = fleet.until(fleet.all_owned, "owners") - began
    time.sleep(max(0.0, AWAY_S - (time.monotonic() - began)))
    woken = time.monotonic()
    node.signal(signal.SIGCONT)
    fleet.until(lambda: fleet.said(name, " watches it now") >= before + len(lost), "it lets go")
    let_go = time.monotonic() - woken
    fleet.away.remove(name)
    return Outcome(
        what=f"SIGSTOP of a node with {len(lost)}", owned_s=owned, more=f"lets go {let_go:.1f} s after it woke"
    )


def node_cut_off(fleet: Fleet) -> Outcome:
    """The link of a node to all NATS servers is cut and heals: it goes on meanwhile, and drops what others own."""
    assert fleet.cut is not None
    name = list(fleet.nodes)[-1]
    fleet.until(lambda: len(fleet.held(name)) > fleet.count // 10, "cameras of that node")
    lost = fleet.held(name)
    before, began = fleet.said(name, " watches it now"), time.monotonic()
    fleet.cut.cut()
    fleet.away.add(name)
    try:
        owned = fleet.until(fleet.all_owned, "owners") - began
        time.sleep(max(0.0, AWAY_S - (time.monotonic() - began)))
    finally:
        fleet.cut.heal()
    healed = time.monotonic()
    fleet.until(lambda: fleet.said(name, " watches it now") >= before + len(lost), "it lets go")
    let_go = time.monotonic() - healed
    fleet.away.remove(name)
    return Outcome(
        what=f"a node with {len(lost)} cut off from NATS", owned_s=owned, more=f"lets go {let_go:.1f} s after it healed"
    )


def planned_stop(fleet: Fleet) -> Outcome:
    """A node is stopped by SIGTERM: it hands over what it has, and nobody says that the site is offline."""
    name = fleet.fullest(but=fleet.leader())
    lost, node = len(fleet.held(name)), fleet.nodes[name]
    began = time.monotonic()
    node.signal(signal.SIGTERM)
    status = node.wait()
    ended = time.monotonic() - began
    left = len(fleet.held(name))
    owned = fleet.until(fleet.all_owned, "owners") - began - ended
    node.start()
    wrong = [f"it ended with {status}"] if status else []
    wrong += [f"it took longer than the {STOP_S:.0f} s that Docker gives"] if ended > STOP_S else []
    return Outcome(
        what=f"SIGTERM of a node with {lost}",
        owned_s=owned,
        more=f"ended after {ended:.1f} s, {left} not handed over",
        wrong="; ".join(wrong),
    )


def server_killed(fleet: Fleet) -> Outcome:
    """The NATS server dies that leads the stream of the leases: no camera changes its owner."""
    server = leads(fleet, f"KV_{NAMES.leases}")
    before, began = fleet.owners(), time.monotonic()
    server.kill()
    time.sleep(AWAY_S)
    server.start()
    owned = fleet.until(fleet.all_owned, "owners") - began - AWAY_S
    moved = sum(owner != before[camera] for camera, owner in fleet.owners().items())
    return Outcome(
        what=f"kill -9 of the NATS server {server.name}", owned_s=owned, more=f"{moved} cameras moved meanwhile"
    )


def database_restarted(fleet: Fleet) -> Outcome:
    """PostgreSQL dies and is back later."""
    before = fleet.owners()
    fleet.postgres.kill()
    time.sleep(AWAY_S)
    fleet.postgres.start()
    moved = sum(owner != before[camera] for camera, owner in fleet.owners().items())
    return Outcome(what=f"kill -9 of PostgreSQL, back after {AWAY_S:.0f} s", owned_s=0.0, more=f"{moved} cameras moved")


def slow_server(fleet: Fleet) -> Outcome:
    """The disk of the NATS server that leads the leases needs long for each write, and a node dies."""
    server = leads(fleet, f"KV_{NAMES.leases}")
    _restarted(server, slow(SLOW_SERVER_S))
    asyncio.run(_have_lead(fleet, server))
    node = fleet.fullest(but=fleet.leader())
    floor_s = len(fleet.held(node)) * SLOW_SERVER_S
    outcome = _killed(fleet, node, f"a node, NATS syncs in {SLOW_SERVER_S * 1000:.0f} ms")
    led = leads(fleet, f"KV_{NAMES.leases}") is server
    _restarted(server, ())
    return replace(outcome, floor_s=floor_s, more="" if led else "another server led at the end")


def slow_database(fleet: Fleet) -> Outcome:
    """The disk of PostgreSQL needs long for each write."""
    before = fleet.owners()
    fleet.slow_down_database(SLOW_DATABASE_S)
    began = time.monotonic()
    fleet.query("CREATE TABLE slow AS SELECT 1")
    commit_s = time.monotonic() - began
    fleet.query("DROP TABLE slow")
    time.sleep(2 * AWAY_S)
    fleet.slow_down_database(0.0)
    moved = sum(owner != before[camera] for camera, owner in fleet.owners().items())
    return Outcome(
        what=f"PostgreSQL syncs in {SLOW_DATABASE_S * 1000:.0f} ms for {2 * AWAY_S:.0f} s",
        owned_s=0.0,
        more=f"a commit took {commit_s * 1000:.0f} ms, {moved} cameras moved",
    )


TROUBLES: Final[dict[str, Callable[[Fleet], Outcome]]] = {
    each.__name__: each
    for each in (
        node_killed,
        leader_killed,
        node_paused,
        node_cut_off,
        planned_stop,
        server_killed,
        database_restarted,
        slow_server,
        slow_database,
    )
}


NEEDS: Final = {"slow_server": "strace", "slow_database": "cc"}
"""The program without which a trouble cannot be made."""


def slow(sync_s: float) -> list[str]:
    """The words under which a program is started so that each sync of its disk takes so much longer (strace)."""
    calls = "fsync,fdatasync"
    delay = f"inject={calls}:delay_exit={sync_s * 1e6:.0f}"
    return ["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", delay]


def _killed(fleet: Fleet, name: str, what: str) -> Outcome:
    lost, node = len(fleet.held(name)), fleet.nodes[name]
    began = time.monotonic()
    node.signal(signal.SIGKILL)
    node.wait()
    owned = fleet.until(fleet.all_owned, "owners") - began
    node.start()
    return Outcome(what=f"kill -9 of {what} ({lost} cameras)", owned_s=owned)


def _restarted(server: NatsServer, under: list[str] | tuple[()]) -> None:
    server.kill()
    server.under = under
    server.start()


async def _have_lead(fleet: Fleet, server: NatsServer, tries: int = 20) -> None:
    """Have this server lead the leases and the members, as far as that goes."""
    if len(fleet.servers) == 1:
        return
    link = Link(FleetOptions(site=SITE, servers=tuple(each.url for each in fleet.servers)), name="bench")
    client = await link.client()
    try:
        for bucket in (NAMES.leases, NAMES.members):
            for _ in range(tries):
                await asyncio.sleep(1.0)
                if await asyncio.to_thread(leads, fleet, f"KV_{bucket}") is server:
                    break
                await client.request(f"$JS.API.STREAM.LEADER.STEPDOWN.KV_{bucket}", b"", timeout=10)
    finally:
        await link.close()
