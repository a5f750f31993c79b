"""The files of the pages: small, unchanged where they are of others, and complete in every language."""

import hashlib
import json
import re
from importlib import metadata
from pathlib import Path

import pytest

from blikk_edge.core.errors import Trouble
from blikk_edge.web import site

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "blikk_edge" / "web" / "static"
WORDS = {path.stem: json.loads(path.read_text()) for path in (STATIC / "words").glob("*.json")}
SCRIPTS = [path for path in STATIC.rglob("*.js") if "vendor" not in path.parts]
# t("key") and n("key", count); what is made of a template stands for all keys that begin and end so
USED = re.compile(r"""\b([tn])\(\s*["`]([^"`]+)["`]""")


def test_all_files_together_are_under_300_kb() -> None:
    assert sum(path.stat().st_size for path in STATIC.rglob("*") if path.is_file()) < 300_000


def test_libraries_of_others_are_the_files_that_their_list_names() -> None:
    table = (STATIC / "vendor" / "README.md").read_text()
    listed = dict(re.findall(r"^\| `([^`]+)` \|.*\| ([0-9a-f]{64}) \|$", table, re.MULTILINE))
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (STATIC / "vendor").glob("*.js")}
    assert found == listed


def test_licence_of_htm_goes_with_the_package_as_it_is_that_of_the_package() -> None:
    assert metadata.metadata("blikk-edge").get_all("License-File") == ["LICENSE"]
    assert "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("language", sorted(WORDS))
def test_every_language_has_the_same_texts_with_the_same_names_in_them(language: str) -> None:
    assert WORDS[language].keys() == WORDS["en"].keys()
    for key, text in WORDS[language].items():
        assert text.strip(), key
        assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", WORDS["en"][key])), key


def test_every_text_that_a_page_uses_is_there_and_none_is_left_over() -> None:
    known, used = set(WORDS["en"]), set()
    for path in SCRIPTS:
        for function, key in USED.findall(path.read_text()):
            keys = [f"{key}.one", f"{key}.other"] if function == "n" else [key]
            for each in keys:
                pattern = re.compile(re.sub(r"\\\$\\{.*?\\}", "[a-z0-9_.]+", re.escape(each)))
                found = {name for name in known if pattern.fullmatch(name)}
                assert found, f"{path.name}: {each}"
                used |= found
    assert known - used == set()


def test_a_file_is_read_for_its_tag_once_and_again_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, reads, read_bytes = tmp_path / "page.js", list[Path](), Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(path) or read_bytes(path))
    file.write_text("one")
    tags = [site._tag(file) for _ in range(3)]
    file.write_text("another")
    tags.append(site._tag(file))
    assert (len(set(tags)), len(reads)) == (2, 2)


def test_each_kind_of_trouble_has_words_in_every_language() -> None:
    assert {f"trouble.{each}" for each in Trouble} == {key for key in WORDS["en"] if key.startswith("trouble.")}


def test_no_file_asks_anybody_else_for_anything() -> None:
    for path in STATIC.rglob("*"):
        if path.is_file() and "vendor" not in path.parts:
            found = re.findall(r"https?://[^\s\"'<]+", path.read_text())
            assert [url for url in found if "www.w3.org" not in url] == [], path.name
