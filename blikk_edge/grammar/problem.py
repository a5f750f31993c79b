"""What can be wrong with a configuration, said without ever quoting a value: a value may be a secret."""

import difflib
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import voluptuous as vol

from blikk_edge.core.errors import ConfigError

# A key is shown only where it reads like a name: `rtsp://user:password@host` written as a key is not repeated.
_NAME_LIKE = re.compile(r"[\w .-]{1,64}")
# `password: {hunter2}` is a mapping to YAML; nothing below these keys is shown.
_QUIET = {"password", "key_password", "source"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing to mend.

    Attributes:
        file: Where it is wrong: the configuration, or the file of secrets beside it.
        line: Counted from 1; 0 means the file as a whole.
        path: That of the key, as `mqtt.port`; empty for the file as a whole.
        text: What is wrong, without quoting a value.
        mend: A sentence that says what to do about it.
        column: Counted from 1; 0 where only the line is known.
    """

    file: Path
    line: int
    path: str
    text: str
    mend: str
    column: int = 0

    def __str__(self) -> str:
        place = str(self.file)
        if self.line:
            place += f":{self.line}"
        if self.line and self.column:
            place += f":{self.column}"
        return f"{place}: {f'{self.path}: ' if self.path else ''}{self.text}. {self.mend}"


class ConfigErrors(ConfigError):  # noqa: N818 # plural: it holds all of them
    """Everything that is wrong with a configuration; `str` gives one line for each problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Wrong(vol.Invalid):
    """A value breaks the grammar: what is wrong, how to mend it, and the path below the value that was read."""

    def __init__(self, text: str, mend: str, *below: Hashable) -> None:
        super().__init__(text, list(below))
        self.mend = mend


class Moved(Wrong):
    """A key of an earlier version stands there, which `http` serves now."""


def shown(key: object) -> str:
    """A key as it may be shown: itself where it reads like a name, else `?`."""
    text = str(key)
    return text if _NAME_LIKE.fullmatch(text) else "?"


def dotted(path: Sequence[object]) -> str:
    """`cameras.front_door.zones.path.polygon[2]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{shown(step)}" if text else shown(step)
        if step in _QUIET:
            break
    return text


def listed(words: Iterable[str]) -> str:
    """`a, b or c`, each in backticks."""
    quoted = [f"`{word}`" for word in words]
    return " or ".join(part for part in (", ".join(quoted[:-1]), quoted[-1]) if part) if quoted else "nothing"


def did_you_mean(text: str, known: Sequence[str]) -> str:
    """A way to mend a word that is not known: the nearest known one, or all of them. Never repeats `text`."""
    near = difflib.get_close_matches(text.lower()[:100], known, n=1, cutoff=0.6)
    return f"Did you mean `{near[0]}`?" if near else f"Use {listed(known)}."
