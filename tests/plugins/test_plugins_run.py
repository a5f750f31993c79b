"""A running node with a source and a sink of plug-ins, each of them one file; and one with nothing but broken ones."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from aiohttp import web
from patience import PATIENCE
from ports import free_port

from blikk_edge.app.plugins import brought_in
from blikk_edge.app.wiring import App, build
from blikk_edge.config import load
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.observation import Ring
from blikk_edge.core.ports import Sink
from blikk_edge.core.summary import Answer

TOKEN = "sesame-open-0123"

CONFIG = """\
node: n
mqtt: false
store: {{path: {folder}/store.db}}
models: {{cache: {folder}/models, offline: true}}
summary: false
cameras:
  door:
    source:
      webrtc:
        address: http://127.0.0.1:{camera}/door
        token: {token}
        pause_s: 100ms
    select: {{every_s: 1s}}
{more}
"""


def jpeg(picture: np.ndarray) -> bytes:
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = picture.shape[1], picture.shape[0]
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 10)
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuvj420p")
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    """A box that goes through an empty room, and stays away."""
    room = np.full((240, 320, 3), 90, np.uint8)
    room[::8, :, :] = 110
    made = []
    for step in range(30):
        picture = room.copy()
        picture[100:220, step * 8 : step * 8 + 60] = 230
        made.append(jpeg(picture))
    return made


class Camera:
    """What answers offers with pictures, of which the first ten are the first."""

    def __init__(self, pictures: list[bytes]) -> None:
        self.offers = 0
        self.refused = 0
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                camera.refused += not allowed
                camera.offers += 1
                body = pictures[max(0, camera.offers - 10) % len(pictures)] if allowed else b""
                self.send_response(200 if allowed else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def camera(pictures: list[bytes]) -> Iterator[Camera]:
    camera = Camera(pictures)
    yield camera
    camera.server.shutdown()
    camera.server.server_close()


class Hook:
    """What takes events."""

    def __init__(self) -> None:
        self.got: list[dict[str, object]] = []
        self.authorization: set[str | None] = set()

    async def handle(self, request: web.Request) -> web.Response:
        self.authorization.add(request.headers.get("Authorization"))
        self.got.append(json.loads(await request.read()))
        return web.Response()


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    app = web.Application()
    app.router.add_post("/events", hook.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hook.port = runner.addresses[0][1]  # type: ignore[attr-defined]
    yield hook
    await runner.cleanup()


def app_of(folder: Path, camera: Camera, more: str = "", token: str = TOKEN, spies: Sequence[Sink] = ()) -> App:
    path = folder / "blikk.yaml"
    path.write_text(CONFIG.format(folder=folder, camera=camera.port, token=token, more=more))
    return build(load(path, environ={}), environ={}, clock=SystemClock(), spies=spies)


async def run_until(app: App, done: Callable[[], bool], within_s: float = 60) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(app.run(stop))
    try:
        async with asyncio.timeout(within_s * PATIENCE):
            while not done():
                await asyncio.sleep(0.05)
                assert not running.done()
    finally:
        stop.set()
        await running


BRIGHT = """
from dataclasses import dataclass
from blikk_edge.core.geometry import Box
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.grammar.schema import Section
from blikk_edge.kinds.kind import Kind

@dataclass(frozen=True, kw_only=True)
class Options: ...

