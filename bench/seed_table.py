"""A day's work in ten minutes: what a hand-rolled pipeline and Blikk make of the same scene, with the same model.

    python bench/seed_table.py [--minutes 10] [--runs 5] [--quick] [--check]

The scene is 640x480 at 15 fps over RTSP: the labelled visits of Intel's one-by-one-person-detection.mp4 (CC BY 4.0)
with quiet between; without the clip, the demo's own visitor. Both pipelines watch it side by side, each with its own
connection and its own copy of the same OpenAI-compatible endpoint on loopback:

- latency model: 2 to 5 s a call, uniform, the same seed for both (the range that cloud vision models are said to have);
- token model: 258 for a picture, one for every 4 bytes of text and schema (the rule of thumb for English), 40 for an
  answer to a picture.

Hand-rolled: an OpenCV thread puts every 30th frame (2 s) as JPEG into an unbounded queue; one worker sends each with
a question to the endpoint. The model is taken to be perfect: an event counts as reported when the first picture that
shows it is answered. Blikk: `blikk run` with summaries by the same endpoint, in text mode; an event counts as reported
when its first message is on MQTT. Latency is from the capture of the first picture that shows somebody to the report.
"""

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
from rig import Broker, RtspServer, blikk_run, data_folder, table

from blikk_edge.core.errors import SinkError
from blikk_edge.demo import clip as own_clip
from blikk_edge.sinks.mqtt.listener import listen

FPS = 15
WIDTH, HEIGHT = 640, 480
EVERY_N = 30
IMAGE_TOKENS, BYTES_PER_TOKEN, ANSWER_TOKENS = 258, 4, 40
QUESTION = "Is there a person, vehicle, animal or parcel in this picture? Say in one sentence what happens."
GOAL_LATENCY_MS, GOAL_MEMORY_MB, GOAL_TOKENS = 600.0, 180.0, 400.0
SLACK_S = 6.0
TAIL_S = 5.0

RIVAL = """
import base64, json, queue, sys, threading, time, urllib.request
import cv2
url, endpoint, every, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
frames = queue.Queue()
capture = cv2.VideoCapture(url)
started = time.time()
def read():
    number = 0
    while time.time() - started < seconds:
        ok, picture = capture.read()
        if not ok:
            break
        if number % every == 0:
            frames.put((number, time.time(), cv2.imencode(".jpg", picture)[1].tobytes()))
        number += 1
threading.Thread(target=read, daemon=True).start()
while time.time() - started < seconds + 5:
    try:
        number, captured, jpeg = frames.get(timeout=0.5)
    except queue.Empty:
        continue
    content = [{"type": "text", "text": sys.argv[5]},
               {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()}}]
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()
    request = urllib.request.Request(endpoint + "/chat/completions", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).read()
    print(json.dumps([number, captured, time.time()]), flush=True)
"""


@dataclass(slots=True)
class Endpoint:
    """The language model of one pipeline: how many tokens it was sent and wrote."""

    url: str = ""
    calls: int = 0
    tokens: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: dict) -> tuple[float, dict]:
        text = images = 0
        for message in body["messages"]:
            parts = message["content"] if isinstance(message["content"], list) else [{"text": message["content"]}]
            text += sum(len(part.get("text", "").encode()) for part in parts)
            images += sum("image_url" in part for part in parts)
        text += len(json.dumps(body["response_format"])) if "response_format" in body else 0
        written = "Something moves." if images else json.dumps(summary())
        sent = text // BYTES_PER_TOKEN + images * IMAGE_TOKENS
        wrote = ANSWER_TOKENS if images else len(written) // BYTES_PER_TOKEN
        with self.lock:
            self.calls += 1
            self.tokens += sent + wrote
            delay_s = self.rng.uniform(2.0, 5.0)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": written}}
        usage = {"prompt_tokens": sent, "completion_tokens": wrote, "total_tokens": sent + wrote}
        return delay_s, {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice],
                         "usage": usage}  # fmt: skip


def summary() -> dict:
    return {
        "title": "A person was here",
        "text": "A person came and left.",
        "importance": "normal",
        "labels": ["person"],
    }


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    model = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            delay_s, content = model.answer(body)
            time.sleep(delay_s)
            data = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    model.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()


# -- the scene -------------------------------------------------------------------------------------------------------


