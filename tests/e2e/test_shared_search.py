"""A node that leaves looks to its site's workers: `blikk run`, `blikk worker`, a real NATS server and a real broker."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from broker import Broker
from made_once import made_once
from nats_server import NatsServer
from staging import BLIKK, BlikkRun, Ears, coloured_clip
from tiny_clip import write_pair


def test_a_visitor_is_compared_with_words_by_a_worker(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, photographs: Path, broker: Broker, data: Path
) -> None:
    """One all in red and one all in blue. The node itself opens no model for words."""
    clip = made_once(tmp_path_factory, "coloured.mp4", lambda path: coloured_clip(path, photographs))
    model, tokenizer = write_pair(tmp_path / "towers")
    of_words = f"model: {model}, tokenizer: {tokenizer}"
    (tmp_path / "nats").mkdir()
    with NatsServer(tmp_path / "nats") as nats:
        fleet = f"fleet: {{site: hall, servers: [{nats.url}]}}\n"
        worker_file, worker_log = tmp_path / "worker.yaml", tmp_path / "worker.log"
        worker_file.write_text(f"worker: rack_1\n{fleet}embedding: {{{of_words}}}\ndetector: {{model: yolox-nano}}\n")
        command = [BLIKK, "worker", "--config", str(worker_file)]
        with (
            worker_log.open("wb") as log,
            subprocess.Popen(
                command, stdout=log, stderr=log, env=os.environ | {"BLIKK_MODELS": str(data / "models")}
            ) as worker,
        ):
            try:
                _until(lambda: worker_log.read_text().count("takes jobs of site hall") == 2, worker_log)
                search = f"search: {{{of_words}, workers: [embedding, detector]}}\n"
                _watched(tmp_path, broker, data / "models", clip, fleet + search)
            finally:
                worker.terminate()
        assert worker.returncode == 0, worker_log.read_text()


def _watched(folder: Path, broker: Broker, models: Path, clip: Path, top: str) -> None:
    text = (
        f"node: hallway\nmqtt: {{host: 127.0.0.1, port: {broker.port}}}\nstore: {{path: {folder}/blikk.db}}\n"
        f"summary: false\n{top}cameras:\n  gate: {{source: {clip}, name: Gate, concepts: {{red_one: red person}}}}\n"
    )
    with Ears(broker.port) as ears, BlikkRun(folder, text, models=models) as run:

        def appeared() -> list[dict[str, Any]]:
            told = ears.json_on("gate/observation")
            return [each for each in told if each["kind"] == "appeared" and each.get("appearances")]

        ears.until(lambda: len(appeared()) >= 2, 90, "both visitors")
        first, second = (each["appearances"][0] for each in appeared()[:2])
        assert [each["sub_label"] for each in (first, second)] == ["person", "person"]
        assert all(each["embedding"]["model"].startswith("two_towers-") for each in (first, second))
        states = [each["concepts"]["red_one"] for each in ears.json_on("gate/state") if "concepts" in each]
        assert states.count(True) >= 1
        assert run.process is not None
        mapped = Path(f"/proc/{run.process.pid}/maps").read_text()
        assert "onnxruntime" not in mapped
        run.stop(20)


def _until(what: Any, log: Path) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
