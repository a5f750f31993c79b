"""What a terminal shows: bars and tables that fit it; and what a pipe is spared."""

import json
import re
from pathlib import Path

import pytest
from cli_props import CONFIG

from blikk_edge.app.event_table import EventTable
from blikk_edge.transforms.models.registry import REGISTRY

EXAMPLES = Path(__file__).parents[2] / "contract" / "examples"
ESCAPES = re.compile(r"\x1b")


def lines(sent: str) -> list[str]:
    """What was shown one time or another, line by line."""
    return [line for line in re.split(r"[\r\n]+", sent) if line.strip()]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_replay_shows_how_far_it_is_within_the_terminal(blikk, clip: Path, columns: int):
    status, sent = blikk.on_terminal("replay", str(clip), columns=columns)
    shown = lines(sent)
    assert status == 0
    assert any(line.startswith("replaying") for line in shown)
    assert all(len(line) < columns for line in shown if line.startswith("replaying"))
    assert shown[-1] == "0 events in 0 messages"
    assert not ESCAPES.search(sent)


def test_a_dumb_terminal_is_shown_no_bar(blikk, clip: Path):
    status, sent = blikk.on_terminal("replay", str(clip), TERM="dumb")
    assert status == 0
    assert "replaying" not in sent
    assert "0 events" in sent


def test_json_on_a_terminal_is_lines_of_json(blikk, clip: Path):
    _, sent = blikk.on_terminal("replay", str(clip), "--json", TERM="dumb")
    records = [line for line in lines(sent) if line.startswith("{")]
    assert [json.loads(line)["record"] for line in records]


def test_the_table_into_a_pipe_has_no_bar(blikk, clip: Path):
    done = blikk("replay", str(clip), "--table")
    assert done.stdout == "0 events in 0 messages\n"
    assert "replaying" not in done.stderr


@pytest.fixture
def pull(blikk, models: Path, mirror) -> list[str]:
    entry = REGISTRY["yunet"]
    content = next(p for p in models.rglob("*") if p.is_file() and p.stat().st_size == entry.size_bytes).read_bytes()
    served = mirror(content)
    served.go.set()
    (blikk.folder / "blikk.yaml").write_text(CONFIG + f"models: {{cache: cache, mirror: '{served.url}'}}\n")
    return ["models", "pull", "yunet", "--config", "blikk.yaml"]


def test_a_download_shows_a_bar_on_a_terminal_and_takes_it_away(blikk, pull: list[str]):
    status, sent = blikk.on_terminal(*pull, columns=60)
    assert status == 0
    assert "fetching yunet" in sent
    assert "100 %" in sent or "0 %" in sent
    assert lines(sent)[-1].startswith("yunet: ")
    assert not ESCAPES.search(sent)


def test_a_download_into_a_pipe_shows_none(blikk, pull: list[str]):
    done = blikk(*pull)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("columns", [40, 80])
def test_the_list_of_models_fits_the_terminal(blikk, columns: int):
    status, sent = blikk.on_terminal("models", "list", columns=columns)
    assert status == 0
    assert max(map(len, lines(sent))) <= columns
    assert "https://" in blikk("models", "list").stdout


def test_lists_in_a_pipe_are_fields_with_tabs_between(blikk):
    rows = [line.split("\t") for line in blikk("models", "list").stdout.splitlines()]
    listed = blikk.json("models", "list", "--json")[1]["models"]
    assert [row[:2] for row in rows] == [[model["name"], model["state"]] for model in listed]
    assert {len(row) for row in rows} == {6}
    assert rows[list(REGISTRY).index("blazepose-person")][5].startswith("does not find vehicles, animals")
    rows = [line.split("\t") for line in blikk("plugins").stdout.splitlines()]
    listed = blikk.json("plugins", "--json")[1]["plugins"]
    assert [(row[0], row[1], row[3]) for row in rows] == [(e["kind"], e["name"], e["meaning"]) for e in listed]


@pytest.mark.parametrize("command", [["models", "list"], ["plugins"]])
def test_lists_on_a_terminal_are_columns(blikk, command: list[str]):
    _, sent = blikk.on_terminal(*command, columns=200)
    rows = [line for line in lines(sent) if not line.startswith(" ")]
    second = {len(row) - len(re.sub(r"^\S+(?: \S+)*  +", "", row)) for row in rows}
    assert len(rows) > 4
    assert len(second) == 1
    assert "\t" not in sent


def event() -> dict:
    return json.loads(next(EXAMPLES.rglob("event*.json")).read_text())


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 200])
def test_the_table_fits_any_width(columns: int):
    table = EventTable(columns)
    assert len(table.header()) <= columns
    assert len(table.row(event())) <= columns


def test_the_table_leaves_out_what_matters_least():
    assert EventTable(200).header().split() == ["time", "camera", "what", "where", "how", "long", "picture"]
    assert EventTable(80).header().split() == ["time", "camera", "what", "where", "how", "long"]
    assert EventTable(40).header().split() == ["time", "what"]


def test_a_row_is_read_at_once():
    content = {
        "time": "2026-01-01T00:00:03.25Z",
        "camera": "door",
        "phase": "updated",
        "reason": "zone_entered",
        "label": "person",
        "objects": [{"label": "person", "sub_label": "person", "box": [0.4, 0.1, 0.6, 0.9]}],
        "zones": [],
        "duration_s": 1.25,
        "picture": "person",
    }
    row = EventTable(120).row(content)
    assert row.split("  ")[0] == "00:00:03.2"
    cells = re.split(r"\s{2,}", row)
    assert cells[1:] == ["door", "person: zone entered", "middle, near", "1 s", "picture/person"]


@pytest.mark.parametrize(
    ("seconds", "says"), [(0.8, "a moment"), (9.8, "9 s"), (59.99, "59 s"), (754.0, "12 min"), (45900.0, "12 h 45 min")]
)
def test_a_row_says_how_long_in_the_words_of_a_sentence(seconds: float, says: str):
    row = EventTable(120).row({**event(), "duration_s": seconds})
    assert re.split(r"\s{2,}", row)[4] == says


def test_replay_reports_the_visits_of_a_real_clip_in_a_table(blikk, data: Path, models: Path):
    clip = data / "video" / "intel_sample" / "one-by-one-person-detection.mp4"
    done = blikk("replay", str(clip), "--table", "--pictures", "pictures", BLIKK_MODELS=str(models))
    rows = done.stdout.splitlines()
    assert done.returncode == 0
    assert sum("person started" in row for row in rows) == 6
    pictures = len(list((blikk.folder / "pictures").glob("*.jpg")))
    assert rows[-1] == f"6 events in {len(rows) - 2} messages; {pictures} pictures in pictures"
    assert "looking with detector default: yolox-nano; faces: yunet" in done.stderr
