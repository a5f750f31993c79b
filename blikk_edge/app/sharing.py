"""A node that shares the cameras of a site with others: where it has them from, and its membership, as settings say."""

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blikk_edge.app.identity import store_path
from blikk_edge.app.search_model import SearchModel
from blikk_edge.config.settings import Settings
from blikk_edge.config.site_cameras import with_site_cameras
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.ports import Memory
from blikk_edge.core.probe import SinkNote
from blikk_edge.runtime import log
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.store.private_files import keep_private, make_folder
from blikk_edge.store.store import Store

if TYPE_CHECKING:
    from blikk_edge.app.shared_search import SharedSearch
    from blikk_edge.fleet.applied import Applied
    from blikk_edge.fleet.membership import Membership
    from blikk_edge.fleet.past import SitePast

PATIENCE_S: Final = 6.0
"""So long a start waits for NATS before it takes the cameras that were applied when it was last there."""


def with_cameras(settings: Settings, file: Path, environ: Mapping[str, str]) -> tuple[Settings, tuple[str, ...]]:
    """The settings of `file` with the cameras of its site, and sentences about those that cannot be watched here.

    Without NATS they are those of the last time, which are kept beside the store; where there was none, there are none
    until NATS is there. Raises ConfigErrors.
    """
    kept = _kept(settings, environ)
    try:
        found = asyncio.run(_applied(settings))
    except SinkError as error:
        found = _recalled(kept, settings)
        log.part("fleet").warning("%s; the cameras of the last time are taken (version %d)", error, found.version)
    else:
        _keep(kept, settings, found)
    made, wrong = with_site_cameras(file, environ, found.text)
    return replace(made, cameras_version=found.version), tuple(str(each) for each in wrong)


def with_last_cameras(settings: Settings, file: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of `file` with the cameras that its site had when this node last began; NATS is not asked.

    Those of a node that shares none are as they are. Raises ConfigErrors.
    """
    if not settings.shares:
        return settings
    last = _recalled(_kept(settings, environ), settings)
    return with_site_cameras(file, environ, last.text)[0]


def membership_of(
    settings: Settings,
    memory: Memory,
    clock: Clock,
    *,
    restart: Callable[[], None] | None,
    left_out: Sequence[str],
    uplink: Callable[[], SinkNote | None],
    past: Callable[[], str | None],
) -> "Membership | None":
    """The membership of a node that shares cameras; None of any other, which imports nothing for it."""
    fleet = settings.fleet
    if fleet is None or not settings.shares:
        return None
    from blikk_edge.fleet.leases import Leases  # noqa: PLC0415  # only a node of a fleet needs it
    from blikk_edge.fleet.link import Link  # noqa: PLC0415
    from blikk_edge.fleet.membership import Membership, recalled  # noqa: PLC0415
    from blikk_edge.fleet.names import Names  # noqa: PLC0415
    from blikk_edge.fleet.placing import Place, Wanted  # noqa: PLC0415

    link, names = Link(fleet, name=settings.node.id), Names(fleet.site)
    leases = Leases(
        link,
        names,
        Place(member=settings.node.id, cameras_max=fleet.cameras_max, near=frozenset(fleet.near)),
        wanted=[Wanted(camera=camera.id, near=frozenset(camera.near)) for camera in settings.cameras],
        clock=clock,
        version=settings.cameras_version,
        last=recalled(memory),
        load=_load,
        says=lambda: membership.says(),  # noqa: PLW0108 - it is made below
    )
    membership = Membership(
        link,
        names,
        leases,
        memory=memory,
        clock=clock,
        version=settings.cameras_version,
        restart=restart or (lambda: None),
        left_out=left_out,
        uplink=uplink,
        past=past,
    )
    return membership


def past_of(
    settings: Settings,
    membership: "Membership | None",
    store: Store,
    clock: Clock,
    *,
    forget: Callable[[Forget], Awaitable[int]],
) -> "SitePast | None":
    """What this node tells the others of its past, and knows of theirs; None of one that shares no cameras.

    `forget` is how it forgets here.
    """
    if settings.fleet is None or membership is None or not settings.fleet.past_mb:
        return None
    from blikk_edge.fleet.names import Names  # noqa: PLC0415  # only a node of a fleet needs it
    from blikk_edge.fleet.past import SitePast  # noqa: PLC0415

    return SitePast(
        membership.link,
        Names(settings.fleet.site),
        store,
        member=settings.node.id,
        clock=clock,
        forget=forget,
        lost=membership.permit.has_lost,
        others_watch=membership.permit.others_watch,
        max_bytes=settings.fleet.past_mb * 10**6,
        looks=settings.search is not None,
    )


def _load() -> float:
    """How busy this machine is, 0..1: what waits for its cores."""
    return min(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


async def _applied(settings: Settings) -> "Applied":
    from blikk_edge.fleet.applied import applied  # noqa: PLC0415  # only a node of a fleet needs it
    from blikk_edge.fleet.link import Link  # noqa: PLC0415
    from blikk_edge.fleet.names import Names  # noqa: PLC0415

    assert settings.fleet is not None  # it shares
    link = Link(settings.fleet, name=settings.node.id)
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await applied(link, Names(settings.fleet.site))
    except TimeoutError as error:
        raise SinkError(f"{link}: no answer within {PATIENCE_S:.0f} s") from error
    finally:
        await link.close()


def _kept(settings: Settings, environ: Mapping[str, str]) -> Path:
    return store_path(settings, environ).with_suffix(".site.json")


def _keep(path: Path, settings: Settings, found: "Applied") -> None:
    assert settings.fleet is not None  # it shares
    content = {"site": settings.fleet.site, "version": found.version, "text": found.text}
    with contextlib.suppress(OSError):  # the store says that its disk cannot be written to
        make_folder(path.parent)
        draft = path.with_name(f"{path.name}.new")
        keep_private(draft, create=True)
        draft.write_text(json.dumps(content))
        draft.replace(path)


def _recalled(path: Path, settings: Settings) -> "Applied":
    from blikk_edge.fleet.applied import Applied  # noqa: PLC0415  # only a node of a fleet needs it

    assert settings.fleet is not None  # it shares
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        content = json.loads(path.read_text())
        if content["site"] == settings.fleet.site:
            return Applied(version=int(content["version"]), text=str(content["text"]))
    return Applied()


def search_of(settings: Settings, supervisor: Supervisor, clock: Clock) -> "SearchModel | SharedSearch | None":
    """What reads how things look, for a node where that can be searched for; the workers of its site do their part."""
    if settings.search is None:
        return None
    if not settings.search.workers:
        return SearchModel(settings, supervisor, clock)
    from blikk_edge.app.shared_search import SharedSearch  # noqa: PLC0415  # only a node of a fleet needs it

    return SharedSearch(settings, supervisor, clock)
