"""`search` and `concepts` in `blikk.yaml`: what is read, what is wrong, and what a node without them imports."""

import subprocess
import sys
from pathlib import Path

import pytest

from blikk_edge.app.checking import check, extras
from blikk_edge.config import ConfigErrors, load
from blikk_edge.config.settings import Settings
from blikk_edge.core.sightings import Label

BASE = "node: n\nmqtt: false\nstore: {{path: kept/blikk.db}}\n{}cameras:\n  gate: {{source: rtsp://127.0.0.1:9/1{}}}\n"


def read(folder: Path, top: str = "", camera: str = "") -> Settings:
    (folder / "own.onnx").touch()
    (folder / "own.json").touch()
    path = folder / "blikk.yaml"
    path.write_text(BASE.format(f"{top}\n" if top else "", camera))
    return load(path, environ={})


@pytest.mark.parametrize(
    ("top", "model"),
    [
        ("search: true", "tinyclip"),
        ("search: {}", "tinyclip"),
        ("search: tinyclip-full", "tinyclip-full"),
        ("search: colours", "colours"),
        ("search: {model: colours}", "colours"),
        ("search: {model: own.onnx, tokenizer: own.json}", "own.onnx"),
    ],
)
def test_search_is_a_word_or_a_mapping(tmp_path: Path, top: str, model: str) -> None:
    options = read(tmp_path, top).search
    assert options is not None
    assert Path(options.model).name == model
    assert options.by_words is (model != "colours")


@pytest.mark.parametrize("top", ["", "search: false"])
def test_search_is_off_unless_it_is_asked_for(tmp_path: Path, top: str) -> None:
    assert read(tmp_path, top).search is None


def test_a_concept_is_its_words_or_a_mapping(tmp_path: Path) -> None:
    concepts = "{parcel_person: person carrying a parcel, red: {text: a red car, labels: [vehicle], threshold: .9}}"
    parcel, red = read(tmp_path, "search: true", f", concepts: {concepts}").cameras[0].concepts
    assert (parcel.id, parcel.text, parcel.threshold, parcel.labels) == (
        "parcel_person", "person carrying a parcel", 0.7, tuple(Label)
    )  # fmt: skip
    assert (red.text, red.threshold, red.labels) == ("a red car", 0.9, (Label.VEHICLE,))


@pytest.mark.parametrize(
    ("top", "camera", "words"),
    [
        ("", ", concepts: {a: b}", "concepts without a model to compare with. Add `search: true`"),
        ("search: colours", ", concepts: {a: b}", "concepts without a model"),
        ("search: tinyclipp", "", "Did you mean `tinyclip`?"),
        ("search: yolox-nano", "", "no model of that name is known"),
        ("search: {model: own.onnx}", "", "Add `tokenizer:`"),
        ("search: {model: missing.onnx, tokenizer: own.json}", "", "search.model: no such file"),
        ("search: {tokenizer: own.json}", "", "`tokenizer` without a model of your own"),
        ("search: true", ", concepts: {a: {threshold: 1}}", "`text` is missing"),
        (
            "search: true",
            f", concepts: {{a: {'x' * 201}}}",
            "Describe it in at most 200 characters",
        ),
        ("search: true", ", concepts: {a: {text: b, threshold: 2}}", "threshold"),
        ("search: true", ", concepts: {Not a word: b}", "concepts"),
        ("detectors: {default: {model: tinyclip}}", "", "no model of that name is known"),
    ],
)
def test_what_is_wrong_is_said_with_how_to_mend_it(tmp_path: Path, top: str, camera: str, words: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        read(tmp_path, top, camera)
    assert words in str(caught.value)


def test_a_missing_package_is_named_with_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(tmp_path, "search: true")
    monkeypatch.setattr(extras, "_installed", lambda package: package != "onnxruntime")
    (problem,) = check(tmp_path / "blikk.yaml", {}).problems
    assert "needs the package onnxruntime" in problem.text
    assert "blikk-edge[clip]" in problem.mend


def test_what_will_be_fetched_is_noted_and_offline_is_a_problem(tmp_path: Path) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    read(tmp_path, "search: true")
    notes = check(tmp_path / "blikk.yaml", environ).notes
    assert any(note.startswith("tinyclip will be fetched while the node runs (24.3 MB)") for note in notes)
    read(tmp_path, "search: true\nmodels: {offline: true}")
    problems = [problem.text for problem in check(tmp_path / "blikk.yaml", environ).problems]
    assert any("tinyclip-tokenizer is not here" in problem for problem in problems)


def test_a_node_that_does_not_search_imports_no_runtime() -> None:
    program = "import sys, blikk_edge.app.wiring; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode == 0
