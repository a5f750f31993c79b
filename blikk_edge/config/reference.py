"""The reference page of `blikk.yaml`, written from the grammar: `docs/ref/config.md`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blikk_edge.config.collect import collect_grammar, site_section
from blikk_edge.config.grammar import grammar
from blikk_edge.core.sightings import Label
from blikk_edge.enrichers.kinds import ENRICHERS
from blikk_edge.grammar.schema import ById, Key, Section, default_words
from blikk_edge.inputs.kinds import INPUTS
from blikk_edge.kinds.chosen import KindMapping
from blikk_edge.kinds.plugins import Kinds
from blikk_edge.llm.kinds import MODELS
from blikk_edge.sinks.kinds import SINKS
from blikk_edge.sources.kinds import SOURCES
from blikk_edge.transforms.kinds import DETECTORS
from blikk_edge.web.kinds import SERVED

PAGE = Path("docs/ref/config.md")
MINIMAL = Path("docs/guide/blikk.minimal.yaml")
FULL = Path("docs/guide/blikk.yaml")
SECRETS = Path("docs/guide/secrets.yaml")

_HEAD = """\
# `blikk.yaml`

This page is written by `scripts/docs` from the grammar that reads the file. Do not edit it.

`blikk check blikk.yaml` lists everything that is wrong with a file: the line, the key, and how to mend it; and what the
file needs on this machine and is not there. It opens no camera and no network.

## The smallest file

```yaml
{minimal}```

## How to write it

- **Durations** are seconds, `30`, or a number with a unit: `500ms`, `10s`, `5min`, `1h`, `1d`.
- **Paths** that are relative start at the folder of `blikk.yaml`. `~/` is your home folder.
- **Ids** of cameras, zones, detectors and the node are 1 to 64 of `a-z`, `0-9` and `_`.
- **Labels** are {labels}.
- **`!secret name`** takes the value from `secrets.yaml` beside the file, which holds lines of `name: value`. It works
  where the value is never shown: user names, passwords and sources. A source that is a `!secret` is shown as
  `rtsp://***`; any other source is shown without user, password and query.
- **`!env NAME`** takes a value from the environment, `!env NAME default` with a default. It works everywhere.
- **Anchors** (`&name`, `*name`, `<<: *name`) work. A key that is written twice is an error.
- No message ever quotes a value.

"""

_KINDS = """\
## The kinds of parts

What `blikk plugins` lists before any plug-in is installed. A plug-in brings others, and their options are checked like
all keys here: [plug-ins](../guide/plugins.md).

| part | name | what it is |
| --- | --- | --- |
{rows}

"""

_COLLECT = """\
## What the centre reads

`collect.yaml`, for `blikk collect` and `blikk search --fleet`:
[records of all sites](../guide/fleet.md#records-of-all-sites).

"""

_TAIL = """\
## Every key at once

```yaml
{full}```

Keys behind a `#` need something of yours first: a file, a package, a service.

`secrets.yaml` beside it:

```yaml
{secrets}```
"""


def page(minimal: str, full: str, secrets: str) -> str:
    """The page as Markdown, with the samples in it."""
    labels = ", ".join(f"`{label}`" for label in Label)
    sections = "\n".join(_section("", "The top of the file.", grammar(Path())))
    groups: tuple[Kinds[Any, Any], ...] = (SOURCES, DETECTORS, SINKS, ENRICHERS, INPUTS, SERVED, MODELS)
    kinds = [(group.word, group.get(name)) for group in groups for name in group.own]
    rows = "\n".join(f"| {word} | `{kind.name}` | {kind.meaning} |" for word, kind in kinds)
    return (
        _HEAD.format(minimal=minimal, labels=labels)
        + sections
        + "\n"
        + _KINDS.format(rows=rows)
        + _COLLECT
        + "\n".join(_of_collect())
        + "\n"
        + _TAIL.format(full=full, secrets=secrets)
    )


def main(arguments: list[str]) -> int:
    """Write the page below the current folder; with `--check` only say whether it is stale (1)."""
    text = page(*(sample.read_text(encoding="utf-8") for sample in (MINIMAL, FULL, SECRETS)))
    return written(PAGE, text, check="--check" in arguments)


def written(path: Path, text: str, *, check: bool) -> int:
    """Write a generated file; with `check` only say whether it is stale (1)."""
    if not check:
        path.write_text(text, encoding="utf-8")
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{path} is stale; run scripts/docs\n")
    return 1


def _of_collect() -> Iterator[str]:
    yield from _section("collect.yaml", "The top of the file.", collect_grammar(Path()))
    yield from _section("collect.yaml.sites[]", "One site.", site_section(Path()))


def _section(path: str, meaning: str, section: Section) -> Iterator[str]:
    """The lines of a section, then those of the sections below it."""
    yield f"## {f'`{path}`' if path else 'The keys'}\n"
    yield f"{meaning}\n"
    if section.plain or section.switch:
        yield f"Write {section.words}.\n"
    yield "| key | write | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for key in section.keys:
        yield f"| `{key.name}` | {_words(path, key)} | {default_words(section.of, key)} | {key.meaning} |"
    yield ""
    for key in section.keys:
        below = f"{path}.{key.name}".lstrip(".")
        if isinstance(key.value, Section):
            yield from _section(below, key.meaning, key.value)
        elif isinstance(key.value, ById):
            yield from _section(f"{below}.<id>", key.meaning, key.value.section)
        elif isinstance(key.value, KindMapping):
            for name, kind in ((name, key.value.kinds.get(ours)) for name, ours in key.value.kinds.below.items()):
                options = kind.section(Path())
                assert isinstance(options, Section)  # ours are
                yield from _section(f"{below}.{name}", kind.meaning, options)


def _words(path: str, key: Key) -> str:
    if not isinstance(key.value, Section | ById):
        return key.value.words
    below = f"{path}.{key.name}".lstrip(".") + (".<id>" if isinstance(key.value, ById) else "")
    return f"see `{below}`"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
