"""What a node of a site has of the past, without the node: its store, what it tells, and what it reads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path

from sink_samples import T0, Box1, delivering, event, until

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.observation import Event, Phase
from blikk_edge.core.summary import Author, Summary
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.fleet.past import SitePast
from blikk_edge.runtime.delivery import Delivery
from blikk_edge.store.store import Store

CLOCK = SystemClock()


class Member:
    """What a node has of the past, without the node."""

    def __init__(
        self,
        store: Store,
        past: SitePast,
        inbox: Box1,
        delivery: Delivery,
        *,
        fences: dict[str, int],
        elsewhere: set[str],
        link: Link,
    ) -> None:
        self.fences = fences
        self.elsewhere = elsewhere
        self.link = link
        self.store = store
        self.past = past
        self.inbox = inbox
        self.delivery = delivery

    @property
    def ids(self) -> list[str]:
        return sorted(each.id for each in self.store.events())

    async def told(self) -> None:
        """Wait until all that was put is with the site."""
        await until(self.inbox.empty, "it is taken")
        await until(lambda: not self.delivery.writing and not self.delivery.outbox, "it is told")


@asynccontextmanager
async def member(
    folder: Path,
    name: str,
    names: Names,
    *servers: str,
    looks: bool = False,
    max_bytes: int = 10**7,
    max_records: int = 100_000,
) -> AsyncIterator[Member]:
    link = Link(FleetOptions(site=names.site, servers=servers), name=name)
    with closing(Store(folder / f"{name}.db", max_records=max_records)) as store:
        store.open()

        async def forget(request: Forget) -> int:
            return await asyncio.to_thread(
                store.forget, camera=request.camera, event=request.event, since=request.since, until=request.until
            )

        fences: dict[str, int] = {}
        elsewhere: set[str] = set()
        past = SitePast(
            link,
            names,
            store,
            member=name,
            clock=CLOCK,
            forget=forget,
            lost=lambda camera, fence: fences.get(camera, fence) > fence,
            others_watch=elsewhere.__contains__,
            max_bytes=max_bytes,
            looks=looks,
        )
        running = asyncio.create_task(past.run())
        try:
            async with delivering(store, past.sink) as (inbox, delivery):
                yield Member(store, past, inbox, delivery, fences=fences, elsewhere=elsewhere, link=link)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await link.close()


def text_of(number: int, *, revision: int = 2) -> Summary:
    return Summary(
        id=f"event-{number}-{revision}",
        camera="front_door",
        event=f"event-{number}",
        revision=revision,
        time=T0 + number + 5,
        since=T0 + number,
        until=T0 + number + 5,
        title="Somebody came",
        text="Somebody came to the door.",
        source=Author.TEMPLATE,
    )


def ended(number: int, *, revision: int = 2, fence: int | None = None) -> Event:
    last = event(number, revision=revision)
    return replace(last, phase=Phase.ENDED, ended=last.started + 9, fence=fence)
