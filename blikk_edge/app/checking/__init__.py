"""What a configuration needs on this machine before `blikk run` can do all that it says."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blikk_edge.app.checking.extras import language_model, packages
from blikk_edge.app.checking.meaning import doubles, labels, names, placeholders, questions, vendors, webhook
from blikk_edge.app.checking.model_files import model_files
from blikk_edge.app.checking.places import certificates, folders, open_secrets
from blikk_edge.app.checking.plugins import plugins
from blikk_edge.app.checking.recordings import faces
from blikk_edge.config.loading import read
from blikk_edge.config.settings import Settings
from blikk_edge.config.yaml_lines import SECRETS
from blikk_edge.grammar.problem import Problem, Wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A configuration, and what was found when it was held against this machine.

    Attributes:
        settings: None where the file itself has problems.
        problems: What has to be mended, in the order of lines.
        notes: What is worth knowing and stops nothing, each in words.
    """

    settings: Settings | None
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()


def check(path: Path, environ: Mapping[str, str], raw: bytes | None = None) -> Checked:
    """The file, and all that it needs on this machine. Opens no camera and no network.

    `raw` is what the file would hold; None: what it holds.
    """
    reading = read(path, environ, raw)
    settings = reading.settings
    notes: list[str] = list(open_secrets(path.parent / SECRETS))
    if settings is None or reading.problems:
        return Checked(settings=None, problems=reading.problems, notes=tuple(notes))
    wrongs = [wrong for look in _LOOKS for wrong in look(settings, environ, notes)]
    problems = sorted((reading.problem(wrong) for wrong in wrongs), key=lambda problem: (problem.line, problem.path))
    return Checked(settings=settings, problems=tuple(problems), notes=tuple(dict.fromkeys(notes)))


_LOOKS: Final[tuple[Callable[[Settings, Mapping[str, str], list[str]], Iterator[Wrong]], ...]] = (
    names,
    doubles,
    vendors,
    placeholders,
    labels,
    questions,
    webhook,
    language_model,
    packages,
    plugins,
    model_files,
    certificates,
    folders,
    faces,
)
"""Each gives what has to be mended, and appends to the list what is worth knowing."""
