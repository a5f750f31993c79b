"""The reference page is what the grammar says, and its samples load."""

import re
from pathlib import Path

import pytest
import yaml

from blikk_edge.config import Settings, load
from blikk_edge.config.grammar import grammar
from blikk_edge.config.reference import FULL, MINIMAL, PAGE, SECRETS, main, page
from blikk_edge.grammar.schema import ById, Section

ROOT = Path(__file__).parents[2]


def samples() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (ROOT / PAGE).read_text(encoding="utf-8"), re.DOTALL)


def load_sample(folder: Path, text: str) -> Settings:
    for name in (
        "ca.pem",
        "hallway.pem",
        "hallway.key",
        "hallway.nk",
        "models/mine.tflite",
        "models/mine.txt",
        "models/mmproj.gguf",
        "models/mine.onnx",
        "models/mine.json",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "secrets.yaml").write_text(samples()[2], encoding="utf-8")
    (folder / "blikk.yaml").write_text(text, encoding="utf-8")
    return load(folder / "blikk.yaml", environ={"HALLWAY_KEY_PASSWORD": "k"})


def test_minimal_sample_loads(tmp_path: Path):
    got = load_sample(tmp_path, samples()[0])
    assert (got.node.id, got.mqtt.port, got.cameras[0].name) == ("hallway", 1883, "Front door")


def uncommented(text: str) -> str:
    """The sample with the keys that need something of the user's first: `  # key: value` is one."""
    return re.sub(r"^( *)# (?=( {2})*(- |[a-z0-9_]+:( |$)))", r"\1", text, flags=re.MULTILINE)


def test_full_sample_loads_with_what_it_says(tmp_path: Path):
    got = load_sample(tmp_path, uncommented(samples()[1]))
    assert [camera.id for camera in got.cameras] == ["front_door", "garden", "shed"]
    assert got.cameras[0].source.reveal().startswith("rtsp://user:password@")
    assert got.mqtt.tls is not None
    assert got.mqtt.tls.key == tmp_path / "hallway.key"
    assert got.store.path == Path("~/blikk/events.sqlite").expanduser()


def test_full_sample_has_every_key_of_the_grammar():
    written = yaml.compose(uncommented((ROOT / FULL).read_text(encoding="utf-8")))

    def missing(section: Section, node: yaml.MappingNode, path: str) -> list[str]:
        found = {key.value: value for key, value in node.value}
        gone = [f"{path}{key.name}" for key in section.keys if key.name not in found]
        for key in section.keys:
            if key.name not in found or not isinstance(key.value, Section | ById):
                continue
            below, value = key.value, found[key.name]
            if isinstance(below, ById):
                nodes = [value for _, value in value.value if isinstance(value, yaml.MappingNode)]
                gaps = [set(missing(below.section, node, f"{path}{key.name}.")) for node in nodes]
                gone += set.intersection(*gaps)
            else:
                gone += missing(below, value, f"{path}{key.name}.")
        return gone

    assert missing(grammar(Path()), written, "") == []


@pytest.mark.parametrize(
    "word", re.findall(r"^(\s*)(\w+): ([^#\n]*?) +# default$", uncommented((ROOT / FULL).read_text()), re.MULTILINE)
)
def test_value_called_default_in_the_sample_is_one(word):
    _, key, value = word
    rows = re.findall(rf"^\| `{key}` \| .*? \| `?(.*?)`? \|", (ROOT / PAGE).read_text(encoding="utf-8"), re.MULTILINE)
    plain = value.replace("_", "") if value.replace("_", "").isdigit() else value
    assert {plain, f"{plain}s"} & set(rows)


def test_page_is_not_stale(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["--check"]) == 0


def test_stale_page_is_reported_and_written_anew(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for file, text in ((MINIMAL, "a"), (FULL, "b"), (SECRETS, "c"), (PAGE, "old")):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert main(["--check"]) == 1
    assert "run scripts/docs" in capsys.readouterr().err
    assert PAGE.read_text(encoding="utf-8") == "old"
    assert main([]) == 0
    assert PAGE.read_text(encoding="utf-8") == page("a", "b", "c")
    assert main(["--check"]) == 0


def test_every_key_has_a_meaning():
    def meanings(section: Section) -> list[str]:
        every = [key.meaning for key in section.keys]
        for key in section.keys:
            below = key.value.section if isinstance(key.value, ById) else key.value
            every += meanings(below) if isinstance(below, Section) else []
        return every

    assert all(re.fullmatch(r"[A-Z`].*\.", meaning) for meaning in meanings(grammar(Path())))
