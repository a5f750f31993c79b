"""Two sites whose nodes have sent what they saw, a centre that has collected it, and `blikk fleet web` as a process."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import daytime
import numpy as np
from broker import accepts
from centre_kit import Centre, collecting, looked, settled, source, uplink
from nats_server import NatsServer
from patience import PATIENCE
from ports import free_port
from postgres_server import PASSWORD
from sink_samples import Box1, delivering, event, observation, picture, ring
from staging import BLIKK

from blikk_edge.core.observation import Event, Observation, Observed, Phase, Record, Ring
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Importance, Summary
from blikk_edge.store.store import Store

SITES = ("hall", "yard")
PICTURES_S = 3600 * 24 * 30
NOON = daytime.now().replace(hour=12, minute=0, second=0, microsecond=0).timestamp() - 86_400
"""Yesterday's, on the wall clock of the pages."""


def visit(
    name: str, minute: float, *, camera: str = "front_door", label: Label = Label.PERSON, noon: float = NOON
) -> Event:
    """A visit of a minute that has ended, so many minutes after noon."""
    at = noon + minute * 60
    seen = replace(event(1).objects[0], label=label, sub_label=label.value, since=at)
    return replace(
        event(1, revision=2, camera=camera), id=name, phase=Phase.ENDED, label=label, started=at, time=at + 60,
        ended=at + 60, objects=(seen,), zones=("path",),
    )  # fmt: skip


def said(of: Event, title: str, importance: Importance = Importance.LOW) -> Summary:
    """What was written about it."""
    return Summary(
        id=f"text-{of.id}", camera=of.camera, event=of.id, revision=2, time=of.time + 1, since=of.started,
        until=of.time, title=title, text=f"{title}, said at length.", importance=importance,
    )  # fmt: skip


def shown(of: Event | Ring, hue: int = 60) -> Picture:
    """A picture of it."""
    at = of.started + 5 if isinstance(of, Event) else of.time
    scene = np.full((240, 320, 3), (hue, 120, 90), np.uint8)
    cv2.rectangle(scene, (90, 40), (170, 220), (200, 200, 255 - hue), -1)
    jpeg = cv2.imencode(".jpg", scene)[1].tobytes()
    return replace(picture(1), camera=of.camera, event=of.id, time=at, jpeg=jpeg)


def course(of: Event, colour: bool = False) -> Observation:
    """An observation of it."""
    made = replace(
        observation(1, camera=of.camera), id=f"seen-{of.id}", kind=Observed.APPEARED, time=of.started + 1,
        until=of.started + 1, event=of.id, objects=of.objects,
    )  # fmt: skip
    return replace(looked(made, label=of.label), kind=Observed.APPEARED) if colour else made


def of_site(site: str) -> tuple[list[Record], list[Picture]]:
    """What the nodes of a site have seen."""
    guest, car = visit("guest", 3), visit("car", 10, camera="gate", label=Label.VEHICLE)
    rung = replace(ring(1), time=NOON + 170, id="rung")
    alone = replace(observation(9, camera="gate"), id="stir", time=NOON + 700, until=NOON + 700, objects=(), fence=2)
    stale = replace(visit("stale", 20, camera="gate"), fence=1)  # another watches this camera by then
    records: list[Record] = [
        guest, said(guest, f"A guest at the {site}", Importance.HIGH), course(guest),
        car, said(car, f"A red car at the {site}"), course(car, colour=True), rung, alone,
        visit("before", -3 * 24 * 60), stale,
    ]  # fmt: skip
    return records, [shown(guest, 40), shown(car, 120), shown(rung, 200)]


@asynccontextmanager
async def sending(
    centre: Centre, nats: NatsServer, folder: Path, sites: Sequence[str] = SITES
) -> AsyncIterator[dict[str, Box1]]:
    """Nodes that send, one a site, and the collector of both; what is put is at the centre when the context ends."""
    options = centre.options(
        *(source(nats.url, site, readers=("reader_hall",) if site == "hall" else ()) for site in sites),
        readers=("reader_all",),
    )
    async with AsyncExitStack() as open_now:
        boxes, deliveries, showing = {}, {}, []
        for site in sites:
            store = open_now.enter_context(closing(Store(folder / f"{site}.db")))
            store.open()
            sink = uplink(nats.url, site, pictures_s=PICTURES_S, max_per_second=10_000)
            boxes[site], deliveries[site] = await open_now.enter_async_context(delivering(store, sink))
            pictures = Box1()
            showing.append(asyncio.create_task(sink.run(pictures)))
            boxes[f"{site} pictures"] = pictures
        async with collecting(options):
            yield boxes
            for site in sites:
                await settled(boxes[site], deliveries[site])
        for task in showing:
            task.cancel()
        await asyncio.wait(showing)


async def fill(centre: Centre, nats: NatsServer, folder: Path) -> None:
    """Have both sites in the database, and their pictures in NATS."""
    async with sending(centre, nats, folder) as boxes:
        wanted = 0
        for site in SITES:
            records, pictures = of_site(site)
            boxes[site].put(*records)
            # a picture that comes before the sink has connected is the album's to send, and here is none
            while not await centre.ids("event"):
                await asyncio.sleep(0.05)
            boxes[f"{site} pictures"].put(*pictures)
            wanted += len(pictures)
        async with asyncio.timeout(60 * PATIENCE):
            while len(await centre.ids("picture")) < wanted:
                await asyncio.sleep(0.05)


class SitesWeb:
    """`blikk fleet web` as a process; `url` ends with a slash."""

    def __init__(self, folder: Path, centre: Centre, nats: NatsServer, *, user: str, more: str = "") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log = folder / f"{user}.log"
        (folder / "secrets.yaml").write_text(f"centre: {PASSWORD}\nview: {'v' * 20}\n")
        self._file = folder / f"{user}.yaml"
        self._file.write_text(
            f"postgres: {{host: 127.0.0.1, port: {centre.server.port}, username: {user}, password: !secret centre}}\n"
            f"sites: [{', '.join(f'{{site: {site}, servers: [{nats.url}]}}' for site in SITES)}]\n"
            f"timezone: {daytime.MORNING}\nsearch: colours\nhttp: {{port: {self.port}{more}}}\n"
        )
        self._environ = os.environ | {"HOME": str(folder)}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            command = [str(BLIKK), "fleet", "web", "--config", str(self._file)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=self._environ)
        end = time.monotonic() + 60 * PATIENCE
        while not accepts(self.port):
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, "the pages do not come up"
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        status = self._process.wait(30 * PATIENCE)
        assert status == 0 or kind is not None, self.log.read_text()
