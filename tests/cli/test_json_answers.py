"""`--json`: one shape for each command, errors too, as docs/guide/command-line.md says."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from cli_props import BLIKK
from nowhere import NOWHERE

from blikk_edge.transforms.models.registry import REGISTRY

MODEL_KEYS = {"name", "state", "path", "problem", "size_bytes", "sha256", "licence", "url", "wheel", "misses"}
ERROR_KEYS = {"ok", "kind", "error", "exit"}


def test_version_names_the_libraries(blikk):
    status, content = blikk.json("version", "--json")
    assert status == 0
    assert set(content) == {"ok", "version", "python", "system", "machine", "libraries"}
    assert content["version"] in blikk("--version").stdout
    assert "av" in content["libraries"]


def test_check_reports_what_is_fine(blikk, config: Path):
    status, content = blikk.json("check", "--json", str(config))
    assert (status, content["ok"], content["exit"]) == (0, True, 0)
    assert set(content) == {"ok", "file", "node", "cameras", "problems", "notes", "exit"}
    assert (content["node"], content["cameras"], content["problems"]) == ("hallway", ["front_door"], [])
    assert "the model yolox-nano will be fetched" in content["notes"][0]


def test_check_reports_every_problem_with_its_line(blikk, config: Path):
    config.write_text("node: hallway\nmqtt: broker.local\nprivcy: {}\ncameras:\n  door: {source: rtsp://c, fps: x}\n")
    status, content = blikk.json("check", "--json")
    assert (status, content["ok"], content["exit"], content["node"]) == (78, False, 78, None)
    assert [(each["line"], each["path"]) for each in content["problems"]] == [(3, "privcy"), (5, "cameras.door.fps")]
    assert set(content["problems"][0]) == {"file", "line", "column", "path", "text", "mend"}


def test_models_tell_how_each_is(blikk):
    status, content = blikk.json("models", "list", "--json")
    assert status == 0
    assert content["ok"]
    assert all(set(model) == MODEL_KEYS for model in content["models"])
    assert {"yolox-nano", "yunet"} <= {model["name"] for model in content["models"]}
    status, content = blikk.json("models", "verify", "yunet", "--json")
    assert (status, content["ok"]) == (1, False)
    assert [(model["name"], model["state"]) for model in content["models"]] == [("yunet", "missing")]


def test_pull_reports_where_each_is(blikk, models: Path):
    status, content = blikk.json("models", "pull", "yunet", "--json", BLIKK_MODELS=str(models))
    assert (status, content["ok"]) == (0, True)
    assert [(m["name"], m["state"], Path(m["path"]).is_file()) for m in content["models"]] == [("yunet", "ready", True)]


@pytest.mark.parametrize(
    ("arguments", "kind", "status"),
    [
        (["models", "pull", "yunet", "--json"], "model", 1),
        (["models", "list", "nonsense", "--json"], "model", 1),
        (["models", "pul", "--json"], "usage", 2),
        (["replay", "none.mp4", "--json"], "usage", 2),
        (["replay", "none.mp4", "--json", "--table"], "usage", 2),
        (["chek", "--json"], "usage", 2),
        (["ask", "who?", "--json"], "configuration", 78),
        (["ask", " ", "--json"], "usage", 2),
        (["models", "list", "--config", "none.yaml", "--json"], "configuration", 78),
    ],
)
def test_errors_are_json_with_their_exit_status(blikk, arguments: list[str], kind: str, status: int):
    done = blikk(*arguments)
    content = json.loads(done.stdout)
    assert set(content) - {"problems", "models"} == ERROR_KEYS
    assert (content["ok"], content["kind"], content["exit"], done.returncode) == (False, kind, status, status)
    assert done.stderr == ""
    assert ("problems" in content) == (kind == "configuration")


def test_a_model_that_nobody_gives_is_reported_with_how_to_have_it(blikk):
    status, content = blikk.json("models", "pull", "yunet", "--json", **NOWHERE)
    assert (status, content["kind"]) == (1, "model")
    assert "could not be fetched" in content["error"]
    assert "name its folder in BLIKK_MODELS, or set `models.mirror`" in content["error"]


def test_one_model_that_cannot_be_pulled_stops_no_other(blikk, models: Path):
    names = ["yolox-nano", "blazeface-full", "yunet"]
    (some := blikk.folder / "some").mkdir()
    for entry in (REGISTRY["yolox-nano"], REGISTRY["yunet"]):
        found = next(p for p in models.rglob("*") if p.is_file() and p.stat().st_size == entry.size_bytes)
        (some / entry.cache_name).symlink_to(found)
    given = {"BLIKK_MODELS": str(some)}
    done = blikk("models", "pull", *names, **given)
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["yolox-nano", "yunet"]
    reason, summary = done.stderr.splitlines()
    assert reason.startswith("blikk: model blazeface-full could not be fetched")
    assert summary.startswith(
        "blikk: 1 of 3 models not pulled: blazeface-full; try `blikk models pull blazeface-full` again, or pull"
    )
    status, content = blikk.json("models", "pull", *names, "--json", **given)
    assert (status, content["ok"], content["kind"], content["exit"]) == (1, False, "model", 1)
    assert [model["state"] for model in content["models"]] == ["ready", "missing", "ready"]
    assert content["models"][1]["problem"] in content["error"]


def test_a_store_that_nothing_is_in_and_no_node_is_an_error_in_json(blikk, config: Path):
    status, content = blikk.json("ask", "who was there today?", "--json")
    assert (status, content["ok"], content["exit"]) == (1, False, 1)
    assert "nothing is stored there yet" in content["error"]


def test_replay_into_a_pipe_is_lines_of_json_alone(blikk, clip: Path):
    piped = blikk("replay", str(clip))
    assert piped.returncode == 0
    assert all(json.loads(line)["record"] in {"event", "observation"} for line in piped.stdout.splitlines())
    assert "opencv-builtin" in piped.stderr
    assert "%" not in piped.stderr
    assert blikk("replay", str(clip), "--json").stdout == piped.stdout


def test_who_reads_no_further_is_no_failure(blikk, clip: Path):
    with subprocess.Popen(
        ["sh", "-c", f"'{BLIKK}' models list; echo \"status $?\" >&2"],
        env=blikk.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == "status 0\n"


def test_a_full_disk_behind_standard_output_is_reported(blikk):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with full.open("w") as out:
        done = subprocess.run(
            [BLIKK, "version"], env=blikk.environ, stdout=out, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "blikk: standard output cannot be written: No space left on device\n"


def documented() -> list[dict]:
    page = (Path(__file__).parents[2] / "docs" / "guide" / "command-line.md").read_text(encoding="utf-8")
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]


def shape(value: object) -> object:
    """The names in it, all the way down; of lists what their first item has."""
    if isinstance(value, dict) and "av" not in value:
        return {name: shape(below) for name, below in value.items()}
    return [shape(each) for each in value[:1]] if isinstance(value, list) else None


def test_the_page_shows_what_each_command_gives(blikk, config: Path):
    error, check, models, plugins, version, init, health, purge = documented()
    assert blikk.json("replay", "none.mp4", "--json")[1] == error
    config.write_text(config.read_text() + "store: {path: .}\n")
    assert shape(blikk.json("check", "--json")[1]) == shape(check)
    assert shape(blikk.json("models", "list", "--json")[1]) == shape(models)
    assert shape(blikk.json("plugins", "--json")[1]) == shape(plugins)
    assert shape(blikk.json("version", "--json")[1]) == shape(version)
    given = ("--camera", "rtsp://u:p@127.0.0.1/1", "--mqtt", "none", "--output", "new/blikk.yaml")
    assert shape(blikk.json("init", *given, "--json")[1]) == shape(init)
    # tests/cli/test_health.py has a node that runs
    assert set(blikk.json("health", "--json")[1]) == set(health)
    assert set(health["nodes"][0]) == {"node", "ok", "heartbeat_age_s"}
    # tests/e2e/test_purge_command.py has a broker that keeps something
    assert (set(purge), set(purge["topics"][0])) == ({"ok", "node", "topics"}, {"topic", "bytes"})
