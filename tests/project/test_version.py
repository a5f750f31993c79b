"""What disagrees with the version of pyproject.toml is reported, and a new one is written everywhere: in a copy."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = (
    "pyproject.toml",
    "CHANGELOG.md",
    "blikk_edge/__init__.py",
    "clients/typescript/package.json",
    "custom_components/blikk/manifest.json",
    "scripts/version",
    "scripts/versions.py",
)
LOCK = """\
{
  "name": "blikk-edge",
  "version": "9.8.7",
  "packages": {
    "": {
      "name": "blikk-edge",
      "version": "9.8.7"
    },
    "node_modules/ws": {
      "version": "8.23.0"
    }
  }
}
"""
IMAGES = {
    "clients/typescript/package-lock.json": LOCK,
    "docker/Dockerfile": 'FROM python:3.13.1-slim\nLABEL org.opencontainers.image.version="9.8.7"\n',
    "docker/compose.yaml": "node: {image: ghcr.io/blikk-edge/blikk-edge:9.8.7}\nbroker: {image: mqtt:2.0.22}\n",
    "docker/app/config.yaml": "name: Blikk Edge\nversion: 9.8.7\nhomeassistant: 2026.10.0\n",
    "docker/app/Dockerfile": 'FROM ghcr.io/blikk-edge/blikk-edge:9.8.7\nLABEL io.hass.version="9.8.7"\n',
    "docs/guide/docker.md": "`docker pull ghcr.io/blikk-edge/blikk-edge:9.8.7`\n",
}
TOLD = {
    "pyproject.toml": 'version = "9.8.7"',
    "blikk_edge/__init__.py": '__version__ = "9.8.7"',
    "clients/typescript/package.json": '  "version": "9.8.7"',
    "custom_components/blikk/manifest.json": '  "version": "9.8.7"',
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of every file that has the version, with images and an app; all say 9.8.7, and nothing is released."""
    for name in COPIED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name, text in IMAGES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    before = subprocess.run([tmp_path / "scripts/version"], capture_output=True, text=True, check=True).stdout.strip()
    for name, line in TOLD.items():
        text = (tmp_path / name).read_text()
        old = line.replace("9.8.7", before)
        assert old in text
        (tmp_path / name).write_text(text.replace(old, line))
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changes\n\n## Not yet released\n\n- New.\n\n## 9.8.6, 2026-01-02\n\n- Old.\n"
    )
    return tmp_path


@pytest.fixture
def version(tree: Path) -> Callable[..., tuple[int, str, str]]:
    """Runs `scripts/version` of the copy: its exit status, and what it printed and reported."""

    def run(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run([tree / "scripts/version", *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    return run


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_this_checkout_has_one_version():
    done = subprocess.run([ROOT / "scripts/version", "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_that_of_the_project(version):
    assert version() == (0, "9.8.7\n", "")


@pytest.mark.parametrize(
    "name",
    [*(name for name in TOLD if name != "pyproject.toml"), *(name for name in IMAGES if name != "docker/Dockerfile")],
)
def test_each_place_that_differs_is_reported(tree: Path, version, name: str):
    change(tree / name, "9.8.7", "9.8.5")
    status, _, reported = version("check")
    assert status == 1
    assert set(reported.splitlines()) == {f"{name}: 9.8.5, and pyproject.toml says 9.8.7"}


def test_a_place_that_lost_its_version_is_reported(tree: Path, version):
    change(tree / "docker/app/config.yaml", "version: 9.8.7\n", "")
    assert version("check") == (1, "", "docker/app/config.yaml: there is no version of the form 1.2.3\n")


def test_other_numbers_are_left_alone(tree: Path, version):
    assert version("bump", "9.9.0")[0] == 0
    assert "mqtt:2.0.22" in (tree / "docker/compose.yaml").read_text()
    assert "python:3.13.1-slim" in (tree / "docker/Dockerfile").read_text()
    assert "8.23.0" in (tree / "clients/typescript/package-lock.json").read_text()
    assert "homeassistant: 2026.10.0" in (tree / "docker/app/config.yaml").read_text()


def test_without_images_and_app_the_rest_still_agrees(tree: Path, version):
    shutil.rmtree(tree / "docker")
    assert version("check") == (0, "", "")


@pytest.mark.parametrize("tag", ["v9.8.8", "9.8.7", "v9.8.7-1", ""])
def test_a_tag_of_another_version_is_reported(tree: Path, version, tag: str):
    change(tree / "CHANGELOG.md", "Not yet released", "9.8.7, 2026-02-03")
    assert version("check", tag) == (1, "", f"the tag {tag}: v9.8.7 is wanted\n")


def test_a_tag_wants_its_own_section_of_the_changes(tree: Path, version):
    assert version("check") == (0, "", "")
    assert version("check", "v9.8.7") == (
        1,
        "",
        "CHANGELOG.md: it begins with Not yet released, wanted is 9.8.7\n",
    )


def test_a_section_of_another_version_is_reported_without_a_tag_too(tree: Path, version):
    change(tree / "CHANGELOG.md", "Not yet released", "9.8.70, 2026-02-03")
    assert version("check")[0] == 1


def test_a_new_version_stands_everywhere_and_its_tag_agrees(tree: Path, version):
    status, changed, reported = version("bump", "9.10.0")
    assert (status, reported) == (0, "")
    assert set(changed.split()) == {*TOLD, *IMAGES, "CHANGELOG.md"}
    assert version("check", "v9.10.0") == (0, "", "")
    assert not [name for name in (*TOLD, *IMAGES) if "9.8.7" in (tree / name).read_text()]


def test_the_version_that_is_there_can_be_released(tree: Path, version):
    assert version("bump", "9.8.7") == (0, "CHANGELOG.md\n", "")
    assert version("check", "v9.8.7") == (0, "", "")
    assert version("bump", "9.8.7") == (0, "", "")


@pytest.mark.parametrize(
    ("wanted", "reported"),
    [
        ("9.8.6", "9.8.6 is older than 9.8.7\n"),
        ("v9.9.0", "v9.9.0 is no version of the form 1.2.3\n"),
        ("9.9", "9.9 is no version of the form 1.2.3\n"),
        ("9.09.0", "9.09.0 is no version of the form 1.2.3\n"),
    ],
)
def test_what_cannot_be_the_next_version_is_refused(version, wanted: str, reported: str):
    assert version("bump", wanted) == (1, "", reported)


def test_without_a_section_of_changes_nothing_is_written(tree: Path, version):
    change(tree / "CHANGELOG.md", "## Not yet released\n\n- New.\n\n", "")
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    status, _, reported = version("bump", "9.9.0")
    assert (status, reported) == (
        1,
        "CHANGELOG.md: it begins with 9.8.6, 2026-01-02; what has changed stands below: ## Not yet released\n",
    )
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


def test_the_notes_are_the_newest_section(version):
    assert version("bump", "9.9.0")[0] == 0
    assert version("notes") == (0, "- New.\n", "")


def test_another_word_is_a_wrong_command_line(version):
    assert version("bunp", "9.9.0")[0] == 2
    assert version("check", "v9.8.7", "v9.8.7")[0] == 2
