"""A node of one camera in a thread of its own, for a program that reads what it reports."""

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from blikk_edge.app.clips import Clip
from blikk_edge.app.handed_steps import with_steps
from blikk_edge.app.scratch import Scratch, sweep
from blikk_edge.app.wiring import App, build
from blikk_edge.config.parameters import settings_of
from blikk_edge.config.settings import Settings
from blikk_edge.core.clock import ClipClock, Clock, SystemClock
from blikk_edge.core.commands import Command
from blikk_edge.core.errors import BlikkError, SourceError
from blikk_edge.core.inquiry import Reply, Request
from blikk_edge.core.loose_thread import LooseThread
from blikk_edge.core.picture import SNAPSHOT, Picture
from blikk_edge.core.ports import Sink
from blikk_edge.core.status import CameraInfo, CameraState
from blikk_edge.sources.catalog import kind_of
from blikk_edge.transforms.privacy.shrink import SIDE_PX, shrink

END_S: Final = 15.0
"""So long the end of a node may take: its threads and its tasks have their own limits, which are shorter."""

TEXTS_S: Final = 120.0
"""So long the end of a file waits for the texts about its last events; a language model has limits that are shorter."""

LOOK_S: Final = 0.02


class Reader(Sink, Protocol):
    """Who gets what a node reports."""

    def crowded(self) -> bool:
        """Whether the next frame of a file is to wait; called again and again, in the reader's thread."""
        ...

    def end(self, error: BlikkError | None = None) -> None:
        """Nothing more comes: a file has been read to its end, or the node ended; `error` says what went wrong."""
        ...


