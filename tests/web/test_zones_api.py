"""Zones over HTTP: who may read and write them, what is refused, and what is never told."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pages import WebNode
from patience import PATIENCE

from blikk_edge.app.config_file import NodeConfigFile
from blikk_edge.config.loading import load
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.drawn import Drawn, DrawnZone
from blikk_edge.web.config_file import ConfigChangedError, Proposal, Saved

VIEW, CONTROL = "v" * 24, "c" * 24
ADDRESS = "rtsp://ann:hunter2@127.0.0.1:1/door"
SQUARE = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]
CONFIG = """\
node: hallway  # hunter2 is the password
mqtt: false
store: {{path: {folder}/hallway.db}}
cameras:
  door: "rtsp://ann:hunter2@127.0.0.1:1/door"   # hunter2
  yard: {{source: "rtsp://ann:hunter2@127.0.0.1:1/yard", private: [[[0, 0], [0.5, 0], [0.5, 0.5]]]}}
"""
PATH = "v1/cameras/yard/zones"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def node(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebNode]:
    folder = tmp_path_factory.mktemp("node")
    tokens = f", tokens: {{view: {VIEW}, control: {CONTROL}}}"
    with WebNode(folder, CONFIG.format(folder=folder), models=data / "models", http=tokens) as running:
        yield running


@pytest.fixture
async def session(node: WebNode) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(node.url, headers={"Authorization": f"Bearer {CONTROL}"}) as opened:
        async with asyncio.timeout(60 * PATIENCE):
            while True:
                try:
                    async with opened.get("health"):
                        break
                except aiohttp.ClientConnectorError:
                    await asyncio.sleep(0.1)  # it is starting
        yield opened


async def sent(
    session: aiohttp.ClientSession, method: str, path: str, body: Any = None, **more: Any
) -> tuple[int, Any]:
    async with session.request(method, path, json=body, **more) as answer:
        return answer.status, await answer.json()


def body(tag: str, **more: Any) -> dict[str, Any]:
    return {"tag": tag, "zones": [], "private": [], **more}


async def test_a_password_is_never_told(node: WebNode, session: aiohttp.ClientSession) -> None:
    before = (node.folder / "blikk.yaml").read_bytes()
    for camera in ("door", "yard"):
        path = f"v1/cameras/{camera}/zones"
        status, found = await sent(session, "GET", path)
        assert status == 200
        zones = [{"name": "path", "polygon": SQUARE}]
        answers = [found]
        answers.append((await sent(session, "POST", path, body(found["tag"], zones=zones)))[1])
        answers.append(
            (await sent(session, "POST", path, body(found["tag"], zones=[{"name": "A b", "polygon": SQUARE}])))[1]
        )
        answers.append((await sent(session, "POST", path, body("other", zones=zones)))[1])
        assert answers[1]["changed"]
        shown = answers[1]["difference"]
        for sign, text in (("-", answers[1]["before"]), ("+", answers[1]["yaml"])):
            assert [line[2:] for line in shown if line[0] in f" {sign}"] == text.splitlines()
        assert answers[2]["problems"][0]["text"] == "not an id"
        assert "changed since it was loaded" in answers[3]["error"]
        assert "hunter2" not in json.dumps(answers)
    assert (node.folder / "blikk.yaml").read_bytes() == before  # a proposal writes nothing


async def test_only_who_may_control_reads_or_writes(node: WebNode, session: aiohttp.ClientSession) -> None:
    before = (node.folder / "blikk.yaml").read_bytes()
    _, found = await sent(session, "GET", PATH)
    change = body(found["tag"])
    for token, wanted in ((VIEW, 403), ("x" * 24, 401)):
        for method, path in (("GET", PATH), ("POST", PATH), ("PUT", PATH), ("POST", "v1/restart")):
            status, _ = await sent(session, method, path, change, headers={"Authorization": f"Bearer {token}"})
            assert status == wanted
    async with aiohttp.ClientSession(node.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        assert (await sent(browser, "PUT", PATH, change))[0] == 401
        assert (await sent(browser, "POST", "v1/session", {"token": CONTROL}))[0] == 200
        assert (await sent(browser, "PUT", PATH, change))[0] == 403  # no CSRF header
        assert (await sent(browser, "PUT", PATH, change, headers={"X-Blikk-CSRF": "0" * 64}))[0] == 403
        elsewhere = {"Origin": "http://elsewhere.example", "X-Blikk-CSRF": "0" * 64}
        assert (await sent(browser, "PUT", PATH, change, headers=elsewhere))[0] == 403
    assert (node.folder / "blikk.yaml").read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        {"zones": {}},
        {"zones": [[]]},
        {"zones": [{"name": 1, "polygon": SQUARE}]},
        {"zones": [{"name": "a", "polygon": [[0, 0], [1, "x"], [1, 1]]}]},
        {"zones": [{"name": "a", "polygon": [[0, 0], [1, True], [1, 1]]}]},
        {"zones": [{"name": "a", "polygon": [[0, 0], [1, 1e300], [1, 1]]}]},
        {"zones": [{"name": "a", "polygon": "x"}]},
        {"zones": [{"name": "x" * 300, "polygon": SQUARE}]},
        {"zones": [{"name": "a", "polygon": SQUARE}] * 2},
        {"zones": [{"name": f"z{n}", "polygon": SQUARE} for n in range(65)]},
        {"private": [[[0, 0]] * 2500, [[0, 0]] * 2500]},
        {"private": [[[0]]]},
        {"tag": 3},
    ],
)
async def test_what_has_not_the_form_is_refused(session: aiohttp.ClientSession, change: dict[str, Any]) -> None:
    _, found = await sent(session, "GET", PATH)
    status, answer = await sent(session, "PUT", PATH, body(found["tag"]) | change)
    assert (status, list(answer)) == (400, ["error"])


async def test_giant_bodies_forms_and_numbers_that_are_none_are_refused(session: aiohttp.ClientSession) -> None:
    assert (await sent(session, "PUT", PATH, {"tag": "x" * 300_000}))[0] == 413
    async with session.put(PATH, data={"tag": "x"}) as answer:
        assert answer.status == 415
    text = '{"tag": "x", "zones": [], "private": [[[NaN, 0], [1, Infinity], [1, 1]]]}'
    async with session.put(PATH, data=text, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 400
    assert (await sent(session, "GET", "v1/cameras/none/zones"))[0] == 404


async def test_problems_are_those_of_blikk_check_and_nothing_is_written(
    node: WebNode, session: aiohttp.ClientSession
) -> None:
    before = (node.folder / "blikk.yaml").read_bytes()
    _, found = await sent(session, "GET", PATH)
    bow_tie = [[0, 0], [1, 1], [1, 0], [0, 1]]
    zones = [{"name": "Wrong\n  fps: 1", "polygon": bow_tie, "labels": ["ghost"], "loiter_s": -1}]
    status, answer = await sent(session, "PUT", PATH, body(found["tag"], zones=zones, private=[[[0, 0], [1, 1]]]))
    assert status == 422
    texts = {problem["text"] for problem in answer["problems"]}
    assert "not an id" in texts
    assert "not a polygon" in texts
    status, answer = await sent(session, "PUT", PATH, body(found["tag"], zones=[{**zones[0], "name": "ok"}]))
    texts = {problem["text"] for problem in answer["problems"]}
    assert any("crosses or touches itself" in text for text in texts)
    assert any("`person`" in text for text in texts)
    assert any("duration" in text for text in texts)
    assert (node.folder / "blikk.yaml").read_bytes() == before


async def test_of_two_who_save_at_once_one_is_told_to_load_again(session: aiohttp.ClientSession) -> None:
    _, found = await sent(session, "GET", PATH)
    saves = [
        sent(session, "PUT", PATH, body(found["tag"], zones=[{"name": name, "polygon": SQUARE}])) for name in "abcd"
    ]
    done = await asyncio.gather(*saves)
    assert sorted(status for status, _ in done) == [200, 409, 409, 409]
    _, now = await sent(session, "GET", PATH)
    assert not now["runs"]
    assert [zone["name"] for zone in now["zones"]] in [["a"], ["b"], ["c"], ["d"]]


async def test_a_node_does_not_start_again_with_a_file_that_has_problems(
    node: WebNode, session: aiohttp.ClientSession
) -> None:
    path = node.folder / "blikk.yaml"
    before = path.read_text()
    path.write_text(before + "nonsense: 1\n")
    status, answer = await sent(session, "POST", "v1/restart")
    assert status == 409
    assert "`nonsense` is not known here" in answer["error"]
    _, found = await sent(session, "GET", PATH)
    assert found["refused"]
    assert found["zones"] is None
    path.write_text(before)


def file_of(path: Path, **environ: str) -> NodeConfigFile:
    return NodeConfigFile(path, load(path, environ={}), environ=environ | {"HOME": "/root"}, clock=SystemClock())


DRAWN = Drawn(zones=(DrawnZone(name="path", points=((0.0, 0.0), (1.0, 0.0), (0.5, 0.75))),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "blikk.yaml"
    made.write_text(f"node: hallway\nmqtt: false\nstore: {{path: {tmp_path}/x.db}}\ncameras: {{door: '{ADDRESS}'}}\n")
    return made


def test_where_it_cannot_be_written_the_text_is_there_to_be_pasted(path: Path) -> None:
    link = path.with_name("link.yaml")
    link.symlink_to(path)
    cases = {
        "is a link": file_of(link),
        "a copy": file_of(path, CREDENTIALS_DIRECTORY=str(path.parent)),
    }
    for why, file in cases.items():
        found = file.read("door")
        assert why in found.refused
        refused = file.save("door", DRAWN, found.tag)
        assert isinstance(refused, Proposal)
        assert why in refused.refused
        assert "path: {polygon: [[0, 0], [1, 0], [0.5, 0.75]]}" in refused.yaml
    assert "polygon" not in path.read_text()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_ours_is_refused(path: Path) -> None:
    path.parent.chmod(0o500)
    assert "may not write" in file_of(path).read("door").refused
    path.parent.chmod(0o700)


def test_a_camera_that_shares_its_keys_is_left_as_it_is(path: Path) -> None:
    path.write_text("node: a\nmqtt: false\ncameras:\n  yard: &one {source: rtsp://10.0.0.9/1}\n  door: *one\n")
    file = file_of(path)
    refused = file.save("door", DRAWN, file.read("door").tag)
    assert isinstance(refused, Proposal)
    assert "anchor" in refused.refused
    assert refused.paste
    assert refused.yaml == "zones:\n  path:\n    polygon: [[0, 0], [1, 0], [0.5, 0.75]]\n"
    assert refused.problems == ()


def test_what_is_written_is_what_runs_after_the_next_start(path: Path) -> None:
    file = file_of(path)
    assert file.read("door").runs
    saved = file.save("door", DRAWN, file.read("door").tag)
    assert isinstance(saved, Saved)
    assert not file.read("door").runs
    assert file_of(path).read("door").runs
    with pytest.raises(ConfigChangedError):
        file.save("door", Drawn(), "0" * 32)
