"""The demo: an embedded broker, a clip, a node, and what arrives on MQTT, line by line.

What is printed and saved comes from the broker, as any other listener would get it, not from inside the node.
"""

import asyncio
import json
import resource
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from blikk_edge.app.event_table import EventTable
from blikk_edge.app.wiring import App, build
from blikk_edge.config.settings import CameraSettings, NodeSettings, Settings, StoreSettings
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import BlikkError, SinkError
from blikk_edge.core.installing import pip_install
from blikk_edge.core.picture import RING, SNAPSHOT
from blikk_edge.core.sightings import Label
from blikk_edge.demo import sample
from blikk_edge.grammar.secrets import SourceUrl
from blikk_edge.language.language import lasting
from blikk_edge.net.http.options import HttpSettings
from blikk_edge.sinks.mqtt.kind import MqttSettings
from blikk_edge.sinks.mqtt.listener import listen
from blikk_edge.web.media_kind import MediaSettings

BROKER_START_S: Final = 20.0
LAST_S = 5.0
"""For the last messages, once the node has ended."""
RUN_S: Final = 45.0
"""How long the demo watches at most: it ends within a minute of having its clip and models."""

NODE: Final = "demo"
CAMERA: Final = "front_door"

WIDTH: Final = 100
"""Characters of a row of events, in a pipe too."""

PICTURES: Final = frozenset((*Label, RING, SNAPSHOT))
"""By the names that they have on MQTT."""

WRITTEN: Final = (
    sample.OWN,
    *(f"{name}.jpg" for name in sorted(PICTURES)),
    *(f"demo.db{end}" for end in ("", "-wal", "-shm", ".reserve")),
)
ALBUM: Final = "album"
"""A folder with the pictures that the page shows."""

MARK: Final = ".blikk-demo"
"""A file by which a later demo knows that what is WRITTEN in the folder came from a demo, and may be replaced."""


@dataclass(slots=True)
class DemoView:
    """What the listener has seen.

    Attributes:
        folder: Where pictures are saved.
        table: Prints each event as a row.
        events: The ids of events and rings.
        pictures: The file of each picture, by its name on MQTT.
        count: How many messages about events and rings.
    """

    folder: Path
    table: EventTable = field(default_factory=lambda: EventTable(WIDTH, zone=None))
    events: set[str] = field(default_factory=set)
    pictures: dict[str, Path] = field(default_factory=dict)
    count: int = 0


async def demo(*, source: str | None, keep: bool, folder: Path, environ: Mapping[str, str]) -> int:
    """Run the demo and return the exit status; everything it writes lies in `folder`."""
    started = time.monotonic()
    await asyncio.to_thread(_prepare, folder)
    if source is None:
        chosen = await asyncio.to_thread(sample.clip, folder)
        print(f"clip      {chosen.what}")
        source = str(chosen.path)
    port, page = _free_port(), _free_port(HttpSettings().port)
    settings = _settings(source, port, page, folder)
    node = await asyncio.to_thread(build, settings, environ=environ, clock=SystemClock(), play_once=not keep)
    for line in node.notes:
        print(f"looking   {line}")
    async with _broker(port):
        print(f"broker    amqtt on 127.0.0.1:{port}, topics blikk/{NODE}/#")
        print(f"camera    {CAMERA}, {settings.cameras[0].source}")
        print(f"page      http://127.0.0.1:{page}/ while this runs{'' if keep else ', for longer with --keep'}")
        shown = DemoView(folder)
        print(f"\n{shown.table.header()}")
        stop = asyncio.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, stop.set)
        try:
            await _watch(node, port, shown, stop, keep=keep)
        except* (BlikkError, OSError) as several:
            raise several.exceptions[0] from None
    _cost(shown, node, time.monotonic() - started)
    return 0


async def _watch(node: App, port: int, shown: DemoView, stop: asyncio.Event, *, keep: bool) -> None:
    """Run the node and print what arrives, until the clip or the time is over."""
    async with asyncio.TaskGroup() as group:
        showing = group.create_task(_show(port, shown, asyncio.Event() if keep else stop))
        watches = [showing]
        if not keep:
            watches.append(group.create_task(_stop_after(stop, RUN_S)))
        try:
            await node.run(stop, until_finished=not keep)
            await asyncio.wait({showing}, timeout=LAST_S)  # the last messages are still on their way
        finally:
            for watch in watches:
                watch.cancel()


