"""The first picture of the day: from a start with nothing in memory to the first event, in what a small board has.

    python bench/appliance.py [--runs 5] [--quick] [--check] [--image NAME] [--platform linux/arm64]

A real RTSP server shows somebody who walks by as soon as a client comes. `blikk run` is started with one core and
512 MB (affinity and a memory control group; the table says where there is none) after its files have been dropped from
the page cache. The time is from the start of the process to the event on a real broker, and to the picture, faces
blurred. The rival is what the same libraries need at least: a script that opens the stream, runs the same model on
every frame and publishes the first person, with nothing blurred, tracked, recorded or repeated.

With `--image` the same is measured in a container, whose engine sets the limits (BLIKK_ENGINE, else podman or docker);
an image for another processor than this machine's runs under qemu-user, as a Cortex-A72, and its row says "emulated".
Times are the median of the runs. CPU is that of the process until the event; on a busy machine it is the steadier one.
"""

import argparse
import json
import os
import platform as host
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import paho.mqtt.client as paho
import psutil
from rig import CONFIG, ROOT, Broker, RtspServer, data_folder, table, wait_until

from blikk_edge.demo import clip as own_clip

GOAL_S = 5.0
CORES = 1
MEMORY_MB = 512
LIMIT_S = 60.0
"""Of a start; an emulated processor gets ten times that."""
VISIT = (6.5, 19.5)
"""Seconds of the clip: from where the first visitor is in full view until she has gone."""
PROCESSORS = {"x86_64": "amd64", "aarch64": "arm64"}

EVENT = "blikk/bench/cam/event"
PICTURE = "blikk/bench/cam/picture/person"
RIVAL = """
import sys, av
from pathlib import Path
from paho.mqtt import client as paho
from blikk_edge.core.sightings import Label
from blikk_edge.transforms.models.detect import TfliteDetector
from blikk_edge.transforms.models.folders import ModelFolders, resolve
source, port, models, topic = sys.argv[1:]
client = paho.Client(paho.CallbackAPIVersion.VERSION2)
client.connect("127.0.0.1", int(port))
client.loop_start()
model = resolve("yolox-nano", model_folders=ModelFolders(cache=Path(models), folders=(Path(models),), offline=True))
detector = TfliteDetector(model, thresholds={Label.PERSON: 0.45})
quick = {"rtsp_transport": "tcp", "analyzeduration": "100000", "fpsprobesize": "0"}
with av.open(source, options=quick) as container:
    container.streams.video[0].thread_type = "NONE"
    for frame in container.decode(video=0):
        if any(seen.label is Label.PERSON for seen in detector.detect(frame.to_ndarray(format="bgr24"))):
            client.publish(topic, "a person", qos=1).wait_for_publish(10)
            break
sys.stdin.read()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start.

    Attributes:
        event_s: from the start of the process to the first event on MQTT.
        picture_s: to the first picture; None where there is none.
        cpu_s: of the process until the event.
        rss_mb: its resident memory at most.
    """

    event_s: float
    picture_s: float | None
    cpu_s: float
    rss_mb: float


class Limits:
    """One core and so much memory for the processes that `command` starts."""

    def __init__(self) -> None:
        self.core = max(os.sched_getaffinity(0))
        self._group = self._memory_group()

    @property
    def memory(self) -> bool:
        """Whether memory is limited here."""
        return self._group is not None

    def command(self, *words: str) -> list[str]:
        """The command line that enters the limits and becomes `words`."""
        enter = f'echo $$ > "{self._group}/cgroup.procs"; ' if self._group else ""
        return ["sh", "-c", f'{enter}exec taskset -c {self.core} "$@"', "sh", *words]

    def close(self) -> None:
        """Take the control group away again."""
        if self._group:
            with suppress(OSError):
                self._group.rmdir()

    @staticmethod
    def _memory_group() -> Path | None:
        name = f"blikk-bench-{os.getpid()}"
        for group, limit in (
            (Path("/sys/fs/cgroup/memory") / name, "memory.limit_in_bytes"),
            (Path("/sys/fs/cgroup") / name, "memory.max"),
        ):
            try:
                group.mkdir()
                (group / limit).write_text(str(MEMORY_MB << 20))
            except OSError:
                with suppress(OSError):
                    group.rmdir()
                continue
            return group
        return None


