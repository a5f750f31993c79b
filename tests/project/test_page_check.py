"""The check of pages and site finds what it is for, and the pages of this checkout pass it."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from page_check import __main__, files, site  # noqa: E402

PAGE = "# One\n\n## A part, *twice*\n\n## A part, *twice*\n\n```sh\n[no](link)\n- none\n```\n"
OUTSIDE = "the site shows it outside of its list: it needs four spaces"
LINKED = {
    "file": ("[x](docs/none.md)", "README.md:1: no such file: docs/none.md"),
    "outside": ("[x](../x.md)", "README.md:1: no such file: ../x.md"),
    "heading": ("[x](docs/one.md#a-part)", "README.md:1: no such heading: docs/one.md#a-part"),
    "own heading": ("a\n\n[x](#b)", "README.md:3: no such heading: README.md#b"),
    "picture": ("![x](docs/none.png)", "README.md:1: no such file: docs/none.png"),
    "address": (f"<{files.OURS}/blob/main/docs/none.md>", "README.md:1: no such file: docs/none.md"),
    "heading by address": (f"{files.OURS}/blob/main/docs/one.md#b", "README.md:1: no such heading: docs/one.md#b"),
    "list": ("text\n- item", "README.md:2: the site shows it as text: it needs an empty line before it"),
    "table": ("text\n| a |\n|---|", "README.md:2: the site shows it as text: it needs an empty line before it"),
    "list in a list": ("- a\n  - b", f"README.md:2: {OUTSIDE}"),
    "code in a list": ("1. a\n\n   ```sh\n   b\n   ```", f"README.md:3: {OUTSIDE}"),
}  # fmt: skip
BUILT = {
    "link": ('<a href="../none/">', "a/index.html: leads nowhere: ../none/"),
    "anchor": ('<a href="../#none">', "a/index.html: leads nowhere: ../#none"),
    "from the top": ('<a href="/none/">', "a/index.html: leads nowhere: /none/"),
    "picture": ('<img src="none.png">', "a/index.html: leads nowhere: none.png"),
    "script": ('<script src="https://cdn.example/x.js">', "a/index.html: asks a third party: https://cdn.example/x.js"),
    "without a scheme": ('<img src="//cdn.example/x">', "a/index.html: asks a third party: //cdn.example/x"),
    "style": ('<link rel="stylesheet" href="https://x.example">', "a/index.html: asks a third party: https://x.example"),
    "preconnect": ('<link rel="preconnect" href="https://x.example">', "a/index.html: asks a third party: https://x.example"),
}  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "one.md").write_text(PAGE)
    return tmp_path


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "index.html").write_text('<h1 id="top"></h1><a href="a/">A</a> <a href="https://example.org">away</a>')
    return tmp_path


def test_what_leads_somewhere_passes(checkout: Path):
    links = "[a](docs/one.md) [b](docs/one.md#a-part-twice) [c](docs/one.md#a-part-twice-1) [d](docs) [e](https://x.example)"
    (checkout / "README.md").write_text(f"{links} {files.OURS}/blob/main/docs/one.md#one\n\n- a\n- b\n    - c\n")
    assert list(files.faults(checkout)) == []


@pytest.mark.parametrize(("text", "reported"), LINKED.values(), ids=LINKED)
def test_a_fault_of_a_page_is_reported_with_its_line(checkout: Path, text: str, reported: str):
    (checkout / "README.md").write_text(text)
    assert list(files.faults(checkout)) == [reported]


def test_a_site_that_is_whole_passes(built: Path):
    (built / "a" / "index.html").write_text('<a href="../#top">1</a> <a href="/a/">2</a> <link rel="next" href="..">')
    assert list(site.faults(built)) == []


@pytest.mark.parametrize(("text", "reported"), BUILT.values(), ids=BUILT)
def test_a_fault_of_the_site_is_reported(built: Path, text: str, reported: str):
    (built / "a" / "index.html").write_text(text)
    assert reported in list(site.faults(built))


def test_a_style_that_fetches_is_reported(built: Path):
    (built / "a" / "index.html").write_text("")
    (built / "x.css").write_text("@import 'https://x.example/a.css'; a { background: url(//x.example/b.png) }")
    assert list(site.faults(built)) == [
        "x.css: asks a third party: https://x.example/a.css",
        "x.css: asks a third party: //x.example/b.png",
    ]


def test_a_site_without_pages_is_a_fault(tmp_path: Path):
    assert list(site.faults(tmp_path)) == [f"{tmp_path}: there is no page"]


def test_the_command_fails_where_there_is_a_fault(checkout: Path, capsys: pytest.CaptureFixture[str]):
    assert __main__.main([str(checkout)]) == 0
    (checkout / "README.md").write_text("[x](none.md)")
    assert __main__.main([str(checkout)]) == 1
    assert "no such file: none.md" in capsys.readouterr().err


def test_the_pages_of_this_checkout_pass():
    assert list(files.faults(ROOT)) == []
