"""What a fleet is compared with: a process for each camera that asks it for a picture now and then, and one broker.

    python bench/fleet_rival.py [--cameras 30] [--seconds 30]

The cameras answer with the pictures of a clip, each at its own offset, over HTTP. The rival is what people write:
OpenCV decodes, a changed picture is a motion, paho publishes. Ours are nodes of a site with the same cameras
(`source: http://`) and as many pictures a second. Neither has a detector.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
from fleet_site import SITE, cpu_s, end, load, memory_mb
from labelled_clips import PEOPLE
from rig import Broker, data_folder, idle_clip, table

from nats_server import NatsServer  # isort: skip
from site_nodes import Node  # isort: skip

FPS = 1.0
SETTLE_S = 15.0

RIVAL = """
import json, sys, time, urllib.request
import cv2, numpy as np, paho.mqtt.client as mqtt

url, name, port, every_s = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.connect("127.0.0.1", port)
client.loop_start()
before, moving = None, None
while True:
    began = time.monotonic()
    data = urllib.request.urlopen(url, timeout=10).read()
    grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    small = cv2.GaussianBlur(cv2.resize(grey, (320, 180)), (5, 5), 0)
    if before is not None:
        share = float((cv2.absdiff(small, before) > 20).mean())
        if (share > 0.005) is not moving:
            moving = share > 0.005
            client.publish(f"cameras/{name}/motion", json.dumps({"motion": moving, "share": share}), qos=1, retain=True)
    before = small
    time.sleep(max(0.0, every_s - (time.monotonic() - began)))
"""


class Cameras(ThreadingHTTPServer):
    """So many cameras, as pictures that are asked for: `/<number>.jpg`."""

    daemon_threads = True

    def __init__(self, pictures: list[bytes], count: int) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.pictures = pictures
        self.step = max(1, len(pictures) // count)

    def url(self, number: int) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{number}.jpg"


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        cameras: Cameras = self.server
        number = int(self.path.strip("/").removesuffix(".jpg"))
        shown = cameras.pictures
        picture = shown[(int(time.monotonic() * FPS) + number * cameras.step) % len(shown)]
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(picture)))
        self.end_headers()
        self.wfile.write(picture)

    def log_message(self, *_: object) -> None:
        pass


def pictures(folder: Path) -> list[bytes]:
    """One JPEG a second of a real clip, 640x360; of an empty room without test data."""
    data = data_folder()
    clip = folder / "idle.mp4" if data is None else data / PEOPLE
    if data is None:
        idle_clip(clip, width_px=640, height_px=360, fps=5, seconds=30)
    found: list[bytes] = []
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            if frame.time * FPS >= len(found):
                shown = cv2.resize(frame.to_ndarray(format="bgr24"), (640, 360))
                found.append(cv2.imencode(".jpg", shown)[1].tobytes())
    return found


def used(pids: list[int], broker: int, seconds: float) -> tuple[float, float, float]:
    """Shares of a core of these processes and of the broker, and the memory of the processes (MB)."""
    before, began = [cpu_s(pid) for pid in (*pids, broker)], time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    spent = [(cpu_s(pid) - was) / took for pid, was in zip((*pids, broker), before, strict=True)]
    return sum(spent[:-1]), spent[-1], sum(map(memory_mb, pids))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    count, rows = options.cameras, []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cameras = Cameras(pictures(folder), count)
        threading.Thread(target=cameras.serve_forever, daemon=True).start()
        (folder / "polled").mkdir()
        with Broker(folder / "polled") as broker, ExitStack() as stack:
            pids = []
            for number in range(count):
                arguments = [cameras.url(number), f"camera_{number}", str(broker.port), str(1 / FPS)]
                process = stack.enter_context(subprocess.Popen([sys.executable, "-c", RIVAL, *arguments]))
                stack.callback(process.kill)
                pids.append(process.pid)
            time.sleep(SETTLE_S)
            rows.append((f"{count} polling processes", *used(pids, broker.pid, options.seconds)))
        for nodes in (1, 2):
            home = folder / f"nodes_{nodes}"
            (home / "broker").mkdir(parents=True)
            with NatsServer(home / "nats") as nats, Broker(home / "broker") as broker, ExitStack() as stack:
                made = [
                    Node(home, f"node_{each}", site=SITE, nats=nats.url, broker=broker.port, cameras_max=count)
                    for each in range(nodes)
                ]
                lines = [f"  camera_{each}: {{source: {cameras.url(each)}, fps: {FPS}}}" for each in range(count)]
                made[0].apply("\n".join(["cameras:", *lines, ""]))
                for node in made:
                    stack.callback(end, node)
                    node.start()
                while sum(node.log.count("watching http") for node in made) < count:
                    time.sleep(0.2)
                time.sleep(SETTLE_S)
                pids = [node.process.pid for node in made] + [nats.pid]
                rows.append((f"{nodes} of a site, and NATS", *used(pids, broker.pid, options.seconds)))
        cameras.shutdown()
    print(f"{count} cameras, {FPS:.0f} picture a second each; load {load()}")
    table(
        ("", "CPU a camera", "memory a camera", "CPU of the broker"),
        [
            (what, f"{1000 * cpu / count:.1f} ms/s", f"{memory / count:.1f} MB", f"{broker_cpu * 1000:.1f} ms/s")
            for what, cpu, broker_cpu, memory in rows
        ],
    )


if __name__ == "__main__":
    main()
