"""Every configuration that the pages show is one: it loads, and `blikk check` is content with it."""

import re
from pathlib import Path

import pytest
import yaml

from blikk_edge.app.checking import check
from blikk_edge.config.grammar import grammar

ROOT = Path(__file__).parents[2]
KEYS = {key.name for key in grammar(Path()).keys}
SECRET = "rtsp://user:password@camera-12.local/123"
"""An address, a password, and in 40 characters a key of CURVE."""

REQUIRED = {
    "node": "node: hallway",
    "mqtt": "mqtt: broker.local",
    "cameras": "cameras: {door: {source: rtsp://192.168.1.20/1}}",
}


class Tags(yaml.SafeLoader):
    """Reads our tags and Home Assistant's as text."""


Tags.add_multi_constructor("!", lambda loader, suffix, node: f"!{suffix} {getattr(node, 'value', '')}")


def blocks() -> list[tuple[str, str]]:
    """Every YAML block of README and the guides, and every YAML file beside them, that is a configuration of ours."""
    found = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(r"^( *)```yaml\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            body = re.sub(rf"^{match[1]}", "", match[2], flags=re.MULTILINE)
            found.append((f"{page.relative_to(ROOT)}:{line}", body))
    files = sorted((ROOT / "docs").rglob("*.yaml"))
    found += [(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")) for file in files]
    return [(name, text) for name, text in found if ours(text)]


def ours(text: str) -> bool:
    value = yaml.load(text, Tags)
    others = {"secrets", "blueprint", "type"}  # a `type` is a dashboard card's
    return isinstance(value, dict) and bool(set(value) & KEYS) and not set(value) & others


BLOCKS = blocks()
TAKEN = "another program has this port"


def test_the_configurations_of_all_pages_are_found():
    names = " ".join(name for name, _ in BLOCKS)
    assert all(page in names for page in ("README.md", "guide/privacy.md", "guide/language-models.md", "ref/config.md"))
    assert len(BLOCKS) >= 10


@pytest.mark.parametrize(("name", "text"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_a_configuration_that_is_shown_checks_clean(name: str, text: str, tmp_path: Path):
    given = set(yaml.load(text, Tags))
    whole = text + "".join(f"\n{line}\n" for key, line in REQUIRED.items() if key not in given)
    (tmp_path / "blikk.yaml").write_text(whole, encoding="utf-8")
    secrets = dict.fromkeys(re.findall(r"!secret ([a-z_0-9]+)", text), SECRET)
    (tmp_path / "secrets.yaml").write_text("\n".join(f"{key}: {value}" for key, value in secrets.items()) + "\n")
    environ = dict.fromkeys(re.findall(r"!env ([A-Z_0-9]+)", text), "x")
    problems = check(tmp_path / "blikk.yaml", {**environ, "HOME": str(tmp_path)}).problems
    assert [str(problem) for problem in problems if not needs_something(f"{problem.text} {problem.mend}")] == []


def needs_something(text: str) -> bool:
    """Whether the page says how to get what is missing here: a file, a package, a plug-in of one's own; a free port."""
    return any(words in text for words in ("no such file", "pip install", "a plug-in", "the plug-in", TAKEN))


def test_the_sample_with_every_key_checks_clean_as_it_lies_there():
    checked = check(ROOT / "docs" / "guide" / "blikk.yaml", {"HOME": "/tmp"})
    assert [str(problem) for problem in checked.problems if TAKEN not in problem.text] == []
