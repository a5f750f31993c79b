"""The cameras of a site in a file of their own, checked as if they stood in the configuration of a member."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from blikk_edge.config.loading import Reading, understood
from blikk_edge.config.settings import Settings
from blikk_edge.config.yaml_lines import Tree, read_tree
from blikk_edge.grammar.problem import ConfigErrors, Problem, Wrong

CAMERAS: Final = "cameras"
APPLIED: Final = "cameras of the site"
"""The file that messages name for what was applied."""

_LOGIN: Final = re.compile(r"://[^/\s'\"@]*:[^/\s'\"@]*@")
_TOKEN: Final = re.compile(r"\bpush_token\s*:\s*(?![\s!])")


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
    reading = understood(_merged(own, base), config.absolute().parent, environ)
    problems = [*reading.problems, *(reading.problem(wrong) for wrong in _bound(reading.settings))]
    if reading.settings is None or problems:
        raise ConfigErrors(problems)
    return SiteCameras(text=raw, ids=tuple(camera.id for camera in reading.settings.cameras))


def with_site_cameras(config: Path, environ: Mapping[str, str], text: str) -> tuple[Settings, tuple[Problem, ...]]:
    """The settings of a member with the cameras of its site, and what is wrong with those that it cannot watch.

    These are left out: others may have the secret that is missing here. Secrets are those beside `config`. Raises
    ConfigErrors for what is wrong with `config` itself.
    """
    own = read_tree(config.with_name(APPLIED), environ, text.encode())
    cameras = own.value.get(CAMERAS) if isinstance(own.value, dict) else None
    left = dict(cameras) if isinstance(cameras, dict) else {}
    wrong: list[Problem] = []
    while True:
        base = read_tree(config, environ)
        if not left:
            return _settings_of(understood(base, config.absolute().parent, environ)), tuple(wrong)
        kept = Tree(
            file=own.file,
            value={CAMERAS: left},
            spots=own.spots,
            problems=[each for each in own.problems if _camera(each) in left],
            broken={path for path in own.broken if path[1:2] and path[1] in left},
        )
        reading = understood(_merged(kept, base), config.absolute().parent, environ)
        found = [*reading.problems, *(reading.problem(each) for each in _bound(reading.settings))]
        bad = {_camera(each) for each in found if _camera(each) in left}
        if not bad:
            return replace(_settings_of(reading), shares=True), tuple(wrong)
        wrong += [each for each in found if _camera(each) in bad]
        left = {name: below for name, below in left.items() if name not in bad}


def _settings_of(reading: Reading) -> Settings:
    if reading.settings is None or reading.problems:
        raise ConfigErrors(reading.problems)
    return reading.settings


def _camera(problem: Problem) -> str:
    """The camera that a problem is about; empty where it is about none."""
    first, _, rest = problem.path.partition(".")
    return rest.partition(".")[0] if first == CAMERAS else ""


def _merged(own: Tree, base: Tree) -> Tree:
    """The configuration of a member, with the cameras of another file in place of its own."""
    values = own.value if isinstance(own.value, dict) else {}
    return Tree(
        file=own.file,
        value={**(base.value if isinstance(base.value, dict) else {}), CAMERAS: values.get(CAMERAS)},
        spots={**{k: v for k, v in base.spots.items() if k[:1] != (CAMERAS,)}, **own.spots},
        problems=[*own.problems, *(each for each in base.problems if not each.path.startswith(CAMERAS))],
        broken=own.broken | {path for path in base.broken if path[:1] != (CAMERAS,)},
    )


def _bound(settings: Settings | None) -> Iterator[Wrong]:
    """What binds a camera to one machine, so that it cannot be shared."""
    mend = "Give it to a node of its own, with `cameras:` in its `blikk.yaml`."
    for camera in () if settings is None else settings.cameras:
        if camera.pushed or camera.by_whip:
            yield Wrong("who sends pictures to a node cannot follow to another", mend, CAMERAS, camera.id, "source")
        if camera.ring is not None and camera.ring.gpio is not None:
            yield Wrong("a pin belongs to one machine", mend, CAMERAS, camera.id, "ring", "gpio")
        if camera.record is not None or camera.archive is not None:
            key = "archive" if camera.record is None else "record"
            yield Wrong("recordings lie on the disk of one machine", mend, CAMERAS, camera.id, key)