class Bright:
    name = "bright"
    def detect(self, bgr):
        rows, columns = (bgr.min(axis=2) > 180).nonzero()
        if len(rows) < 100:
            return ()
        height, width = bgr.shape[:2]
        box = Box(columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
        return (Detection(label=Label.ANIMAL, sub_label="box", score=0.9, box=box),)

KIND = Kind(name="bright", meaning="Finds what is bright.", options=Section(of=Options, keys=()),
            make=lambda options, context: Bright())
"""


async def test_events_go_from_a_plugged_source_by_a_plugged_detector_to_a_plugged_sink(
    install, tmp_path: Path, camera: Camera, hook: Hook
) -> None:
    install("blikk_webrtc", "blikk.sources", "webrtc")
    install("blikk_post", "blikk.sinks", "post")
    install("plug_bright", "blikk.detectors", "bright", BRIGHT)
    url = f"http://127.0.0.1:{hook.port}/events"  # type: ignore[attr-defined]
    more = f"detectors: {{default: {{kind: bright}}}}\nsinks:\n  post: {{url: '{url}', token: hook-token}}\n"
    await run_until(app_of(tmp_path, camera, more), lambda: len(hook.got) > 0)
    assert hook.got[0]["camera"] == "door"
    assert (hook.got[0]["label"], hook.got[0]["phase"]) == ("animal", "started")
    assert hook.authorization == {"Bearer hook-token"}
    assert camera.refused == 0


async def test_what_was_brought_in_is_a_line_each_without_secrets(install, tmp_path: Path, camera: Camera) -> None:
    install("blikk_webrtc", "blikk.sources", "webrtc")
    install("blikk_post", "blikk.sinks", "post")
    install("blikk_knock", "blikk.inputs", "knock")
    more = (
        "    transforms: [angle]\ninputs: {knock: {camera: door, port: 1}}\n"
        "sinks: {post: {url: 'http://127.0.0.1:9/x', token: hook-token}}\n"
        "webhook: {url: 'http://127.0.0.1:9/api/secret-path', token: open-sesame, tell: [event, ring]}\n"
    )
    (path := tmp_path / "blikk.yaml").write_text(
        CONFIG.format(folder=tmp_path, camera=camera.port, token=TOKEN, more=more)
    )
    assert list(brought_in(load(path, environ={}))) == [
        "webhook http://127.0.0.1:9 gets: event, ring",
        "plug-in blikk_webrtc 1.2: source webrtc",
        "plug-in blikk_post 1.2: sink post",
        "plug-in blikk_knock 1.2: input knock",
    ]


async def test_a_plugged_source_that_fails_is_reported_without_its_secrets(
    install, tmp_path: Path, camera: Camera, caplog
) -> None:
    install("blikk_webrtc", "blikk.sources", "webrtc")
    app = app_of(tmp_path, camera, token="another-one-0123")
    await run_until(app, lambda: camera.refused >= 1 and "offer was refused (401)" in caplog.text)
    assert "webrtc: the offer was refused (401)" in caplog.text
    assert "another-one" not in caplog.text
    assert not app.states()[0].online


async def test_a_node_with_nothing_but_broken_plug_ins_runs_and_says_so(
    install, tmp_path: Path, camera: Camera, caplog
) -> None:
    install("plug_source", "blikk.sources", "webrtc", "raise RuntimeError('no camera for you')")
    install("plug_sink", "blikk.sinks", "post", "import sys; sys.exit(3)")
    more = "    transforms: [angle]\nsinks: {post: 'http://127.0.0.1:9/x'}\nenrichers: {weather: {}}\n"
    app = app_of(tmp_path, camera, more)
    await run_until(app, lambda: "no camera for you" in caplog.text)
    assert "sink post: its plug-in plug_sink:KIND cannot be loaded: SystemExit: 3" in caplog.text
    assert "there is no transform 'angle'" in caplog.text
    assert "there is no enricher 'weather'" in caplog.text
    assert not app.states()[0].online


class Spy:
    """What every sink is handed."""

    name = "spy"

    def __init__(self) -> None:
        self.got: list[object] = []

    async def run(self, inbox) -> None:
        while True:
            self.got.append(await inbox.get())


async def test_what_a_plugged_enricher_publishes_reaches_every_sink(install, tmp_path: Path, camera: Camera) -> None:
    install("blikk_webrtc", "blikk.sources", "webrtc")
    install("plug_bright", "blikk.detectors", "bright", BRIGHT)
    install("blikk_tally", "blikk.enrichers", "tally")
    spy = Spy()
    more = "detectors: {default: {kind: bright}}\nenrichers: {tally: {each: 1}}\n"
    app = app_of(tmp_path, camera, more, spies=(spy,))
    await run_until(app, lambda: any(isinstance(item, Answer) for item in spy.got))
    answer = next(item for item in spy.got if isinstance(item, Answer))
    assert (answer.camera, answer.question, answer.answer) == ("door", "visits", "1")


async def test_a_plugged_input_rings_a_doorbell(install, tmp_path: Path, camera: Camera) -> None:
    install("blikk_webrtc", "blikk.sources", "webrtc")
    install("blikk_knock", "blikk.inputs", "knock")
    spy, port = Spy(), free_port()
    app = app_of(tmp_path, camera, f"    ring: true\ninputs: {{knock: {{camera: door, port: {port}}}}}\n", spies=(spy,))

    def rung() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knocking:
            knocking.sendto(b"knock", ("127.0.0.1", port))
        return any(isinstance(item, Ring) for item in spy.got)

    await run_until(app, rung)
    assert {(item.camera, item.via) for item in spy.got if isinstance(item, Ring)} == {("door", "mqtt")}


async def test_a_plugged_input_that_cannot_be_made_is_reported_and_stops_nothing(
    install, tmp_path: Path, camera: Camera, caplog
) -> None:
    install("blikk_webrtc", "blikk.sources", "webrtc")
    install("blikk_knock", "blikk.inputs", "knock")
    app = app_of(tmp_path, camera, "inputs: {knock: {camera: shed, port: 9}}\n")
    await run_until(app, lambda: camera.offers > 3)
    assert "blikk.input knock" in caplog.text
    assert "knock: there is no camera shed" in caplog.text


async def test_a_plugged_sink_that_goes_by_another_name_is_not_used(
    install, tmp_path: Path, camera: Camera, caplog
) -> None:
    install("blikk_webrtc", "blikk.sources", "webrtc")
    code = (
        (Path(__file__).parent / "blikk_post.py")
        .read_text()
        .replace('name = "post"\n    takes', 'name = "mqtt"\n    takes')
    )
    install("plug_post", "blikk.sinks", "post", code)
    app = app_of(tmp_path, camera, "sinks: {post: 'http://127.0.0.1:9/x'}\n")
    await run_until(app, lambda: camera.offers > 3)
    assert "sink post: it calls itself 'mqtt'" in caplog.text