def pictures(clip: Path) -> tuple[list[np.ndarray], float]:
    """All pictures of a clip at the scene's size, and their rate."""
    with av.open(str(clip)) as container:
        rate = float(container.streams.video[0].average_rate or 10)
        return [
            frame.reformat(width=WIDTH, height=HEIGHT, format="yuv420p").to_ndarray()
            for frame in container.decode(video=0)
        ], rate


def visits_of(data: Path | None, folder: Path) -> tuple[Path, list[tuple[float, float]], str]:
    """A clip, when somebody is in it (s), and its name."""
    name = "video/intel_sample/one-by-one-person-detection.mp4"
    if data is not None and (data / name).exists():
        labels = json.loads((data / "annotations/event_intervals.json").read_text())["clips"][name]
        return data / name, [(a / labels["fps"], b / labels["fps"]) for a, b in labels["intervals"]], Path(name).name
    made = folder / "own.mp4"
    own_clip.make(made)
    return made, [(own_clip.VISITOR[0], own_clip.VISITOR[3])], "the demo's own clip"


def write_scene(path: Path, seconds: float, folder: Path) -> tuple[list[tuple[float, float]], str]:
    """The scene, and when somebody is in it: visit, quiet, visit, ... until it is long enough."""
    clip, visits, name = visits_of(data_folder(), folder)
    shots, rate = pictures(clip)
    quiet = shots[: max(2, int(min(begin for begin, _ in visits) * rate) - int(rate))]
    lead_s, gap_s = 3.0, 28.0
    spans: list[tuple[float, float]] = []
    at = 0.0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.thread_count = 1  # x264 would cut each picture into slices, one a thread
        stream.options = {"crf": "23", "preset": "veryfast", "g": str(2 * FPS), "bf": "0"}
        number = 0

        def show(picture: np.ndarray) -> None:
            nonlocal number
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
            number += 1

        def rest(for_s: float) -> None:
            """Quiet with the sensor's own noise: to and fro through the empty pictures."""
            for step in range(int(for_s * FPS)):
                turn = int(step / FPS * rate) % (2 * len(quiet) - 2)
                show(quiet[min(turn, 2 * len(quiet) - 2 - turn)])

        turn = 0
        rest(gap_s / 2)
        while number / FPS < seconds - gap_s:
            begin, end = visits[turn % len(visits)]
            turn += 1
            at = number / FPS
            first, last = max(0.0, begin - lead_s), min(end + lead_s, len(shots) / rate - 0.1)
            for step in range(int((last - first) * FPS)):
                show(shots[min(len(shots) - 1, int((first + step / FPS) * rate))])
            spans.append((at + begin - first, at + end - first))
            rest(gap_s)
        rest(max(0.0, seconds - number / FPS))
        container.mux(stream.encode(None))
    return spans, name


# -- the two pipelines -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one pipeline made of the scene. Latencies in ms, one for each event that it reported."""

    latencies_ms: list[float]
    missed: float
    memory_mb: float
    tokens_per_minute: float
    calls: int


def peak_mb(pid: int) -> float:
    """The most memory that the process ever had resident, in MB of 10^6 bytes (the kernel counts in KiB)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024 / 1e6


class Peak:
    """Follows a process's peak memory until it has ended."""

    def __init__(self, pid: int) -> None:
        self.mb = 0.0
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        while not self._stop.wait(0.5):
            try:
                self.mb = max(self.mb, peak_mb(self._pid))
            except (OSError, StopIteration):
                return

    def close(self) -> float:
        self._stop.set()
        self._thread.join()
        return self.mb


def rival(url: str, seconds: float, spans: list[tuple[float, float]], model: Endpoint, out: list[Result]) -> None:
    command = [sys.executable, "-c", RIVAL, url, model.url, str(EVERY_N), str(seconds), QUESTION]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    peak = Peak(process.pid)
    assert process.stdout is not None
    answered = [json.loads(line) for line in process.stdout]
    process.wait(30)
    latencies = []
    for begin, end in spans:
        shown = [(answer - captured) for number, captured, answer in answered if begin <= number / FPS <= end]
        if shown:
            latencies.append(shown[0] * 1000)
    out.append(result(latencies, spans, peak.close(), model, seconds))


def result(
    latencies: list[float], spans: list[tuple[float, float]], mb: float, model: Endpoint, seconds: float
) -> Result:
    missed = 100 * (len(spans) - len(latencies)) / len(spans)
    return Result(latencies_ms=latencies, missed=missed, memory_mb=mb, tokens_per_minute=model.tokens / (seconds / 60),
                  calls=model.calls)  # fmt: skip


