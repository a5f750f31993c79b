"""The checkout's pages: links from file to file and to headings as on GitHub, and what the site shows otherwise."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

OURS = "https://github.com/blikk-edge/blikk-edge"
PAGES = ("*.md", "docs/**/*.md", "contract/**/*.md", "clients/*/*.md", ".github/**/*.md")
OTHERS = (
    ".github/**/*.y*ml",
    "blueprints/**/*.yaml",
    "custom_components/**/*.json",
    "blikk_edge/**/*.py",
    "docs/**/*.yaml",
)
"""Files that name pages of ours by their address on GitHub."""

_LINK = re.compile(r"\]\((?P<target>[^)\s]+)(?: \"[^\"]*\")?\)")
_ADDRESS = re.compile(rf"{OURS}(?:/blob/main/(?P<file>[^\s\"'`)>,#]+))?(?P<anchor>#[a-z0-9_-]+)?")
_FENCE = re.compile(r"^(?P<open> *(?P<mark>```|~~~)).*?^ *(?P=mark) *$", re.DOTALL | re.MULTILINE)
_ITEM = r"(?:[-*]|\d+\.) "
_HEADING = re.compile(r"^#{1,6} (.+?) *#*$", re.MULTILINE)


def faults(root: Path) -> Iterator[str]:
    """Links that lead nowhere: `page.md:12: no such file: other.md`."""
    for path in _found(root, PAGES):
        text = _without_code(path.read_text(encoding="utf-8"))
        yield from _shown_otherwise(text, path.relative_to(root))
        for link in _LINK.finditer(text):
            target, _, anchor = link["target"].partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            there = Path(os.path.normpath(path.parent / target)) if target else path
            yield from _missing(root, there, anchor, _place(root, path, text, link))
    for path in _found(root, PAGES + OTHERS):
        text = path.read_text(encoding="utf-8")
        for link in _ADDRESS.finditer(text):
            there = root / (link["file"] or "README.md")
            yield from _missing(root, there, (link["anchor"] or "")[1:], _place(root, path, text, link))


def headings(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page; of the same heading the second is `name-1`."""
    seen: Counter[str] = Counter()
    anchors = set()
    for heading in _HEADING.findall(_without_code(text)):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)  # a link is its words
        name = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        anchors.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return anchors


def _missing(root: Path, there: Path, anchor: str, place: str) -> Iterator[str]:
    name = os.path.relpath(there, root)
    if name.startswith("..") or not there.exists():
        yield f"{place}: no such file: {name}"
    elif anchor and there.suffix == ".md" and anchor not in headings(there.read_text(encoding="utf-8")):
        yield f"{place}: no such heading: {name}#{anchor}"


def _shown_otherwise(text: str, name: Path) -> Iterator[str]:
    """Lists and tables that GitHub understands and Python-Markdown, which makes the site, does not."""
    before = ""
    for number, line in enumerate(text.split("\n"), 1):
        begins = re.match(_ITEM, line) and not re.match(rf"\s|{_ITEM}", before)
        if before and not before.startswith("#") and (begins or (line.startswith("|") and not before.startswith("|"))):
            yield f"{name}:{number}: the site shows it as text: it needs an empty line before it"
        if re.match(rf" {{1,3}}(?:{_ITEM}|```|~~~)", line):
            yield f"{name}:{number}: the site shows it outside of its list: it needs four spaces"
        before = line


def _found(root: Path, patterns: tuple[str, ...]) -> list[Path]:
    return sorted(path for pattern in patterns for path in root.glob(pattern))


def _without_code(text: str) -> str:
    """The page with its lines, but without what stands between fences."""
    return _FENCE.sub(lambda fence: fence["open"] + "\n" * fence[0].count("\n"), text)


def _place(root: Path, path: Path, text: str, link: re.Match[str]) -> str:
    return f"{path.relative_to(root)}:{text.count(chr(10), 0, link.start()) + 1}"
