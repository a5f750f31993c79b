"""The examples, as their pages say that they are run: on a real clip, with real servers."""

import asyncio
import json
import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest
from llm_server import Asked, LlmServer, Say
from made_once import made_once
from patience import PATIENCE
from ports import free_port
from postgres_server import PASSWORD, PostgresServer

from blikk_edge.demo import clip

EXAMPLES = Path(__file__).parents[2] / "examples"
BLIKK = Path(sys.executable).with_name("blikk")
ENVIRON = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent), "MPLCONFIGDIR": "/tmp/blikk-test-matplotlib"}


@pytest.fixture(scope="session")
def demo_clip(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A visitor from 3 to 14 s, a cat from 19 to 28 s."""
    return made_once(tmp_path_factory, "demo.mp4", clip.make)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "usage: python -m blikk_edge.demo.clip PATH"),
        (["clip.mp4"], "pip install scikit-image --no-deps, or name a clip of your own"),
    ],
)
def test_the_clip_says_what_it_needs(arguments: list[str], said: str, tmp_path: Path) -> None:
    program = (
        "import importlib.util as util, runpy\nfind = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'skimage' else find(name, *more)\n"
        "runpy.run_module('blikk_edge.demo.clip', run_name='__main__', alter_sys=True)"
    )
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=ENVIRON, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def run(folder: str, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / folder / program), *arguments]
    done = subprocess.run(command, env=ENVIRON, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


@contextmanager
def running(*command: str, cwd: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, env=ENVIRON, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30 * PATIENCE)
        assert process.stdout is not None
        process.stdout.close()


def line_of(process: subprocess.Popen[str], within_s: float) -> str:
    """The next line that it prints."""
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], within_s)[0], "nothing was printed"
    return process.stdout.readline().strip()


async def test_the_doorbell_agent_says_what_its_model_finds_worth_a_message(demo_clip: Path) -> None:
    def decide(asked: Asked) -> Say:
        digest = asked.body["messages"][-1]["content"]
        assert isinstance(digest, str)  # words, no picture
        return Say(text=json.dumps({"notify": "person" in digest, "message": "Somebody is at the door."}))

    async with LlmServer(decide) as model:
        given = (str(demo_clip), "--model-url", model.base_url, "--model", "a-model")
        done = await asyncio.to_thread(run, "doorbell_agent", "agent.py", *given)
        assert model.asked
    assert set(done.stdout.splitlines()) == {"Somebody is at the door."}


def test_the_warehouse_counter_counts_each_once(demo_clip: Path) -> None:
    done = run("warehouse_counter", "count.py", str(demo_clip), "--every", "3600")
    header, *rows = [line.split(",") for line in done.stdout.splitlines()]
    assert header == ["begin", "person", "vehicle"]
    assert sum(int(row[1]) for row in rows) == 1
    assert sum(int(row[2]) for row in rows) == 0


def test_the_guard_of_a_zone_reports_who_enters_it_once(demo_clip: Path, tmp_path: Path) -> None:
    port = free_port()
    config = (EXAMPLES / "restricted_zone" / "blikk.yaml").read_text(encoding="utf-8")
    config = config.replace("yard.mp4", str(demo_clip)).replace("8099", str(port))
    (tmp_path / "blikk.yaml").write_text(config, encoding="utf-8")
    guard = str(EXAMPLES / "restricted_zone" / "guard.py")
    with running(sys.executable, guard, "--token", "a-token-of-your-own", "--port", str(port)) as watching:
        assert line_of(watching, 30) == f"listening on port {port}"
        with running(str(BLIKK), "run", "--config", "blikk.yaml", cwd=tmp_path):
            alarm = line_of(watching, 120)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ALARM: person in the restricted zone of yard", alarm)


def test_a_day_in_postgres_is_printed_and_drawn(tmp_path: Path) -> None:
    midnight = datetime(2026, 11, 21).astimezone()
    address = "postgresql://postgres:{}@127.0.0.1:{}/postgres"

    async def fill(address: str) -> None:
        from blikk_edge.sinks.postgres.tables import prepare

        connection = await asyncpg.connect(address)
        await prepare(connection, "blikk")
        await connection.execute(
            "CREATE TABLE blikk.events_day PARTITION OF blikk.events FOR VALUES FROM ('2026-11-01') TO ('2026-12-31')"
        )
        for number, (label, hour, minutes) in enumerate([("person", 8, 2), ("person", 17, 11), ("vehicle", 9, 1)]):
            await connection.execute(
                "INSERT INTO blikk.events VALUES ('n', $1, 'gate', $2, 'ended', 2, $3, $3, $4, 1, '{}', false, '{}')",
                str(number),
                label,
                midnight.replace(hour=hour),
                midnight.replace(hour=hour, minute=minutes),
            )
        await connection.close()

    with PostgresServer() as server:
        server.start()
        asyncio.run(fill(where := address.format(PASSWORD, server.port)))
        done = run("day_in_postgres", "day.py", where, "--day", "2026-11-21", "--folder", str(tmp_path / "plots"))
    assert done.stdout.splitlines()[:3] == [
        "Saturday, 21 November 2026: 3 events",
        "  gate: 2 x person",
        "  gate: 1 x vehicle",
    ]
    for name in ("hours.png", "stays.png"):
        assert (tmp_path / "plots" / name).read_bytes().startswith(b"\x89PNG")
