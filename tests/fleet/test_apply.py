"""`blikk fleet apply`, at a real NATS server."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest
from nats_server import NatsServer

from blikk_edge.cli.program import program
from blikk_edge.core.errors import SinkError
from blikk_edge.fleet.applied import HISTORY, Applied, applied, apply
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions

NUMBERS = count()
YARD = "cameras:\n  yard: {source: !secret yard}\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with NatsServer(tmp_path_factory.mktemp("nats")) as made:
        yield made


def run(folder: Path, site: str, server: NatsServer, text: str, *options: str) -> int:
    """Apply this text for a site; the exit status."""
    (folder / "own.mp4").touch()
    (folder / "blikk.yaml").write_text(
        "node: one\nmqtt: false\ncameras: {own: {source: own.mp4}}\n"
        f"fleet: {{site: {site}, servers: {server.url}}}\n"
    )
    (folder / "secrets.yaml").write_text("yard: rtsp://user:pa55@cam.local/1\nhall: rtsp://user:pa55@cam.local/2\n")
    (folder / "cameras.yaml").write_text(text)
    config = str(folder / "blikk.yaml")
    return program(["fleet", "apply", str(folder / "cameras.yaml"), "--config", config, *options])


def fleet(folder: Path, *arguments: str) -> int:
    """Another command, with the configuration of the last `run`."""
    return program(["fleet", *arguments, "--config", str(folder / "blikk.yaml")])


def kept(site: str, server: NatsServer) -> Applied:
    async def read() -> Applied:
        link = Link(FleetOptions(site=site, servers=(server.url,)), name="test")
        try:
            return await applied(link, Names(site))
        finally:
            await link.close()

    return asyncio.run(read())


def test_cameras_are_kept_with_their_secrets_as_names_and_changes_are_said(
    tmp_path: Path, server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "kept", server, YARD, "--dry-run") == 0
    assert kept("kept", server) == Applied()
    assert run(tmp_path, "kept", server, YARD) == 0
    first = kept("kept", server)
    assert first.text == YARD
    assert run(tmp_path, "kept", server, "# as before\n" + YARD) == 0
    assert kept("kept", server) == first  # nothing changes
    capsys.readouterr()
    text = "cameras:\n  hall: {source: !secret hall}\n  yard: {source: !secret yard, fps: 2}\n"
    assert run(tmp_path, "kept", server, text, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["added"], said["changed"], said["removed"], said["applied"]) == (["hall"], ["yard"], [], True)
    assert said["version"] > first.version
    assert "pa55" not in kept("kept", server).text


def test_what_is_another_of_a_camera_is_said(
    tmp_path: Path, server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(tmp_path, "said", server, "cameras:\n  yard: {source: !secret yard, fps: 5}\n  hall: !secret hall\n") == 0
    )
    after = (
        "cameras:\n  hall: {source: !secret hall}\n  yard:\n    source: !secret hall\n    zones:\n"
        "      gate: {polygon: [[0, 0], [1, 0], [1, 1], [0.5, 1], [0.25, 1], [0.125, 1], [0, 1]], loiter_s: 9}\n"
        "      path: {polygon: [[0, 0], [1, 0], [1, 1]]}\n"
    )
    capsys.readouterr()
    assert run(tmp_path, "said", server, after) == 0
    assert capsys.readouterr().out.splitlines() == [
        "~ yard",
        "    source: !secret yard -> !secret hall",
        "    fps: 5 (gone)",
        "    zones.gate.polygon: [[0, 0], [1, 0], [1, 1], [0.5, 1], [0.25, 1], [0.125, 1], [… (new)",
        "    zones.gate.loiter_s: 9 (new)",
        "    zones.path.polygon: [[0, 0], [1, 0], [1, 1]] (new)",
        "site said: 2 cameras, version 2",
    ]
    assert run(tmp_path, "said", server, after.replace("loiter_s: 9", "loiter_s: 8"), "--dry-run", "--json") == 0
    key = {"key": "zones.gate.loiter_s", "before": "9", "after": "8"}
    assert json.loads(capsys.readouterr().out)["keys"] == {"yard": [key]}


def test_text_that_yaml_would_read_as_something_else_is_another_value(
    tmp_path: Path, server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "cameras:\n  yard: {source: !secret yard, name: NAME}\n"
    assert run(tmp_path, "quoted", server, text.replace("NAME", "'no'")) == 0
    capsys.readouterr()
    assert run(tmp_path, "quoted", server, text.replace("NAME", "'yes'")) == 0
    assert "    name: 'no' -> 'yes'\n" in capsys.readouterr().out


def test_earlier_versions_are_listed_and_had_again(
    tmp_path: Path, server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [f"cameras:\n  yard: {{source: !secret yard, fps: {fps}}}\n" for fps in (1, 2, 3)]
    for text in texts:
        assert run(tmp_path, "back", server, text) == 0
    capsys.readouterr()
    assert fleet(tmp_path, "versions") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [re.sub(r", \S+:", ":", line) for line in lines] == [
        "version 3: 1 camera", "  ~ yard", "      fps: 2 -> 3",
        "version 2: 1 camera", "  ~ yard", "      fps: 1 -> 2",
        "version 1: 1 camera", "  + yard",
    ]  # fmt: skip
    assert fleet(tmp_path, "show", "1") == 0
    shown = capsys.readouterr().out
    assert shown == texts[0]
    assert run(tmp_path, "back", server, shown) == 0
    capsys.readouterr()
    assert fleet(tmp_path, "show") == 0
    assert capsys.readouterr().out == texts[0]
    assert fleet(tmp_path, "versions", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["versions"]
    assert [each["version"] for each in listed] == [4, 3, 2, 1]
    assert [each["added"] for each in listed] == [[], [], [], ["yard"]]
    assert [each["keys"]["yard"][0]["after"] for each in listed[:3]] == ["1", "3", "2"]
    times = [datetime.fromisoformat(each["at"]) for each in listed]
    assert times == sorted(times, reverse=True)
    assert abs(times[0].timestamp() - time.time()) < 600
    for number in ("9", "0"):
        assert fleet(tmp_path, "show", number) == 2
        assert f"no version {number}; it keeps 4, 3, 2, 1" in capsys.readouterr().err


def test_of_what_came_before_the_oldest_kept_version_nothing_is_claimed(
    tmp_path: Path, server: NatsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for fps in range(HISTORY + 2):
        assert run(tmp_path, "long", server, f"cameras:\n  yard: {{source: !secret yard, fps: {fps % 5 + 1}}}\n") == 0
    capsys.readouterr()
    assert fleet(tmp_path, "versions", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["versions"]
    assert [each["version"] for each in listed] == list(range(HISTORY + 2, 2, -1))
    assert (listed[-1]["cameras"], listed[-1]["added"], listed[-1]["changed"]) == (1, [], [])


@pytest.mark.parametrize("other", [None, b"", b"[]", b"[" * 100_000, b'{"text": ', b"\xff"])
def test_where_something_else_stands_in_the_bucket_cameras_can_be_applied(
    tmp_path: Path, server: NatsServer, capsys: pytest.CaptureFixture[str], other: bytes | None
) -> None:
    site = f"other_{next(NUMBERS)}"
    assert run(tmp_path, site, server, YARD) == 0

    async def spoil() -> None:
        link, names = Link(FleetOptions(site=site, servers=(server.url,)), name="test"), Names(site)
        bucket = await (await link.open()).key_value(names.cameras)
        if other is None:
            await bucket.delete("cameras")
            assert (await applied(link, names)).version == 0
        else:
            await bucket.put("cameras", other)
            with pytest.raises(SinkError, match="holds something else; apply the cameras again"):
                await applied(link, names)
        await link.close()

    asyncio.run(spoil())
    capsys.readouterr()
    assert run(tmp_path, site, server, YARD) == 0
    assert capsys.readouterr().out == f"+ yard\nsite {site}: 1 camera, version 3\n"
    assert fleet(tmp_path, "versions", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["versions"]
    assert [(each["version"], each["cameras"]) for each in listed] == [(3, 1), (1, 1)]


@pytest.mark.parametrize("command", ["versions", "show"])
def test_a_site_that_has_nothing_yet_says_so(
    tmp_path: Path, server: NatsServer, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    run(tmp_path, f"empty_{command}", server, YARD, "--dry-run")
    capsys.readouterr()
    assert fleet(tmp_path, command) == (0 if command == "versions" else 2)
    said = capsys.readouterr()
    assert "nothing was applied yet" in said.out or "has no cameras yet; apply some" in said.err


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("cameras:\n  yard: {source: 'rtsp://user:pa55@cam.local'}\n", 2, "Write `!secret name`"),
        ("cameras:\n  yard: {source: !secret yard, fps: fast}\n", 2, "cameras.yard.fps"),
        ("cameras:\n  yard: {source: !secret yard}\nmqtt: false\n", 3, "only cameras are shared"),
        ("cameras:\n  yard: {source: !secret gone}\n", 2, "has no entry"),
        ("cameras:\n  yard: {source: whip}\n", 2, "cannot follow to another"),
        ("cameras:\n  yard: {source: !secret yard, record: events}\n", 2, "recordings lie on the disk of one machine"),
        ("cameras:\n  yard: {source: !secret yard, ring: {gpio: 17}}\n", 2, "a pin belongs to one machine"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_nothing_is_applied(
    tmp_path: Path, server: NatsServer, capsys: pytest.CaptureFixture[str], text: str, line: int, words: str
) -> None:
    assert run(tmp_path, "wrong", server, text) == 78
    said = capsys.readouterr().err
    assert f"cameras.yaml:{line}: " in said
    assert words in said
    assert "pa55" not in said
    assert kept("wrong", server) == Applied()


async def test_of_two_who_apply_at_once_the_second_is_refused(server: NatsServer) -> None:
    link, names = Link(FleetOptions(site="twice", servers=(server.url,)), name="test"), Names("twice")
    try:
        before = await applied(link, names)
        await apply(link, names, YARD, after=before)
        with pytest.raises(SinkError, match="somebody else applied cameras at the same time"):
            await apply(link, names, "cameras: {}\n", after=before)
        assert (await applied(link, names)).text == YARD
    finally:
        await link.close()
