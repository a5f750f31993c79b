"""Several real streams in one node, beside addresses that are dead: each is reported, threads are bounded."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from broker import Broker
from patience import PATIENCE
from ports import free_port
from rtsp_server import RtspServer
from staging import BLIKK, BlikkRun, Ears

LIVING, NAMES = 6, 2
OTHER_THREADS = 6 + min(32, (os.cpu_count() or 1) + 4)
"""Threads of a node beside one for each camera and each vision worker, however many cameras there are: six, and those
that asyncio has for work on files."""

CONFIG = """\
node: hallway
mqtt: {{host: 127.0.0.1, port: {port}}}
health_every_s: 2
store: {{path: {folder}/hallway.db}}
cameras:
"""
BASE = "blikk/hallway"
MASKED = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


@contextmanager
def mute_name_server(folder: Path) -> Iterator[list[str]]:
    """The command before a program that asks a name server which never answers; empty where that cannot be had."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        try:
            mute.bind(("127.0.73.53", 53))
        except OSError:
            yield []
            return
        resolv = folder / "resolv.conf"
        resolv.write_text("nameserver 127.0.73.53\n")
        unshare = shutil.which("unshare")
        command = [unshare, "--map-root-user", "--mount", "sh", "-c", MASKED, str(resolv)] if unshare else []
        works = command and not subprocess.run([*command, "true"], check=False, capture_output=True).returncode
        yield command if works else []


class UnderneathRun(BlikkRun):
    """`blikk run` behind another command, which becomes it."""

    def __init__(self, folder: Path, config: str, *, models: Path | None, behind: list[str]) -> None:
        super().__init__(folder, config, models=models)
        self._behind = behind

    def start(self) -> None:
        command = [*self._behind, str(BLIKK), "run", "--config", str(self._config)]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self.environ)


@pytest.mark.timeout(300)
def test_each_of_many_streams_is_reported_while_dead_addresses_are_tried(
    tmp_path: Path, demo_clip: Path, models: Path
) -> None:
    with (
        Broker(tmp_path) as broker,
        Ears(broker.port) as ears,
        RtspServer(demo_clip) as server,
        mute_name_server(tmp_path) as behind,
    ):
        sources = {f"living_{n}": server.url for n in range(LIVING)} | {
            "refused": f"rtsp://127.0.0.1:{free_port()}/cam"
        }
        sources |= {f"name_{n}": f"rtsp://camera-{n}.example/cam" for n in range(NAMES)}
        config = CONFIG.format(port=broker.port, folder=tmp_path)
        config += "".join(f'  {name}: {{source: "{source}", watch: eco}}\n' for name, source in sources.items())
        with UnderneathRun(tmp_path, config, models=models, behind=behind) as run:
            for n in range(LIVING):
                living = f"{BASE}/living_{n}"
                ears.until(lambda at=living: b"online" in ears.on(f"{at}/status"), 60, f"{living} online")
            for n in range(LIVING):
                living = f"{BASE}/living_{n}"
                ears.until(
                    lambda at=living: any(e["label"] == "person" for e in ears.json_on(f"{at}/event")), 60, living
                )
            known = {f"camera.{name}" for name in sources if not name.startswith("living")}
            ears.until(
                lambda: known <= {line.split(":")[0] for line in ears.json_on("/health")[-1]["problems"]},
                60,
                "problems",
            )
            assert run.process is not None
            threads = psutil.Process(run.process.pid).num_threads()
            if behind:
                assert "no name server answers" in run.log
            seconds = run.stop(5.0 * PATIENCE)
            assert run.process.returncode == 0
    assert threads <= len(sources) + 1 + OTHER_THREADS
    assert seconds < 5.0
    assert "Traceback" not in run.log
    for name in sources:
        assert run.log.count(f"camera.{name}") <= 12
