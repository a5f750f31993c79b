"""`blikk ask` and `blikk search` beside a node that shares the cameras of a site, which its file does not name."""

import json
from pathlib import Path

import pytest

from blikk_edge.cli.program import program
from blikk_edge.store.store import Store


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The file of a node that is stopped and watched two cameras of its site."""
    path = tmp_path / "blikk.yaml"
    path.write_text(
        "node: rack_1\nmqtt: false\nsearch: colours\nfleet: hall\nstore: {path: " + str(tmp_path / "store.db") + "}\n"
    )
    cameras = "cameras:\n  gate: {source: /dev/video0}\n  yard: {source: /dev/video1}\n"
    (tmp_path / "store.site.json").write_text(json.dumps({"site": "hall", "version": 1, "text": cameras}))
    store = Store(tmp_path / "store.db")
    store.open()
    store.close()
    return path


@pytest.mark.parametrize("more", [[], ["--camera", "gate"]])
def test_a_question_may_name_a_camera_of_the_site(
    config: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status = program(["ask", "how many people came to the gate today?", "--config", str(config), *more])
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    assert "gate" in out


def test_a_search_may_name_a_camera_of_the_site(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(["search", "red car", "--camera", "gate", "--config", str(config)])
    assert capsys.readouterr().err == "nothing that was seen looks like it\n"


def test_a_camera_that_the_site_does_not_have_is_refused_with_those_that_it_has(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program(["ask", "who was there today?", "--camera", "attic", "--config", str(config)]) == 1
    assert "no camera 'attic' on this node; there is gate, yard" in capsys.readouterr().err


def test_where_no_camera_is_known_no_list_of_cameras_is_begun(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.with_name("store.site.json").unlink()
    program(["ask", "how many people came to the gate today?", "--config", str(config)])
    program(["ask", "who was there today?", "--camera", "gate", "--config", str(config)])
    out, err = capsys.readouterr()
    assert "there is." not in out
    assert err.endswith("there is no camera 'gate' on this node\n")