async def received(port: int, seconds: float) -> list[tuple[float, str, bytes]]:
    """Everything said about the camera."""
    said: list[tuple[float, str, bytes]] = []

    async def collect() -> None:
        async for topic, payload in listen("127.0.0.1", port, "blikk/bench/#"):
            said.append((time.time(), topic, payload))

    try:
        async with asyncio.timeout(seconds):
            await collect()
    except (TimeoutError, SinkError):
        pass
    return said


def ours(url: str, seconds: float, spans: list[tuple[float, float]], model: Endpoint, folder: Path) -> Result:
    summaries = f"{{provider: openai, model: m, base_url: '{model.url}'}}"
    with Broker(folder) as broker, blikk_run(folder, source=url, port=broker.port, top=f"summary: {summaries}") as run:
        peak = Peak(run.pid)
        said = asyncio.run(received(broker.port, seconds + TAIL_S))
        if run.poll() is not None:
            raise RuntimeError(f"blikk ended early:\n{(folder / 'blikk.log').read_text()}")
        mb = peak.close()
    began = next(at for at, topic, payload in said if topic.endswith("/cam/status") and payload == b"online")
    events = [(at, json.loads(payload)) for at, topic, payload in said if topic.endswith("/cam/event")]
    started = [(at, event) for at, event in events if event["phase"] == "started" and event["label"] == "person"]
    latencies = []
    for begin, end in spans:
        for at, event in started:
            first_s = datetime.fromisoformat(event["started"]).timestamp()
            if begin - SLACK_S <= first_s - began <= end + SLACK_S:
                latencies.append((at - first_s) * 1000)
                break
    return result(latencies, spans, mb, model, seconds)


def run_once(scene: Path, spans: list[tuple[float, float]], seconds: float, folder: Path) -> tuple[Result, Result]:
    folder.mkdir()
    theirs: list[Result] = []
    with RtspServer(scene, once=True) as server, endpoint() as their_model, endpoint() as our_model:
        beside = threading.Thread(target=rival, args=(server.url, seconds, spans, their_model, theirs))
        beside.start()
        mine = ours(server.url, seconds, spans, our_model, folder)
        beside.join()
    return theirs[0], mine


# -- the table -------------------------------------------------------------------------------------------------------


def spread(values: list[float], form: str = "{:.0f}") -> str:
    """Median and range."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{form.format(middle)} ({form.format(low)} to {form.format(high)})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the scene is")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one run of a minute and a half")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    options = parser.parse_args()
    seconds, runs = (90.0, 1) if options.quick else (options.minutes * 60, options.runs)
    with tempfile.TemporaryDirectory() as base:
        scene = Path(base) / "scene.mp4"
        spans, name = write_scene(scene, seconds, Path(base))
        print(f"scene: {seconds:.0f} s, {len(spans)} visits from {name}; {runs} runs, median (range)\n")
        pairs = [run_once(scene, spans, seconds, Path(base) / f"run{number}") for number in range(runs)]
    theirs, mine = [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    def row(what: str, said: tuple[str, str], of: object, form: str = "{:.0f}") -> tuple[str, ...]:
        return what, *said, *(spread([of(each) for each in side], form) for side in (theirs, mine))  # type: ignore[operator]

    def p50(each: Result) -> float:
        return statistics.median(each.latencies_ms) if each.latencies_ms else float("nan")

    table(
        ("", "seed: hand-rolled", "seed: blikk", "hand-rolled, here", "blikk, here"),
        [
            row("response latency, ms", ("3200", "580"), p50),
            row("longest latency, ms", ("", ""), lambda each: max(each.latencies_ms, default=float("nan"))),
            row("peak memory, MB", ("1800", "512"), lambda each: each.memory_mb),
            row("tokens a minute", ("6400", "1200"), lambda each: each.tokens_per_minute),
            row("model calls", ("", ""), lambda each: each.calls),
            row("missed events, %", ("14", "2"), lambda each: each.missed, "{:.1f}"),
        ],
    )
    missed = [
        f"{what}: {worst:.0f}, goal {goal:.0f}"
        for what, worst, goal in (
            ("latency ms", max(p50(each) for each in mine), GOAL_LATENCY_MS),
            ("memory MB", max(each.memory_mb for each in mine), GOAL_MEMORY_MB),
            ("tokens a minute", max(each.tokens_per_minute for each in mine), GOAL_TOKENS),
            ("missed %", max(each.missed for each in mine), 0.0),
        )
        if not worst <= goal
    ]
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
