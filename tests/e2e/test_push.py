"""An edge client brings a camera to a node, over TLS: the event is reported, and no face leaves the client."""

import os
import subprocess
from pathlib import Path

import pytest
from broker import Broker, make_certificates
from patience import PATIENCE
from ports import free_port
from staging import BLIKK, BlikkRun, Ears

TOKEN = "4Zk9x1vQ7rT2mWb8"
CONFIG = """\
node: {{id: hallway}}
mqtt: {{host: 127.0.0.1, port: {broker}}}
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
http: {{port: {port}, tls: {{certificate: {certificate}, key: {key}}}}}
cameras:
  shed: {{source: push, push_token: !env TOKEN}}
"""


@pytest.mark.timeout(400)
def test_a_visit_at_a_pushed_camera_becomes_an_event(
    tmp_path: Path, demo_clip: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    certificates, port = make_certificates(tmp_path), free_port()
    with Broker(tmp_path) as broker, Ears(broker.port) as ears:
        config = CONFIG.format(
            broker=broker.port,
            folder=tmp_path,
            port=port,
            certificate=certificates.server,
            key=certificates.server_key,
        ).replace("!env TOKEN", TOKEN)
        with BlikkRun(tmp_path, config, models=models) as run:
            ears.until(lambda: ears.on("hallway/status"), 30, "the node")
            client = _push(tmp_path, demo_clip, port, certificates.ca, models)
            try:
                ears.until(lambda: b"online" in ears.on("/shed/status"), 30, "the camera")
                ears.until(lambda: [e for e in ears.json_on("/event") if e["label"] == "person"], 60, "the visit")
                ears.until(lambda: ears.on("/shed/picture/person"), 10, "its picture")
                client.kill()
                ears.until(lambda: ears.on("/shed/status")[-1] == b"offline", 30, "the outage")
            finally:
                client.kill()
                client.wait(10 * PATIENCE)
            run.stop()
    assert TOKEN not in run.log
    assert TOKEN not in (tmp_path / "push.log").read_text()


def _push(folder: Path, clip: Path, port: int, ca: Path, models: Path) -> "subprocess.Popen[bytes]":
    token = folder / "token"
    token.write_text(TOKEN)
    with (folder / "push.log").open("wb") as log:
        return subprocess.Popen(
            [
                *(str(BLIKK), "push", "--source", str(clip), "--token-file", str(token), "--ca", str(ca)),
                *("--to", f"wss://127.0.0.1:{port}/ingest/shed"),
            ],
            stdout=log,
            stderr=log,
            env={**os.environ, "BLIKK_MODELS": str(models)},
        )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--to", "wss://h/ingest/x"], "no token"),
        (["--to", "wss://h/ingest/x", "--token-file", "nothing"], "cannot be read"),
    ],
)
def test_push_without_a_token_says_how_to_give_one(tmp_path: Path, options: list[str], says: str) -> None:
    environ = {k: v for k, v in os.environ.items() if k != "BLIKK_PUSH_TOKEN"}
    command = [str(BLIKK), "push", "--source", "clip.mp4", *options]
    done = subprocess.run(
        command, check=False, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=30 * PATIENCE
    )
    assert done.returncode == 2
    assert says in done.stderr
