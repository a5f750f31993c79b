"""`collect.yaml`: what the guide shows can be read, and what is wrong is said with its key and its mend."""

import re
from pathlib import Path

import pytest

from blikk_edge.cli.program import program
from blikk_edge.config.collect import load_collect
from blikk_edge.grammar.problem import ConfigErrors

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "fleet.md"


def written(folder: Path, text: str) -> Path:
    (folder / "c").touch()
    (folder / "secrets.yaml").write_text("centre: tell-nobody-4711\n")
    path = folder / "collect.yaml"
    path.write_text(text)
    return path


def test_the_file_of_the_guide_is_understood(tmp_path: Path) -> None:
    (sample,) = re.findall(r"```text\n    (# collect\.yaml\n.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    centre = load_collect(written(tmp_path, re.sub(r"(?m)^ {4}", "", sample)), environ={}).centre
    assert (centre.postgres.host, centre.postgres.database, centre.keep_s) == ("db.local", "blikk", 365 * 86400)
    assert centre.readers == ("grafana",)
    hall, yard = centre.sites
    assert (hall.site, hall.domain, hall.readers) == ("hall", None, ("hall_reader",))
    assert hall.fleet.nkey is None
    assert (yard.site, yard.domain, yard.fleet.servers) == ("yard", "yard", ("nats://nats.local:4222",))


def test_the_file_of_the_pages_is_understood_and_beyond_this_machine_it_needs_more(tmp_path: Path) -> None:
    (sample,) = re.findall(r"```text\n(# web\.yaml\n.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "hall_viewer.nk").touch()
    text = sample.replace("!secret grafana", "!secret centre")
    settings = load_collect(written(tmp_path, text), environ={})
    assert settings.http is not None
    assert (settings.http.host, settings.http.tokens.view, settings.timezone) == ("127.0.0.1", None, "Europe/Berlin")
    with pytest.raises(ConfigErrors) as caught:
        load_collect(written(tmp_path, text.replace("http: true", "http: {host: 0.0.0.0}")), environ={})
    assert [problem.path for problem in caught.value.problems] == ["http.host"]


@pytest.mark.parametrize(
    ("text", "path", "mend"),
    [
        ("sites: [hall]", "postgres", "Add `postgres:`"),
        ("postgres: db\nsites: [hall, hall]", "sites[1].site", "Keep one of them."),
        ("postgres: db\nsites: hall", "sites", "Write `- site: name` for each"),
        (
            "postgres: db\nsites: [{site: hall, servers: ['nats://a:b@c']}]",
            "sites[0].servers",
            "name the file of a key",
        ),
        ("postgres: db\nsites: [{site: hall, near: a}]", "sites[0].near", ""),
        ("postgres: db\nkeep: 3d", "keep", "Write a duration from 31d"),
        ("postgres: {host: db, kinds: [ring]}", "postgres.kinds", ""),
        ("postgres: db\nmetrics: {host: 10.1.2.3}", "metrics.host", "Add `tls:`"),
        ("postgres: db\nmetrics: {host: 10.1.2.3, tls: {certificate: c, key: c}}", "metrics.host", "Add `tokens:"),
        ("postgres: {host: db, password: !secret nothing}", "postgres.password", ""),
    ],
)
def test_what_is_wrong_is_said_with_its_key(tmp_path: Path, text: str, path: str, mend: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_collect(written(tmp_path, text), environ={})
    (problem,) = caught.value.problems
    assert problem.path.startswith(path)
    assert mend in problem.mend
    assert "4711" not in str(caught.value)


def test_without_sites_there_is_nothing_to_collect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "postgres: {host: db, password: !secret centre}")
    assert load_collect(path, environ={}).centre.sites == ()
    assert program(["collect", "--config", str(path)]) == 2
    said = capsys.readouterr().err
    assert "names no sites; add `sites:`" in said
    assert "4711" not in said
