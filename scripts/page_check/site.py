"""The built site: every link, anchor and picture leads somewhere, and nothing is asked of a third party."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {("img", "src"), ("script", "src"), ("source", "src"), ("iframe", "src"), ("video", "src"), ("link", "href")}
"""What a browser asks for by itself; links are only followed when somebody clicks."""
_NOT_LOADED = {"canonical", "alternate", "prev", "next", "edit"}
_SCHEME = re.compile(r"[a-z]+:|//")


class _Page(HTMLParser):
    """What a page refers to, and the ids in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids.update(given[name] for name in ("id", "name") if name in given)
        relations = set(given.get("rel", "").split())
        for name, value in given.items():
            if (tag, name) in _LOADED and not relations & _NOT_LOADED:
                self.loaded.add(value)
            elif (tag, name) == ("a", "href"):
                self.links.add(value)


def faults(folder: Path) -> Iterator[str]:
    """Faults of the site in `folder`: `guide/privacy/index.html: leads nowhere: ../none/`."""
    folder = folder.resolve()
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    if not pages:
        yield f"{folder}: there is no page"
    for path, page in pages.items():
        name = path.relative_to(folder)
        for target in sorted(page.loaded):
            if _SCHEME.match(target) and not target.startswith("data:"):
                yield f"{name}: asks a third party: {target}"
        for target in sorted(page.links | page.loaded):
            if not _SCHEME.match(target) and not _leads(folder, pages, path, target):
                yield f"{name}: leads nowhere: {target}"
    for path in sorted(folder.rglob("*.css")):
        for target in re.findall(r"(?:url\(|@import )[\"']?((?:https?:)?//[^\"')]+)", path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(folder)}: asks a third party: {target}"


def _leads(folder: Path, pages: dict[Path, _Page], path: Path, target: str) -> bool:
    address = urlsplit(target)
    base = folder if target.startswith("/") else path.parent  # the page for what is missing may be shown anywhere
    there = (base / unquote(address.path).lstrip("/")).resolve() if address.path else path
    if there.is_dir():
        there /= "index.html"
    if there not in pages:
        return there.is_file()
    return not address.fragment or unquote(address.fragment) in pages[there].ids
