"""The cameras of a site in a file of their own, checked as if they stood in the configuration of a member."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from blikk_edge.config.loading import understood
from blikk_edge.config.yaml_lines import Tree, read_tree
from blikk_edge.config.yaml_nodes import compose
from blikk_edge.grammar.problem import ConfigErrors, Problem

CAMERAS: Final = "cameras"
_LOGIN: Final = re.compile(r"://[^/\s'\"@]*:[^/\s'\"@]*@")
_TOKEN: Final = re.compile(r"\bpush_token\s*:\s*(?![\s!])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How cameras differ from those of before, by id.

    Attributes:
        added: Those that are new.
        changed: Those of which anything is another.
        removed: Those that are gone.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether there is a difference."""
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCameras:
    """A file with `cameras:`.

    Attributes:
        text: As it was written, secrets as names.
        ids: The cameras.
    """

    text: str = field(repr=False)
    ids: tuple[str, ...]


def read_site_cameras(file: Path, config: Path, environ: Mapping[str, str]) -> SiteCameras:
    """The cameras of `file`, as a member understands them whose configuration is `config`: it has the detectors.

    Secrets are those beside `file`, relative paths start at the folder of `config`. Raises ConfigErrors with all that
    is wrong, also where a secret is written out: what is applied is read by every member.
    """
    own, base = read_tree(file, environ), read_tree(config, environ)
    values = own.value if isinstance(own.value, dict) else {}
    for name in values.keys() - {CAMERAS}:
        own.add((name,), "only cameras are shared by a site", "Write it into the `blikk.yaml` of each member.")
    raw = file.read_text() if not own.broken else ""
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.lstrip().startswith("#") and (_LOGIN.search(line) or _TOKEN.search(line)):
            text, mend = "a secret is written out, which every member would read", "Write `!secret name` in its place."
            own.problems.append(Problem(file=file, line=number, path=CAMERAS, text=text, mend=mend))
    merged = Tree(
        file=file,
        value={**(base.value if isinstance(base.value, dict) else {}), CAMERAS: values.get(CAMERAS)},
        spots={**{k: v for k, v in base.spots.items() if k[:1] != (CAMERAS,)}, **own.spots},
        problems=[*own.problems, *(each for each in base.problems if not each.path.startswith(CAMERAS))],
        broken=own.broken | {path for path in base.broken if path[:1] != (CAMERAS,)},
    )
    reading = understood(merged, config.absolute().parent, environ)
    if reading.settings is None or reading.problems:
        raise ConfigErrors(reading.problems)
    return SiteCameras(text=raw, ids=tuple(camera.id for camera in reading.settings.cameras))


def changes(before: str, after: str) -> Changes:
    """What another text changes; one that is empty has no cameras."""
    old, new = _each(before), _each(after)
    return Changes(
        added=tuple(name for name in new if name not in old),
        changed=tuple(name for name in new if name in old and old[name] != new[name]),
        removed=tuple(name for name in old if name not in new),
    )


def _each(text: str) -> dict[str, str]:
    """Each camera as one text, by id; secrets stay names."""
    root = compose(Path(CAMERAS), [], text.encode()) if text else None
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    found = next((value for key, value in pairs if key.value == CAMERAS), None)
    return {key.value: str(yaml.serialize(value)) for key, value in found.value} if found is not None else {}