def visitor(path: Path) -> None:
    """A clip in which somebody walks by from its first second on."""
    data = data_folder()
    source = data and data / "video" / "intel_sample" / "one-by-one-person-detection.mp4"
    first, last = VISIT
    if source is None or not source.is_file():
        source = path.with_name("demo.mp4")
        own_clip.make(source)
        first, last = own_clip.VISITOR[0], own_clip.VISITOR[3] + 1
    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        video = read.streams.video[0]
        stream = written.add_stream("libx264", rate=video.average_rate)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        stream.thread_count = 1  # x264 would cut each picture into slices, one a thread
        stream.options = {"crf": "20", "preset": "veryfast", "g": "20", "bf": "0"}
        number = 0
        for frame in read.decode(video=0):
            if first <= (frame.time or 0.0) < last:
                frame.pts, frame.time_base = number, Fraction(1) / (video.average_rate or 10)
                frame.pict_type = 0
                written.mux(stream.encode(frame))
                number += 1
        written.mux(stream.encode(None))


def forgotten(*folders: Path) -> None:
    """Drop the files below these folders from the page cache, but for what other processes have mapped."""
    os.sync()
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                with suppress(OSError):
                    file = os.open(path, os.O_RDONLY)
                    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                    os.close(file)


class Watch:
    """Notes when the first message of a topic came."""

    def __init__(self, port: int) -> None:
        self.came: dict[str, float] = {}
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_message = self._message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe([(EVENT, 1), (PICTURE, 1)])

    def _message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if message.payload and message.topic not in self.came:
            self.came[message.topic] = time.monotonic()

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Program:
    """`blikk run` of this checkout, or the rival, in this machine's limits."""

    pictures: bool

    def __init__(self, limits: Limits, *, rival: bool = False) -> None:
        self.pictures = not rival
        self._limits = limits

    @property
    def files(self) -> tuple[Path, ...]:
        """Where what it reads lies."""
        return Path(sys.prefix), Path(json.__file__).parents[1], ROOT / "blikk_edge", models()

    @contextmanager
    def started(self, folder: Path, *, source: str, port: int) -> Iterator[psutil.Process]:
        """A start; ended at the end."""
        if self.pictures:
            (folder / "blikk.yaml").write_text(
                CONFIG.format(node="bench", port=port, folder=folder, source=source, extra="")
            )
            words = [str(Path(sys.executable).with_name("blikk")), "run", "--config", str(folder / "blikk.yaml")]
        else:
            words = [sys.executable, "-c", RIVAL, source, str(port), str(models()), EVENT]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                self._limits.command(*words), stdin=subprocess.PIPE, stdout=log, stderr=log,
                env=os.environ | {"BLIKK_MODELS": str(models())},
            )  # fmt: skip
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)


class Container:
    """The image, in the engine's limits; its store of images is the engine's."""

    pictures = True

    def __init__(self, engine: str, image: str, platform: str) -> None:
        self._engine = engine.split()
        self._image = image
        self.platform = platform
        (found,) = json.loads(self._said("image", "inspect", image))
        self.size_mb = found["Size"] / 1e6
        layers = found["GraphDriver"]["Data"]
        self.files = tuple(
            Path(path) for key in ("UpperDir", "LowerDir") for path in layers.get(key, "").split(":") if path
        )

    @property
    def emulated(self) -> bool:
        """Whether the processor is."""
        return not self.platform.endswith(PROCESSORS.get(host.machine(), host.machine()))

    def _said(self, *words: str) -> str:
        return subprocess.run([*self._engine, *words], capture_output=True, text=True, check=True).stdout

    @contextmanager
    def started(self, folder: Path, *, source: str, port: int) -> Iterator[psutil.Process]:
        """A start; removed at the end."""
        config = folder / "blikk.yaml"
        config.write_text(CONFIG.format(node="bench", port=port, folder="/data", source=source, extra=""))
        for path in (folder, config):
            path.chmod(0o755)
        name = f"blikk-bench-{os.getpid()}"
        options = ["--platform", self.platform, "--pull=never", "--network=host", "--read-only", "--tmpfs=/tmp"]
        options += ["--cap-drop=all", f"--memory={MEMORY_MB}m", f"--cpuset-cpus={max(os.sched_getaffinity(0))}"]
        options += [f"--volume={config}:/config/blikk.yaml:ro", f"--volume={models()}:/models:ro"]
        options += ["--env=BLIKK_MODELS=/models:/opt/blikk/models"]
        options += ["--env=QEMU_CPU=cortex-a72"] if self.emulated else []
        try:
            self._said("run", "--detach", "--name", name, *options, self._image)
            (found,) = json.loads(self._said("inspect", name))
            yield psutil.Process(found["State"]["Pid"])
        finally:
            said = subprocess.run(
                [*self._engine, "logs", name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
            )
            (folder / "log").write_bytes(said.stdout)
            subprocess.run([*self._engine, "rm", "--force", "--volumes", name], capture_output=True, check=False)


def models() -> Path:
    """The folder of models, which the default ones are in."""
    data = data_folder()
    return data / "models" if data else Path.home() / ".cache" / "blikk" / "models"


def used(process: psutil.Process) -> tuple[float, float]:
    """CPU seconds and the most resident memory, in MB, of a process and its children."""
    cpu, rss = 0.0, 0.0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess, FileNotFoundError):
            times = each.cpu_times()
            cpu += times.user + times.system
            status = Path(f"/proc/{each.pid}/status").read_text()
            peak = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM: 0 kB")
            rss = max(rss, int(peak.split()[1]) / 1e3)
    return cpu, rss


