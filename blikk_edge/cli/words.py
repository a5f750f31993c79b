"""The parser: help with examples, and errors that say what was meant."""

import argparse
import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from blikk_edge.cli.output import UsageError

_CHOICE = re.compile(
    r"""(?P<what>.*)invalid choice: (?P<quote>['"])(?P<word>.*)(?P=quote) \(choose from (?P<known>.*)\)""", re.DOTALL
)
_UNKNOWN = re.compile(r"unrecognized arguments: (?P<words>.*)", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are UsageErrors with the nearest word that is known."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**options)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        text = message
        if found := _CHOICE.fullmatch(message):
            known = re.sub(r"['\s]", "", found["known"]).split(",")
            what = "command" if "COMMAND" in found["what"] else found["what"].replace("argument ", "").rstrip(": ")
            text = f"there is no {what} {found['word']!r}{meant(found['word'], known)}"
        elif found := _UNKNOWN.fullmatch(message):
            word = (found["words"].split() or [""])[0].partition("=")[0]
            text = f"{found['words']!r} is not understood{meant(word, tuple(self._known_options()), all_known=False)}"
        raise UsageError(f"{text}\nSee `{self.prog} --help`.")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As in argparse, except that a command names its own unknown options: they are like its own."""
        options, rest = super().parse_known_args(args, namespace)
        if rest and self.get_default("command") is not None:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return options, rest

    def _known_options(self) -> Iterator[str]:
        for action in self._actions:
            yield from action.option_strings


def meant(word: str, known: Sequence[str], *, all_known: bool = True) -> str:
    """`; did you mean 'check'?`, or all that is known, or nothing."""
    if near := difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.5):
        return f"; did you mean {near[0]!r}?"
    return f"; there is {', '.join(known)}" if all_known else ""


def add_command(commands: Any, name: str, *, summary: str, more: str = "", examples: Sequence[str]) -> Parser:
    """The parser of one command, with its help; `examples` are whole command lines."""
    shown = "\n".join(f"  {example}" for example in examples)
    first = summary[0].upper() + summary[1:] + "."
    made: Parser = commands.add_parser(
        name,
        help=summary,
        description=f"{first}\n\n{more}".strip(),
        epilog=f"examples:\n{shown}",
    )
    return made


def add_config(parser: argparse.ArgumentParser, *, meaning: str, default: Path | None = Path("blikk.yaml")) -> None:
    """`--config FILE`."""
    help_text = f"{meaning} (default: {default})" if default else meaning
    parser.add_argument("--config", type=Path, metavar="FILE", default=default, help=help_text)


def add_json(parser: Any, meaning: str) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help=f"{meaning}, as JSON; errors too")
