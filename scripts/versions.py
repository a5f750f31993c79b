"""The version in every place where it stands: read, compared and written. See scripts/version."""

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHANGES = "CHANGELOG.md"
COMING = "Not yet released"
_VERSION = r"(?P<version>\d+\.\d+\.\d+)"
_PACKAGE = rf'"name": "blikk-edge",\n +"version": "{_VERSION}"'
SOURCE = ("pyproject.toml", rf'^version = "{_VERSION}"$')
PLACES = (
    ("blikk_edge/__init__.py", rf'^__version__ = "{_VERSION}"$'),
    ("custom_components/blikk/manifest.json", rf'^  "version": "{_VERSION}"'),
    ("clients/typescript/package.json", _PACKAGE),
    ("clients/typescript/package-lock.json", _PACKAGE),
    ("docker/app/config.yaml", rf"^version: (?P<quote>[\"']?){_VERSION}(?P=quote)$"),
)
"""A file, and the lines in it that have the version. One that is there has at least one such line."""
MENTIONS = (
    ("docker/**/*", rf"(?:ghcr\.io/blikk-edge|registry\.example)/[a-z-]+:{_VERSION}"),
    ("docker/**/*Dockerfile", rf'\.version="?{_VERSION}'),
    ("docs/guide/*.md", rf"ghcr\.io/blikk-edge/[a-z-]+:{_VERSION}"),
)
"""Files by a pattern of their path, and what in them must be the version, if it is there."""
_HEADING = re.compile(r"^## (?P<title>.*)$", re.MULTILINE)


class VersionError(Exception):
    """What cannot be read or written, in one line."""


def current(root: Path) -> str:
    """The version of pyproject.toml.

    Raises:
        VersionError: none is there
    """
    file, pattern = SOURCE
    found = re.search(pattern, _read(root / file), re.MULTILINE)
    if found is None:
        raise VersionError(f"{file}: there is no version of the form 1.2.3")
    return found["version"]


def faults(root: Path, tag: str | None = None) -> Iterator[str]:
    """Where another version stands: `blikk_edge/__init__.py: 1.2.2, and pyproject.toml says 1.2.3`."""
    version = current(root)
    for path, pattern, needed in _places(root):
        name = path.relative_to(root)
        found = [match["version"] for match in re.finditer(pattern, _read(path), re.MULTILINE)]
        if needed and not found:
            yield f"{name}: there is no version of the form 1.2.3"
        yield from (f"{name}: {other}, and {SOURCE[0]} says {version}" for other in found if other != version)
    if tag is not None and tag != f"v{version}":
        yield f"the tag {tag}: v{version} is wanted"
    title = _heading(root)["title"]
    if _released(title) != version and (tag is not None or title != COMING):
        wanted = version if tag is not None else f"{version} or {COMING}"
        yield f"{CHANGES}: it begins with {title}, wanted is {wanted}"


def bump(root: Path, version: str) -> list[Path]:
    """Write the version everywhere and date the heading of what was not yet released; all of it, or nothing.

    Returns:
        the files that have changed

    Raises:
        VersionError: it is no version, older than the one before, or has a place or a heading that is missing
    """
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise VersionError(f"{version} is no version of the form 1.2.3")
    before = current(root)
    if _numbers(version) < _numbers(before):
        raise VersionError(f"{version} is older than {before}")
    texts: dict[Path, str] = {}
    for path, pattern, needed in [(root / SOURCE[0], SOURCE[1], True), *_places(root)]:
        text = texts.get(path) or _read(path)
        texts[path], count = re.subn(pattern, lambda found: _replaced(found, version), text, flags=re.MULTILINE)
        if needed and not count:
            raise VersionError(f"{path.relative_to(root)}: there is no version of the form 1.2.3")
    heading = _heading(root)
    if heading["title"] == COMING:
        dated = f"## {version}, {datetime.now(UTC).date().isoformat()}"
        text = _read(root / CHANGES)
        texts[root / CHANGES] = text[: heading.start()] + dated + text[heading.end() :]
    elif _released(heading["title"]) != version:
        raise VersionError(f"{CHANGES}: it begins with {heading['title']}; what has changed stands below: ## {COMING}")
    changed = [path for path, text in texts.items() if text != _read(path)]
    for path in changed:
        path.write_text(texts[path], encoding="utf-8")
    return changed


def notes(root: Path) -> str:
    """What the newest section of the changes says, without its heading."""
    text = _read(root / CHANGES)
    start = _heading(root).end()
    following = _HEADING.search(text, start)
    return text[start : following.start() if following else None].strip()


def _places(root: Path) -> Iterator[tuple[Path, str, bool]]:
    """Each file that is there, what has the version in it, and whether that must be there."""
    for file, pattern in PLACES:
        # the images and the app are folders of their own, which a copy may lack
        if (root / file).exists() or not file.startswith("docker/"):
            yield root / file, pattern, True
    for files, pattern in MENTIONS:
        yield from ((path, pattern, False) for path in sorted(root.glob(files)) if path.is_file() and _is_text(path))


def _replaced(found: re.Match[str], version: str) -> str:
    start, end = (place - found.start() for place in found.span("version"))
    return found[0][:start] + version + found[0][end:]


def _heading(root: Path) -> re.Match[str]:
    found = _HEADING.search(_read(root / CHANGES))
    if found is None:
        raise VersionError(f"{CHANGES}: it has no heading")
    return found


def _released(title: str) -> str:
    """The version of a heading such as `1.2.3, 2026-11-29`."""
    return title.split(",", maxsplit=1)[0]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _is_text(path: Path) -> bool:
    return b"\0" not in path.read_bytes()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise VersionError(f"{path.name}: {error.strerror}") from error


def main(arguments: list[str]) -> int:
    """Do what the arguments ask: 0, or 1 where something is wrong, or 2 for other arguments."""
    try:
        match arguments:
            case []:
                print(current(ROOT))
            case ["check", *tag] if len(tag) < 2:
                told = list(faults(ROOT, *tag))
                sys.stderr.write("".join(f"{fault}\n" for fault in told))
                return 1 if told else 0
            case ["bump", version]:
                for path in bump(ROOT, version):
                    print(path.relative_to(ROOT))
            case ["notes"]:
                print(notes(ROOT))
            case _:
                sys.stderr.write("scripts/version [check [TAG] | bump X.Y.Z | notes]\n")
                return 2
    except VersionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