def measured(subject: Program | Container, clip: Path) -> Start:
    """One cold start, with a broker and a server of its own."""
    with tempfile.TemporaryDirectory() as base, ExitStack() as stack:
        folder = Path(base)
        broker = stack.enter_context(Broker(folder))
        server = stack.enter_context(RtspServer(clip))
        watch = stack.enter_context(Watch(broker.port))
        forgotten(*subject.files)
        limit_s = LIMIT_S * (10 if isinstance(subject, Container) and subject.emulated else 1)
        began = time.monotonic()
        try:
            with subject.started(folder, source=server.url, port=broker.port) as process:
                wait_until(lambda: EVENT in watch.came, within_s=limit_s, what="an event")
                cpu_s, _ = used(process)
                if subject.pictures:
                    wait_until(lambda: PICTURE in watch.came, within_s=limit_s, what="a picture")
                _, rss_mb = used(process)
        except TimeoutError:
            print((folder / "log").read_text(errors="replace"), file=sys.stderr)
            raise
        picture_s = watch.came[PICTURE] - began if subject.pictures else None
        return Start(event_s=watch.came[EVENT] - began, picture_s=picture_s, cpu_s=cpu_s, rss_mb=rss_mb)


def row(name: str, starts: list[Start], size: str = "") -> tuple[str, ...]:
    """A row of the table: medians, and of the memory the most."""
    events = [start.event_s for start in starts]
    pictures = [start.picture_s for start in starts if start.picture_s is not None]
    return (
        name,
        f"{statistics.median(events):.1f} ({min(events):.1f} to {max(events):.1f})",
        f"{statistics.median(pictures):.1f}" if pictures else "-",
        f"{statistics.median(start.cpu_s for start in starts):.1f}",
        f"{max(start.rss_mb for start in starts):.0f}",
        size,
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="starts of each")
    parser.add_argument("--quick", action="store_true", help="one start of each")
    parser.add_argument("--check", action="store_true", help="exit 1 where the goal is missed")
    parser.add_argument("--image", help="an image to start as well")
    parser.add_argument("--platform", help="the image's, as linux/arm64 (default: this machine's)")
    options = parser.parse_args()
    runs = 1 if options.quick else options.runs
    limits = Limits()
    rows = []
    with tempfile.TemporaryDirectory() as base:
        clip = Path(base) / "visitor.mp4"
        visitor(clip)
        try:
            rival, ours = Program(limits, rival=True), Program(limits)
            seen: dict[Program, list[Start]] = {rival: [], ours: []}
            for _ in range(runs):  # in turns, so that both meet the same machine
                for program, starts in seen.items():
                    starts.append(measured(program, clip))
        finally:
            limits.close()
        rows = [row("a script: first person of the model", seen[rival]), row("blikk run", seen[ours])]
        goal_s = statistics.median(start.event_s for start in seen[ours])
        if options.image:
            native = f"linux/{PROCESSORS.get(host.machine(), host.machine())}"
            engine = os.environ.get("BLIKK_ENGINE") or ("podman" if shutil.which("podman") else "docker")
            container = Container(engine, options.image, options.platform or native)
            starts = [measured(container, clip) for _ in range(runs)]
            name = f"container, {container.platform}" + (", emulated" if container.emulated else "")
            rows.append(row(name, starts, f"{container.size_mb:.0f}"))
    limited = f"{MEMORY_MB} MB" if limits.memory else "no limit of memory (no control group can be made here)"
    print(f"{CORES} core of {host.machine()}, {limited}; {runs} cold starts of each\n")
    table(("", "start to event s (median)", "to picture s", "CPU s", "memory MB at most", "image MB"), rows)
    print(f"goal: an event within {GOAL_S:.0f} s of a cold start")
    return 1 if options.check and goal_s > GOAL_S else 0


if __name__ == "__main__":
    sys.exit(main())
