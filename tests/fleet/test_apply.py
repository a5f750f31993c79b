"""`blikk fleet apply`, at a real NATS server."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from nats_server import NatsServer

from blikk_edge.cli.program import program
from blikk_edge.core.errors import SinkError
from blikk_edge.fleet.applied import Applied, applied, apply
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions

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
