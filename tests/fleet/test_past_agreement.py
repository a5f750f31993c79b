"""Members of a site that see, mark, forget, stop and lose NATS at random know the same in the end."""

import asyncio
import json
import random
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from nats_server import NatsServer
from past_kit import CLOCK, Member, member, text_of
from sink_samples import event, ring, until

from blikk_edge.core.inquiry import Forget
from blikk_edge.core.observation import Event, Phase
from blikk_edge.fleet import past as past_module
from blikk_edge.fleet.names import Names

NAMES = Names("hall")
STEPS = 200
MEMBERS = ("one", "two", "three")
WEIGHTS = {"begin": 10, "go_on": 10, "ring": 3, "mark": 5, "forget": 5, "restart": 2, "outage": 1, "rest": 8}


class Household:
    """Members, and what they do at random; each watches a camera of its own."""

    def __init__(self, folder: Path, server: NatsServer, rng: random.Random) -> None:
        self._folder = folder
        self._server = server
        self._rng = rng
        self._stacks: dict[str, AsyncExitStack] = {}
        self._open: dict[str, tuple[str, Event]] = {}
        self._count = 0
        self.members: dict[str, Member] = {}

    async def start(self, name: str) -> None:
        self._stacks[name] = stack = AsyncExitStack()
        self.members[name] = await stack.enter_async_context(member(self._folder, name, NAMES, self._server.url))

    async def stop(self, name: str) -> None:
        del self.members[name]
        await self._stacks.pop(name).aclose()

    async def step(self) -> None:
        (what,) = self._rng.choices(list(WEIGHTS), list(WEIGHTS.values()))
        name = self._rng.choice(sorted(self.members))
        await getattr(self, f"_{what}")(name, self.members[name])

    async def _begin(self, name: str, who: Member) -> None:
        self._count += 1
        now = CLOCK.now()
        begun = replace(event(self._count, camera=name), time=now, started=now)
        self._open[begun.id] = name, begun
        who.inbox.put(begun)

    async def _go_on(self, name: str, who: Member) -> None:
        own = [each for of, each in self._open.values() if of == name]
        if not own:
            return
        before, now = self._rng.choice(own), CLOCK.now()
        later = replace(before, revision=before.revision + 1, time=now, phase=Phase.UPDATED)
        if self._rng.random() < 0.5:
            later = replace(later, phase=Phase.ENDED, ended=now)
            del self._open[before.id]
            text = replace(text_of(1), id=f"{before.id}-2", event=before.id, camera=name)
            who.inbox.put(later, replace(text, since=before.started, until=now, time=now))
        else:
            self._open[before.id] = name, later
            who.inbox.put(later)

    async def _ring(self, name: str, who: Member) -> None:
        self._count += 1
        who.inbox.put(replace(ring(self._count), camera=name, time=CLOCK.now()))

    async def _mark(self, _: str, who: Member) -> None:
        if ids := who.ids:
            who.store.mark(self._rng.choice(ids), self._rng.choice(("known", "nobody", "")))

    async def _forget(self, _: str, who: Member) -> None:
        if self._rng.random() < 0.2:
            await who.past.forget(Forget(until=CLOCK.now() - 3 * self._rng.random()))
        elif ids := who.ids:
            await who.past.forget(Forget(event=self._rng.choice(ids)))

    async def _restart(self, name: str, _: Member) -> None:
        if len(self.members) > 1 and self._rng.random() < 0.5:
            await self.stop(name)
        else:
            await self.all_back()

    async def _outage(self, _: str, __: Member) -> None:
        await asyncio.to_thread(self._server.kill if self._server.runs else self._server.start)

    async def _rest(self, _: str, __: Member) -> None:
        await asyncio.sleep(0.4 * self._rng.random())

    async def all_back(self) -> None:
        for name in MEMBERS:
            if name not in self.members:
                await self.start(name)

    async def calm(self) -> None:
        """Wait until all is told and read."""
        await until(lambda: all(map(_rests, self.members.values())) and len(self._places()) == 1, "calm", 120.0)

    def _places(self) -> set[str]:
        places = (json.loads(who.store.recall("past/place") or "[]") for who in self.members.values())
        return {str(place) for place in places}


def _rests(who: Member) -> bool:
    told = who.inbox.empty() and not who.delivery.writing and not who.delivery.outbox
    return told and not who.store.marks() and not who.store.forgotten() and who.past.problem is None


def _knows(who: Member) -> object:
    return (
        sorted((each.id, each.revision, each.phase, each.mark) for each in who.store.events(limit=10_000)),
        sorted((each.id, each.mark) for each in who.store.rings(limit=10_000)),
        sorted((each.event or each.id, each.revision) for each in who.store.summaries(limit=10_000)),
    )


@pytest.mark.parametrize("seed", [3, 5])
async def test_members_that_do_all_of_it_at_random_know_the_same_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(past_module, "AGAIN_S", 0.1)
    monkeypatch.setattr(past_module, "SAY_S", 0.2)
    with NatsServer(tmp_path / "nats") as server:
        household = Household(tmp_path, server, random.Random(seed))
        await household.all_back()
        try:
            for _ in range(STEPS):
                await household.step()
            if not server.runs:
                await asyncio.to_thread(server.start)
            await household.all_back()
            await household.start("new")
            for _ in range(2):  # what was read last may have to be told
                await household.calm()
                await asyncio.sleep(2 * past_module.SAY_S)
            known = {name: _knows(who) for name, who in household.members.items()}
            assert all(each == known["one"] for each in known.values()), known
        finally:
            for name in list(household.members):
                await household.stop(name)
