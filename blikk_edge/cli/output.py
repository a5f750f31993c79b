"""What is printed, where, and for whom: words for people, JSON for programs, errors in both."""

import contextlib
import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TextIO

from blikk_edge.cli import exits
from blikk_edge.core.errors import (
    BlikkError,
    ConfigError,
    LlmError,
    ModelError,
    PrivacyError,
    SinkError,
    SourceError,
    StoreError,
    WireError,
)

if TYPE_CHECKING:
    from blikk_edge.grammar.problem import Problem


class UsageError(BlikkError):
    """The command line cannot be understood, or names what is not there."""


class OutputError(BlikkError):
    """What was asked for cannot be written where it shall go."""


_KINDS: Final[Mapping[type[BlikkError], str]] = {
    UsageError: "usage",
    ConfigError: "configuration",
    OutputError: "output",
    SourceError: "source",
    ModelError: "model",
    PrivacyError: "privacy",
    SinkError: "mqtt",
    StoreError: "store",
    WireError: "question",
    LlmError: "language model",
}


def prepare() -> None:
    """Let no character that a terminal or a file name has stop us."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody reads along who can be shown moving things; not in a dumb terminal, a pipe or a file."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def say(text: str) -> None:
    """One line to standard output, at once. Who has stopped reading is not written to any more."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _silence()
        raise
    except OSError as error:
        _silence()
        raise OutputError(f"standard output cannot be written: {error.strerror}") from error


def prints_to_terminal() -> bool:
    """Whether what is said is read by people, as far as can be known, and so shall be a table."""
    return sys.stdout is not None and sys.stdout.isatty()


def say_fields(fields: Sequence[str]) -> None:
    """A row of a table for a program: one line, a tab between its fields, none of which holds one."""
    say("\t".join(" ".join(each.split()) for each in fields))


def say_json(value: Any) -> None:
    """A value as ASCII JSON, indented, to standard output."""
    say(json.dumps(value, indent=2))


def note(text: str) -> None:
    """One line to standard error, for whoever sits there; it never makes a command fail."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def plural(count: int, word: str) -> str:
    """`1 problem`, `2 problems`."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def failed(error: BlikkError, *, as_json: bool) -> int:
    """Print what went wrong, as JSON on standard output or in words on standard error; the exit status."""
    status = exits.FAILED
    if isinstance(error, UsageError):
        status = exits.USAGE
    elif isinstance(error, ConfigError):
        status = exits.MISCONFIGURED
    if as_json:
        with contextlib.suppress(OSError, OutputError):
            say(json.dumps(error_content(error, status)))
        return status
    # a list of problems stands for itself
    note(str(error) if _problems(error) else f"blikk: {error}")
    return status


def error_content(error: BlikkError, status: int) -> dict[str, Any]:
    """An error as `--json` prints it: docs/guide/command-line.md."""
    kind = next((word for of, word in _KINDS.items() if isinstance(error, of)), "failure")
    content: dict[str, Any] = {"ok": False, "kind": kind, "error": str(error), "exit": status}
    if problems := _problems(error):
        content["problems"] = [problem_content(problem) for problem in problems]
    return content


def _problems(error: BlikkError) -> "Sequence[Problem]":
    """What is wrong with a configuration, where that is the error."""
    if not isinstance(error, ConfigError):
        return ()
    from blikk_edge.grammar.problem import ConfigErrors  # who raises one has imported it

    return error.problems if isinstance(error, ConfigErrors) else ()


def problem_content(problem: "Problem") -> dict[str, Any]:
    """A problem of a configuration; `line` 0 is the file as a whole."""
    return {**asdict(problem), "file": str(problem.file)}


def _silence() -> None:
    """Python writes what is left at its end, and would complain once more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