def _prepare(folder: Path) -> None:
    """Make the folder, and take away what an earlier demo left in it. Raises BlikkError; what is not ours stays."""
    mark = folder / MARK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not mark.exists() and (
            theirs := next((name for name in (*WRITTEN, ALBUM) if (folder / name).exists()), None)
        ):
            raise BlikkError(f"{folder}: there is a {theirs} that no demo wrote; name another folder with --folder")
        mark.touch()
        for name in WRITTEN:
            (folder / name).unlink(missing_ok=True)
        if (folder / ALBUM).exists():
            shutil.rmtree(folder / ALBUM)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "this is no name of a folder"
        raise BlikkError(f"{folder}: nothing can be written there: {why}; name another folder with --folder") from error


def _free_port(wanted: int = 0) -> int:
    """The TCP port that is wanted on this machine where nobody has it; else a free one."""
    for port in (wanted, 0):
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return int(free.getsockname()[1])
    raise BlikkError("there is no free TCP port on 127.0.0.1")


def _settings(source: str, port: int, page: int, folder: Path) -> Settings:
    camera = CameraSettings(id=CAMERA, name="Front door", source=SourceUrl(source), still_s=4.0)
    return Settings(
        node=NodeSettings(id=NODE, name="Demo"),
        mqtt=MqttSettings(host="127.0.0.1", port=port),
        cameras=(camera,),
        http=HttpSettings(port=page),
        media=MediaSettings(folder=folder / ALBUM),
        store=StoreSettings(path=folder / "demo.db"),
        health_every_s=5.0,
    )


@asynccontextmanager
async def _broker(port: int) -> AsyncIterator[None]:
    """The embedded broker as a process of its own, there when the context is entered and gone when it is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "blikk_edge.demo.broker",
        str(port),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us: the broker stays until the last message has come
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        try:
            async with asyncio.timeout(BROKER_START_S):
                ready = await process.stdout.readline()
        except TimeoutError:
            ready = b""
        if ready != b"ready\n":
            process.kill()
            why = (await process.stderr.read()).decode(errors="replace").strip().splitlines()
            raise SinkError(
                f"the embedded broker did not start ({why[-1] if why else 'no answer'}); "
                f"it needs the demo extra: {pip_install('blikk-edge[demo]')}"
            )
        yield
    finally:
        if process.returncode is None:
            process.stdin.close()
            try:
                async with asyncio.timeout(3):
                    await process.wait()
            except TimeoutError:
                process.kill()


async def _stop_after(stop: asyncio.Event, seconds: float) -> None:
    await asyncio.sleep(seconds)
    stop.set()


async def _show(port: int, shown: DemoView, hopeless: asyncio.Event) -> None:
    """Print each event as it arrives, and save each Picture, until the node says that it goes.

    Sets `hopeless` when the source cannot be opened at first: within a demo that will not mend itself.
    """
    async for topic, payload in listen("127.0.0.1", port, f"blikk/{NODE}/#"):
        if (topic, payload) == (f"blikk/{NODE}/status", b"offline"):
            return
        match topic.split("/")[3:]:
            case ["event"] | ["ring"]:
                _print_event(json.loads(payload), shown)
            case ["state"]:
                state = json.loads(payload)
                if state["problem"] and not state["frames"]:
                    hopeless.set()
            case ["picture", name] if payload and name in PICTURES:
                _save(name, payload, shown)
            case _:
                continue


def _print_event(event: dict[str, Any], shown: DemoView) -> None:
    shown.count += 1
    shown.events.add(event["id"])
    print(shown.table.row(event), flush=True)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _save(name: str, jpeg: bytes, shown: DemoView) -> None:
    path = shown.folder / f"{name}.jpg"
    path.write_bytes(jpeg)
    shown.pictures[name] = path


def _cost(shown: DemoView, node: App, seconds: float) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    state = node.states()[0]
    spent = usage.ru_utime + usage.ru_stime
    print(f"\n{_counted(len(shown.events), 'event')} in {_counted(shown.count, 'message')}")
    share = f"{100 * spent / seconds:.0f} % of one core, start included"
    print(f"cost      {lasting(spent)} CPU in {lasting(seconds)} ({share})")
    print(f"          {usage.ru_maxrss / 1024:.0f} MiB memory at most")
    milliseconds = "" if state.inference_ms is None else f" of {state.inference_ms:.0f} ms"
    print(f"          {state.frames} frames watched, {state.inferences} inferences{milliseconds}")
    print(f"pictures  {shown.folder.resolve()}: {', '.join(sorted(p.name for p in shown.pictures.values())) or 'none'}")
    if state.problem:
        raise BlikkError(f"{CAMERA}: {state.problem}")
