"""Other people's WebRTC from npm (`webrtc_peers/peer.mjs`): a WHEP server, and a WHIP client."""

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

PATIENCE = 1.0
if __name__ != "__main__":
    from patience import PATIENCE

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("BLIKK_WEBRTC_PEERS", HERE.parent / ".cache/webrtc-peers"))
TOKEN = "peer-token"
SIZE = (640, 480)
FPS = 15


def missing() -> str:
    """Why the peers cannot be run; empty where they can."""
    there = shutil.which("node") and (FOLDER / "node_modules").is_dir()
    return "" if there else "no peers from npm: scripts/webrtc_peers"


@dataclass
class Said:
    """The lines of JSON that a peer says."""

    process: subprocess.Popen[str]
    _lines: "queue.Queue[dict[str, Any]]" = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def until(self, key: str, limit_s: float = 30.0) -> dict[str, Any]:
        """The next line with this key; raises queue.Empty."""
        while True:
            line = self._lines.get(timeout=limit_s * PATIENCE)
            if key in line:
                return line

    def tell(self) -> None:
        """Send the peer a line."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextmanager
def peer(*arguments: str) -> Iterator[Said]:
    """One peer; see `peer.mjs` for its command line."""
    command = ["node", str(HERE / "webrtc_peers" / "peer.mjs"), *arguments]
    environ = os.environ | {"BLIKK_WEBRTC_PEERS": str(FOLDER)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ, text=True
    ) as process:
        try:
            yield Said(process)
        finally:
            process.kill()


@dataclass(frozen=True)
class WhepServer:
    """A running server: `address` has `whep+` before it."""

    address: str
    token: str
    said: Said


@contextmanager
def whep_server(library: str, codec: str) -> Iterator[WhepServer]:
    """A WHEP server of werift (`h264` or `vp8`) or wrtc (`vp8`)."""
    with peer("whep", library, codec) as said:
        place = said.until("port")
        with feeding(place.get("rtp"), codec):
            yield WhepServer(f"whep+http://127.0.0.1:{place['port']}/whep", TOKEN, said)


@contextmanager
def feeding(port: int | None, codec: str) -> Iterator[None]:
    """A walking square as RTP to a port of this machine, a keyframe each half second; nothing without a port."""
    if port is None:
        yield
        return
    # a process of its own: what it costs is not ours
    with subprocess.Popen([sys.executable, __file__, str(port), codec], stdin=subprocess.PIPE) as process:
        try:
            yield
        finally:
            process.kill()


def picture(number: int) -> np.ndarray:
    """A bright square that walks over grey, RGB."""
    image = np.full((SIZE[1], SIZE[0], 3), 60, np.uint8)
    left = number * 8 % (SIZE[0] - 100)
    image[100:200, left : left + 100] = 230
    return image


def encoder(codec: str) -> av.VideoCodecContext:
    """libav's, as a camera would be set."""
    made = av.CodecContext.create("libx264" if codec == "h264" else "libvpx", "w")
    made.width, made.height, made.pix_fmt = *SIZE, "yuv420p"
    made.time_base, made.framerate = Fraction(1, FPS), Fraction(FPS)
    made.gop_size, made.bit_rate, made.thread_count = FPS // 2, 800_000, 1
    made.options = (
        {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}
        if codec == "h264"
        else {"deadline": "realtime", "cpu-used": "8"}
    )
    return made


def encoded(codec: str, count: int) -> list[bytes]:
    """So many encoded pictures."""
    made = encoder(codec)
    found = []
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        found += [bytes(packet) for packet in made.encode(frame)]
    return found


def feed(port: int, codec: str) -> None:
    """Send RTP until the end of this process."""
    with av.open(f"rtp://127.0.0.1:{port}?pkt_size=1200", "w", format="rtp") as container:
        stream = container.add_stream("libx264" if codec == "h264" else "libvpx", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.options = encoder(codec).options
        stream.codec_context.gop_size, stream.bit_rate, stream.thread_count = FPS // 2, 800_000, 1
        number = 0
        while True:
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
            number += 1
            time.sleep(1 / FPS)


if __name__ == "__main__":
    feed(int(sys.argv[1]), sys.argv[2])
