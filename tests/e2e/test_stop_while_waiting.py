"""A stop while libav waits for cameras: nobody can wake it, and nobody waits for it."""

import socket
from pathlib import Path

import pytest
from broker import Broker
from patience import in_time
from rtsp_server import RtspServer
from staging import BlikkRun, Ears

CONFIG = """\
node: hallway
mqtt: {{host: 127.0.0.1, port: {port}}}
health_every_s: 2
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
cameras:
  silent: {{source: "rtsp://127.0.0.1:{silent}/cam"}}
  tcp: {{source: "{source}", transport: tcp}}
  udp: {{source: "{source}", transport: udp}}
"""
BASE = "blikk/hallway"


@pytest.mark.timeout(300)
@in_time
def test_node_ends_in_time_while_a_camera_does_not_answer_and_others_stand_still(
    tmp_path: Path, demo_clip: Path
) -> None:
    with (
        Broker(tmp_path) as broker,
        Ears(broker.port) as ears,
        RtspServer(demo_clip) as server,
        socket.socket() as silent,
    ):
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=server.url, silent=silent.getsockname()[1])
        with BlikkRun(tmp_path, config, models=None) as run:
            for name in ("tcp", "udp"):
                ears.until(lambda name=name: b"online" in ears.on(f"{BASE}/{name}/status"), 60, name)
            server.pause()
            seconds = run.stop()
            assert run.process is not None
            assert run.process.returncode == 0
    assert seconds < 5.0
    assert ears.on(f"{BASE}/status")[-1] == b"offline"
    assert "left behind" not in run.log
    assert "Traceback" not in run.log