class StreamNode:
    """A node of one camera whose records and Pictures go to `reader`. Its store is a temporary one where none is named.

    A file is read once, as fast as it is looked at, unless it is to be played as if it were `live`. Implements the port
    by which `agents` reach a node.
    """

    reports = True

    def __init__(self, settings: Settings, *, environ: Mapping[str, str], live: bool) -> None:
        self._settings = settings
        self._environ = environ
        self._reader: Reader | None = None
        camera = settings.cameras[0]
        clip = not live and camera.plugged is None and not camera.pushed and _is_clip(camera.source.reveal())
        self._clip = Clip(ClipClock(time.time())) if clip else None
        self._clock: Clock = self._clip.clock if self._clip is not None else SystemClock()
        self._began = self._clock.now()
        self._closing = False
        self._scratch: Scratch | None = None
        self._thread: LooseThread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._app: App | None = None
        self._ended = threading.Event()
        self._error: BaseException | None = None

    @property
    def is_clip(self) -> bool:
        """Whether it reads a file to its end."""
        return self._clip is not None

    @property
    def whole_since(self) -> float:
        """From when on all that there is to know has been reported by it: always, with a store of its own."""
        return -math.inf if self._settings.store.path is None else self._began

    @property
    def cameras(self) -> tuple[CameraInfo, ...]:
        """Its only camera."""
        return self._running().cameras

    def now(self) -> float:
        """The time by which it goes, seconds since 1970 UTC: in a file that of the newest frame."""
        return self._clock.now()

    def start(self, reader: Reader) -> None:
        """Start, and wait until its camera is watched; blocking. Raises BlikkError where that fails at once."""
        self._reader = reader
        if self._clip is not None:
            self._clip.crowded = lambda: self._handed_on() and reader.crowded()
        thread = LooseThread("blikk stream", self._run)
        thread.start()
        self._thread = thread  # who closes from another thread joins only what has started
        try:
            while not self._watches():
                if self._ended.wait(LOOK_S):
                    break
            self._raise()
        except BaseException:
            self.close()
            raise

    def states(self) -> tuple[CameraState, ...]:
        """How its only camera is doing now."""
        return self._running().states()

    def order(self, command: Command) -> None:
        """Give it a command; its effect comes later."""
        self._running().order(command)

    def ask(self, request: Request) -> "Future[Reply]":
        """The reply to a request, which knows of all that has been reported by now."""
        app = self._running()
        assert self._loop is not None

        async def asked() -> Reply:
            await app.settle()
            return await app.ask(request)

        return asyncio.run_coroutine_threadsafe(asked(), self._loop)

    def close(self) -> None:
        """End it, and remove its temporary store; blocking, and harmless when called again."""
        self._closing = True
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join(END_S)
        if self._scratch is not None:
            self._scratch.remove()
            self._scratch = None

    # -- its thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the stream is used
            self._error = error
        finally:
            self._ended.set()
            self._finished()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._closing:
            self._stop.set()
        app = await asyncio.to_thread(self._build)
        self._app = app
        finishing = asyncio.create_task(self._finish(app)) if self._clip is not None else None
        try:
            await app.run(self._stop)
        finally:
            if finishing is not None:
                finishing.cancel()

    def _build(self) -> App:
        settings = self._settings
        if settings.store.path is None:
            sweep()
            self._scratch = Scratch()
            settings = replace(settings, store=replace(settings.store, path=self._scratch.path / "blikk.db"))
        return build(
            settings,
            environ=self._environ,
            clock=self._clock,
            play_once=self._clip is not None,
            clip=self._clip,
            spies=() if self._reader is None else (self._reader,),
        )

    async def _finish(self, app: App) -> None:
        await app.finish()
        await app.settle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TEXTS_S):
                await app.finish_writing()
        await app.settle()
        self._finished()

    def _handed_on(self) -> bool:
        """Wait until what was reported of the last frame is with the reader; called in another thread."""
        if self._loop is not None and self._app is not None and not self._loop.is_closed():
            turn = asyncio.run_coroutine_threadsafe(self._app.hand_on(), self._loop)
            with contextlib.suppress(TimeoutError, CancelledError):
                turn.result(END_S)
        return True

    # -- helpers -------------------------------------------------------------------------------------------------

    def _watches(self) -> bool:
        """Whether its camera is watched, or could not be."""
        if self._app is None:
            return False
        state = self._app.states()[0]
        if self._settings.cameras[0].pushed or state.online:
            return True
        problem = self._clip.error if self._clip is not None else None
        if problem is None and state.problem is not None:
            problem = SourceError(state.problem)
        if problem is not None:
            self._error = problem
        return problem is not None

    def _finished(self) -> None:
        if self._reader is not None:
            self._reader.end(self._problem())

    def _problem(self) -> BlikkError | None:
        if self._clip is not None and self._clip.error is not None:
            return self._clip.error
        if self._error is None or isinstance(self._error, BlikkError):
            return self._error
        return BlikkError(f"the node ended because of a bug: {type(self._error).__name__}: {self._error}")

    def _raise(self) -> None:
        if isinstance(self._error, BlikkError):
            raise self._error
        if self._error is not None:
            raise BlikkError("the node could not start because of a bug") from self._error

    def _running(self) -> App:
        if self._app is None or self._ended.is_set():
            raise BlikkError("this stream is closed")
        return self._app


def settings_for(
    parameters: Mapping[str, Any], *, camera: str, folder: Path, environ: Mapping[str, str], who: str = "Stream"
) -> Settings:
    """The settings of a node that watches one camera. `store` may be a path; raises ConfigErrors.

    `transforms` may hold callables besides the names of plug-ins: each is made a step.
    """
    given = dict(parameters)
    if isinstance(store := given.get("store"), str | Path):
        given["store"] = {"path": store}
    transforms = given.get("transforms")
    if not isinstance(transforms, list | tuple) or not any(map(callable, transforms)):
        return settings_of(given, camera=camera, folder=folder, environ=environ, who=who)
    given["transforms"] = [each for each in transforms if not callable(each)]
    return with_steps(settings_of(given, camera=camera, folder=folder, environ=environ, who=who), transforms)


def smaller(jpeg: bytes) -> bytes:
    """A redacted JPEG with no side longer than 512 px and at most 80 kB. Raises PrivacyError where that cannot be."""
    unknown = SIDE_PX + 1  # how large it is is seen when it is read
    picture = Picture(camera="?", name=SNAPSHOT, time=0.0, jpeg=jpeg, width_px=unknown, height_px=unknown)
    return shrink(picture).jpeg


def _is_clip(address: str) -> bool:
    return kind_of(address) == "file" and "://" not in address
