"""`blikk search` and a concept, from a clip to the terminal: a visitor all in red, and one all in blue.

The model is of two towers made here (`tiny_clip`); the published weights were never run.
"""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from broker import Broker
from made_once import made_once
from patience import PATIENCE
from ports import free_port
from staging import BLIKK, SCHEMAS, BlikkRun, Ears, coloured_clip, follows_contract
from tiny_clip import write_pair

from blikk_edge.core.appearance import Appearance, Colour
from blikk_edge.core.observation import Observation, Observed
from blikk_edge.core.sightings import Label
from blikk_edge.store.store import Store


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, photographs: Path) -> Path:
    return made_once(tmp_path_factory, "coloured.mp4", lambda path: coloured_clip(path, photographs))


def config(folder: Path, clip: Path, mqtt: str) -> str:
    return (
        f"node: hallway\nmqtt: {mqtt}\nstore: {{path: {folder}/blikk.db}}\nsummary: false\n"
        f"http: {{port: {free_port()}}}\nmedia: true\n"
        "search: {model: towers/two_towers.onnx, tokenizer: towers/tokenizer.json}\n"
        "cameras:\n"
        f"  gate: {{source: {clip}, name: Gate, concepts: {{red_one: red person}}}}\n"
    )


def blikk(folder: Path, *arguments: str, models: Path) -> subprocess.CompletedProcess[str]:
    command = [BLIKK, *arguments, "--config", str(folder / "blikk.yaml")]
    environ = {**os.environ, "BLIKK_MODELS": str(models)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environ)


def found(result: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert result.stdout, result.stderr
    reply = json.loads(result.stdout)
    jsonschema.validate(reply, json.loads((SCHEMAS / "reply.json").read_text()))
    rows: list[dict[str, Any]] = [each for each in reply["found"] if each["label"] == "person"]
    return rows


def test_what_was_seen_is_found_by_words_and_a_concept_is_a_sensor(
    tmp_path: Path, clip: Path, broker: Broker, data: Path
) -> None:
    write_pair(tmp_path / "towers")
    models = data / "models"
    text = config(tmp_path, clip, f"{{host: 127.0.0.1, port: {broker.port}}}")
    with Ears(broker.port) as ears, BlikkRun(tmp_path, text, models=models) as run:

        def appeared() -> list[dict[str, Any]]:
            told = ears.json_on("gate/observation")
            return [each for each in told if each["kind"] == "appeared" and each.get("appearances")]

        ears.until(lambda: len(appeared()) >= 2, 90, "both visitors")
        assert [each["appearances"][0]["colours"][0] for each in appeared()[:2]] == [Colour.RED, Colour.BLUE]
        assert all(each["appearances"][0]["embedding"]["float16"] for each in appeared())
        # the sensor was on while the red one was there, and not for the blue one
        states = [each["concepts"]["red_one"] for each in ears.json_on("gate/state") if "concepts" in each]
        assert states[0] is False
        assert states.count(True) >= 1
        ears.until(lambda: ears.json_on("gate/state")[-1]["concepts"] == {"red_one": False}, 20, "its end")
        device = ears.json_on("camera_gate/config")[0]
        assert device["components"]["concept_red_one"]["platform"] == "binary_sensor"
        (camera,) = ears.json_on("hallway/announce")[0]["cameras"]
        assert camera["concepts"] == [{"id": "red_one", "text": "red person"}]
        assert {"observation", "state", "announce"} <= follows_contract(ears, "blikk/hallway")

        # the running node answers, by MQTT
        rows = found(blikk(tmp_path, "search", "a red person", "--json", models=models))
        assert (rows[0]["by"], rows[0]["colours"][0], rows[0]["camera"]) == ("concept", "red", "gate")
        assert rows[0]["score"] > 0.9
        assert all(Path(path).read_bytes()[:2] == b"\xff\xd8" for path in rows[0]["paths"])
        assert rows[0]["paths"]
        run.stop(20)
    # and without it the store is read
    table = blikk(tmp_path, "search", "blue person", "--camera", "gate", "--since", "1h", models=models)
    lines = [line.split("\t") for line in table.stdout.splitlines()]
    first = next(line for line in lines if line[2].endswith("person"))
    assert (first[1], first[3].split()[:2]) == ("gate", ["by", "concept"])
    assert "blue" in first[2]
    assert Path(first[4]).is_file()
    late = blikk(tmp_path, "search", "blue person", "--until", "2020-01-01", models=models)
    assert (late.returncode, late.stdout, late.stderr) == (1, "", "nothing that was seen looks like it\n")
    wrong = blikk(tmp_path, "search", "blue person", "--since", "the day of the fox", models=models)
    assert wrong.returncode == 1
    assert "`since` is no time; write" in wrong.stderr


def test_without_a_model_colours_answer_by_the_socket_of_the_node(tmp_path: Path) -> None:
    store = Store(tmp_path / "blikk.db")
    store.open()
    for number, colour in enumerate((Colour.RED, Colour.BLUE)):
        seen = Appearance(track=1, label=Label.PERSON, kind="person", colours=(colour,))
        now = time.time()
        store.put(
            Observation(
                id=f"gate-{number}",
                camera="gate",
                kind=Observed.APPEARED,
                time=now,
                until=now,
                score=0.0,
                appearances=(seen,),
            )
        )
    store.close()
    text = (
        f"node: hallway\nmqtt: false\nstore: {{path: {tmp_path}/blikk.db}}\nsummary: false\nsearch: colours\n"
        f"cameras: {{gate: 'rtsp://127.0.0.1:{free_port()}/none'}}\n"
    )
    with BlikkRun(tmp_path, text, models=None):
        end = time.monotonic() + PATIENCE * 60
        while not (tmp_path / "blikk.db.ask").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        rows = found(blikk(tmp_path, "search", "red person", "--json", models=tmp_path))
        assert [(row["by"], row["score"], row["colours"]) for row in rows] == [("colour", None, ["red"])]
        puzzled = blikk(tmp_path, "search", "person with an umbrella", models=tmp_path)
        assert (puzzled.returncode, "Without a model" in puzzled.stderr) == (1, True)


def test_a_replay_gives_the_same_looks_twice(tmp_path: Path, clip: Path, data: Path) -> None:
    write_pair(tmp_path / "towers")
    (tmp_path / "blikk.yaml").write_text(config(tmp_path, clip, "false"))
    models = data / "models"
    first, again = (blikk(tmp_path, "replay", str(clip), "--json", models=models).stdout for _ in range(2))
    assert first == again
    looks = [json.loads(line) for line in first.splitlines() if "appearances" in line]
    assert [each["appearances"][0]["colours"][0] for each in looks if each["kind"] == "appeared"] == ["red", "blue"]
