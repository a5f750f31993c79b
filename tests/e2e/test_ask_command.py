"""`blikk ask`: from the store where no node runs, over the broker where one does, in words where neither answers."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker
from patience import PATIENCE
from ports import free_port
from staging import BLIKK, BlikkRun, Ears

from blikk_edge.core.observation import Event, Observed, Phase
from blikk_edge.core.sightings import Label
from blikk_edge.store.store import Store

QUESTION = "How many people came to the front door in the last 24 hours?"


def config(folder: Path, port: int) -> str:
    # a camera that is away: the node runs, and has nothing to look at
    return (
        f"node: hallway\nmqtt: {{host: 127.0.0.1, port: {port}}}\nstore: {{path: {folder}/blikk.db}}\n"
        f"cameras:\n  front_door: {{source: 'rtsp://127.0.0.1:{free_port()}/none', name: Front door}}\n"
    )


def written(folder: Path, port: int) -> Path:
    path = folder / "blikk.yaml"
    path.write_text(config(folder, port))
    return path


def visit(number: int) -> Event:
    started = time.time() - 3600.0 * number
    return Event(
        id=f"front_door-{number}",
        camera="front_door",
        phase=Phase.ENDED,
        revision=2,
        time=started + 60,
        started=started,
        label=Label.PERSON,
        reason=Observed.LEFT,
        ended=started + 60,
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Three visits of the last hours and one of long ago."""
    store = Store(tmp_path / "blikk.db")
    store.open()
    for number in (100, 3, 2, 1):
        store.delivered("mqtt", [store.put(visit(number))])
    yield store
    store.close()


def ask(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [BLIKK, "ask", *arguments, "--config", str(path)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60 * PATIENCE, check=False, env=dict(os.environ)
    )


def test_without_a_node_the_store_is_read(tmp_path: Path, store: Store) -> None:
    store.close()
    path = written(tmp_path, free_port())  # nobody listens there
    result = ask(path, QUESTION)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("Three people were seen at the front door")
    reply = json.loads(ask(path, "how many?", "--json", "--camera", "front_door").stdout)
    assert reply["query"] is None
    reply = json.loads(ask(path, "how many people ever?", "--json", "--camera", "front_door").stdout)
    assert (reply["count"], reply["query"]["cameras"], len(reply["events"])) == (4, ["front_door"], 4)
    store.open()  # it was let go
    assert store.depth("mqtt") == 0


def test_a_running_node_answers_over_the_broker(tmp_path: Path, store: Store, broker: Broker) -> None:
    store.close()
    with BlikkRun(tmp_path, config(tmp_path, broker.port), models=None), Ears(broker.port) as ears:
        ears.until(lambda: b"online" in ears.on("hallway/status"), 30, "the node")
        result = ask(tmp_path / "blikk.yaml", QUESTION, "--json")
        assert result.returncode == 0, result.stderr
        reply = json.loads(result.stdout)
        assert reply["count"] == 3
        assert [each["id"] for each in reply["events"]] == ["front_door-1", "front_door-2", "front_door-3"]
        ears.until(lambda: any("/reply/" in topic for topic in ears.topics()), 10, "the reply on the broker")
        present = ask(tmp_path / "blikk.yaml", "Is anyone there?")
        assert present.stdout == "No people are seen now. Front door is offline.\n"
        # the other requests reach the node's own parts
        ears.say(
            "blikk/hallway/ask",
            json.dumps({"do": "forget", "event": "front_door-2", "response_topic": "blikk/hallway/reply/forget"}),
        )
        ears.until(lambda: ears.json_on("blikk/hallway/reply/forget"), 10, "the removal")
        assert ears.json_on("blikk/hallway/reply/forget")[0]["count"] == 1
        ears.say("blikk/hallway/ask", json.dumps({"do": "digest", "response_topic": "blikk/hallway/reply/digest"}))
        ears.until(lambda: ears.json_on("blikk/hallway/reply/digest"), 20, "the digest")
        assert ears.json_on("blikk/hallway/reply/digest")[0]["summary"]["camera"] is None
        ears.say(
            "blikk/hallway/ask",
            json.dumps({"do": "describe", "event": "nobody", "response_topic": "blikk/hallway/reply/describe"}),
        )
        ears.until(lambda: ears.json_on("blikk/hallway/reply/describe"), 20, "the refusal")
        assert "no event 'nobody'" in ears.json_on("blikk/hallway/reply/describe")[0]["error"]
        assert "two" in ask(tmp_path / "blikk.yaml", QUESTION).stdout.lower()
        # the newest one is shown, and must not be any longer
        newest = "hallway/front_door/picture/person"
        assert ears.on(newest) == []
        ears.say("blikk/hallway/ask", json.dumps({"do": "forget", "event": "front_door-1"}))
        ears.until(lambda: ears.on(newest) == [b""], 10, "the emptied topic")


def test_what_is_wrong_is_said_in_words(tmp_path: Path, store: Store) -> None:
    path = written(tmp_path, free_port())
    busy = ask(path, QUESTION)  # somebody has the store, and there is no broker
    assert (busy.returncode, busy.stdout) == (1, "")
    assert "nobody listens there" in busy.stderr
    assert "another process uses it" in busy.stderr
    store.close()
    unknown = ask(path, QUESTION, "--camera", "cellar")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "no camera 'cellar'" in unknown.stderr
    puzzled = ask(path, "Did Anna come home?")
    assert puzzled.returncode == 1
    assert "did not understand" in puzzled.stdout
    german = ask(path, "Wer war heute an der Haustür?")
    assert (german.returncode, german.stderr) == (1, "")
    assert "mit `language: de` in blikk.yaml" in german.stdout
    assert ask(path, "x" * 501).returncode == 1
    (tmp_path / "blikk.db").unlink()
    nothing = ask(path, QUESTION)
    assert "nothing is stored there yet" in nothing.stderr
    assert not (tmp_path / "blikk.db").exists()
    for result in (busy, unknown, puzzled, nothing):
        assert "Traceback" not in result.stderr


def test_a_node_that_is_offline_is_reported_at_once(tmp_path: Path, broker: Broker) -> None:
    path = written(tmp_path, broker.port)
    with Ears(broker.port) as ears:
        ears.say("blikk/hallway/status", b"offline", retain=True)
        began = time.monotonic()
        result = ask(path, QUESTION)
    assert "node hallway is offline" in result.stderr
    assert time.monotonic() - began < 20


def test_a_store_in_which_nobody_looked_is_no_quiet_day(tmp_path: Path, broker: Broker) -> None:
    path = written(tmp_path, broker.port)
    store = Store(tmp_path / "blikk.db")
    store.open()
    store.close()
    question = "How many people came to the front door in the last 24 hours?"
    assert ask(path, question).stdout.startswith("I did not watch at the front door")
    # a node runs, and its camera is away all the time
    with BlikkRun(tmp_path, config(tmp_path, broker.port), models=None), Ears(broker.port) as ears:
        ears.until(lambda: b"online" in ears.on("hallway/status"), 30, "the node")
        assert ask(path, question).stdout.startswith("I did not watch at the front door")
        reply = json.loads(ask(path, "Did the doorbell ring?", "--json").stdout)
        assert reply["query"]["rings"] is True
    reply = json.loads(ask(path, question, "--json").stdout)
    assert (reply["ok"], reply["count"]) == (True, None)
