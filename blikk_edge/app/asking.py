"""Requests with an answer, wired: to the parts of a running node, and from the command line."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from blikk_edge.app.identity import broker_address, camera_info, household_locale, store_path, topics_of
from blikk_edge.asking.question_service import QuestionService
from blikk_edge.asking.searching import TowerNow
from blikk_edge.config.settings import Settings
from blikk_edge.core.album import Album
from blikk_edge.core.clock import Clock, SystemClock
from blikk_edge.core.errors import SinkError, StoreError
from blikk_edge.core.inquiry import Answerer, CheckText, DescribeNow, Forget, Reply, Request, WriteDigest
from blikk_edge.core.locale import Locale, LocaleNow
from blikk_edge.core.ports import History
from blikk_edge.core.status import CameraInfo, CameraState
from blikk_edge.core.summary import Summary
from blikk_edge.core.watched import WatchedAt
from blikk_edge.enrichers.summaries.digest import Digester
from blikk_edge.enrichers.summaries.summarizer import Summarizer
from blikk_edge.enrichers.summaries.verdict import verdict
from blikk_edge.inputs.local_ask import ask_here, socket_of
from blikk_edge.language.grounding import check
from blikk_edge.llm.queue.port import JobQueue
from blikk_edge.sinks.mqtt.request import ask_node
from blikk_edge.sinks.watched import watched_in
from blikk_edge.store.store import Store
from blikk_edge.wire.inquiries import read_request, reply_content
from blikk_edge.wire.values import JsonObject

DAY_S = 86400.0


def answerer(
    *,
    history: History,
    cameras: Sequence[CameraInfo],
    clock: Clock,
    states: Callable[[], Sequence[CameraState]],
    forget: Callable[[Forget], Awaitable[int]],
    queue: JobQueue | None = None,
    summarizer: Summarizer | None = None,
    digester: Digester | None = None,
    album: Album | None = None,
    watched: WatchedAt | None = None,
    locale: LocaleNow = Locale,
    searched: bool = False,
    tower: TowerNow = lambda: None,
) -> Answerer:
    """Who answers the requests of a running node; what is None is not there, and is honestly missing in its answers.

    `forget` is how all of it is forgotten; `watched` says when each camera was; `locale` is how times are understood
    and written; `searched` and `tower` are the QuestionService's.
    """

    async def describe(request: DescribeNow) -> Summary:
        assert summarizer is not None  # else it is not handed on
        if request.camera is not None:
            return await summarizer.describe(request.camera)
        summary = await summarizer.describe_event(request.event or "")
        if summary is None:
            raise _no_event(request.event or "")
        return summary

    async def judge(request: CheckText) -> Reply:
        assert summarizer is not None  # else it is not handed on
        facts = await summarizer.facts(request.event)
        if facts is None:
            raise _no_event(request.event)
        return await asyncio.to_thread(verdict, request, facts)

    async def digest(request: WriteDigest) -> Summary:
        assert digester is not None  # else it is not handed on
        until = clock.now() if request.until is None else request.until
        since = until - DAY_S if request.since is None else request.since
        if since >= until:
            raise StoreError("a digest needs a `since` before its `until`; without `until` it ends now")
        return await digester.digest(request.camera, since, until)

    return QuestionService(
        history=history,
        cameras=cameras,
        clock=clock,
        states=states,
        queue=queue,
        check=check,
        describe=None if summarizer is None else describe,
        digest=None if digester is None else digest,
        judge=None if summarizer is None else judge,
        forget=forget,
        watched=watched,
        locale=locale,
        searched=searched,
        tower=tower,
        album=album,
    ).answer


def _no_event(event: str) -> StoreError:
    return StoreError(f"there is no event {event[:80]!r} in the store (any more)")


def ask(settings: Settings, question: str, *, camera: str | None, environ: Mapping[str, str]) -> JsonObject:
    """The reply to a question: from the store where no node has it, else from the node that does.

    It is asked over MQTT; where there is no broker, by its socket on this machine.

    `camera` is an id. Raises BlikkError: bad question, unknown camera, no store and no node.
    """
    cameras = tuple(camera_info(each) for each in settings.cameras)
    request = read_request({"question": question, "camera": camera}, {each.id for each in cameras})
    path = store_path(settings, environ)
    store = opened_store(path)
    if isinstance(store, StoreError):
        return asked_of_node(settings, request, path, store)
    try:
        clock = SystemClock()
        locale = household_locale(settings, store, clock)
        service = QuestionService(
            history=store, cameras=cameras, clock=clock, watched=watched_in(store, store), locale=locale
        )
        return reply_content(asyncio.run(service.answer(request)))
    finally:
        store.close()


def opened_store(path: Path) -> Store | StoreError:
    """The store, open; or why it cannot be used: it is not there, or a node has it (StoreBusyError)."""
    # Handed back, not raised: within an `except` the causes of what asyncio raises would be lost.
    store = Store(path)
    try:
        if not path.exists():
            return StoreError(f"store {path}: nothing is stored there yet")
        store.open()
    except OSError as error:
        return StoreError(f"store {path}: cannot be looked at: {error.strerror}")
    except StoreError as error:
        return error
    return store


def asked_of_node(settings: Settings, request: Request, store: Path, why: StoreError) -> JsonObject:
    """The reply of the running node; raises SinkError that also says why it had to be asked."""
    try:
        if settings.mqtt is None:
            return asyncio.run(ask_here(socket_of(store), request))
        return asyncio.run(ask_node(broker_address(settings.mqtt), topics_of(settings), request))
    except SinkError as error:
        raise SinkError(f"{error}\n(asked because: {why})") from error
