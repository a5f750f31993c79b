"""What the end-to-end benches share: a real RTSP server, a real broker and a real `blikk run` on loopback."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from broker import Broker  # noqa: E402
from rtsp_server import RtspServer  # noqa: E402

__all__ = ["Broker", "RtspServer", "blikk_run", "cpu_s", "data_folder", "idle_clip", "table"]

CONFIG = """\
node: {node}
mqtt: {{host: 127.0.0.1, port: {port}}}
store: {{path: {folder}/bench.db}}
cameras:
  cam: {{source: "{source}"{extra}}}
"""
MORE = '  cam_{number}: {{source: "{source}"{extra}}}\n'


def data_folder() -> Path | None:
    """The folder of test data, or None where it is absent."""
    folder = Path(os.environ.get("BLIKK_TEST_DATA", ROOT.parent / "shared" / "data"))
    return folder if folder.is_dir() else None


@contextmanager
def blikk_run(
    folder: Path, *, source: str, port: int, node: str = "bench", top: str = "", cameras: int = 1, **camera: object
) -> Iterator[subprocess.Popen[bytes]]:
    """`blikk run` on one camera, `cam`, as a user starts it; ended by SIGTERM.

    `top` are further lines of the configuration. What else the camera is set to goes into its settings. Several at one
    broker need a `folder` and a `node` each. More `cameras`, `cam_1` and so on, watch the same source.
    """
    config = folder / "blikk.yaml"
    extra = "".join(f", {key}: {value}" for key, value in camera.items())
    more = "".join(MORE.format(number=number, source=source, extra=extra) for number in range(1, cameras))
    config.write_text(CONFIG.format(node=node, port=port, folder=folder, source=source, extra=extra) + more + top)
    environ = dict(os.environ)
    if (data := data_folder()) is not None:
        environ.setdefault("BLIKK_MODELS", str(data / "models"))
    with (folder / "blikk.log").open("wb") as log:
        command = [str(Path(sys.executable).with_name("blikk")), "run", "--config", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


def cpu_s(pid: int) -> float:
    """Seconds of CPU that the kernel charged all threads of a process, to the nanosecond (/proc schedstat)."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def idle_clip(path: Path, *, width_px: int, height_px: int, fps: int, seconds: int) -> None:
    """A clip in which nothing moves: textured walls, sensor noise, H.264 with a keyframe every two seconds."""
    noise = np.random.default_rng(1)
    coarse = noise.integers(60, 180, (height_px // 16, width_px // 16, 3))
    wall = coarse.repeat(16, 0).repeat(16, 1).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = wall.shape[1], wall.shape[0], "yuv420p"
        stream.thread_count = 1  # x264 would cut each picture into slices, one a thread
        stream.options = {"crf": "23", "preset": "veryfast", "g": str(2 * fps), "bf": "0"}
        for number in range(seconds * fps):
            picture = wall + noise.normal(0, 2, wall.shape).astype(np.int16)
            frame = av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def wait_until(state: object, *, within_s: float, what: str) -> None:
    """Wait for a callable to say yes; raises TimeoutError."""
    deadline = time.monotonic() + within_s
    while not state():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {within_s:.0f} s")
        time.sleep(0.05)


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows under a header, in columns."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
