"""The parser: help with examples, and errors that say what was meant."""

import argparse
import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

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
            text = f"{found['words']!r} is not understood{self._meant_config(word) or self._meant_option(word)}"
        raise UsageError(f"{text}\nSee `{self.prog} --help`.")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As in argparse, except that a command names its own unknown options: they are like its own."""
        options, rest = super().parse_known_args(args, namespace)
        # argparse ends a list of names at the first option; what follows it belongs to the list all the same
        for names in (action.dest for action in self._actions if action.nargs == "*"):
            setattr(options, names, [*getattr(options, names), *(word for word in rest if not word.startswith("-"))])
            rest = [word for word in rest if word.startswith("-")]
        if rest and self.get_default("command") is not None:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return options, rest

    def _meant_config(self, word: str) -> str:
        """`; did you mean '--config hall.yaml'?` of a command that wants it so."""
        known = {name for action in self._actions for name in action.option_strings or (action.dest,)}
        wanted = "--config" in known and "file" not in known and word.endswith((".yaml", ".yml"))
        return f"; did you mean '--config {word}'?" if wanted else ""

    def _meant_option(self, word: str) -> str:
        """`; did you mean '--json'?`, or nothing: the dashes, which all options share, say nothing."""
        known = {name.lstrip("-"): name for action in self._actions for name in action.option_strings}
        near = difflib.get_close_matches(word.lstrip("-").lower(), known, n=1, cutoff=0.5)
        return f"; did you mean {known[near[0]]!r}?" if near else ""


def meant(word: str, known: Sequence[str]) -> str:
    """`; did you mean 'check'?`, or all that is known."""
    if near := difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.5):
        return f"; did you mean {near[0]!r}?"
    return f"; there is {', '.join(known)}"


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


CONFIG_DEFAULT: Final = "$BLIKK_CONFIG, else blikk.yaml, else /etc/blikk/blikk.yaml"
"""What `config.find` does, without the time that it takes to import it."""


def add_config(parser: argparse.ArgumentParser, *, meaning: str, searched: bool = True) -> None:
    """`--config FILE`; where it is `searched`, None stands for the file that `config.find` gives."""
    help_text = f"{meaning} (default: {CONFIG_DEFAULT})" if searched else meaning
    parser.add_argument("--config", type=Path, metavar="FILE", help=help_text)


def add_log(parser: argparse.ArgumentParser) -> None:
    """`--log-level LEVEL` and `--log-json`."""
    parser.add_argument(
        "--log-level",
        default="info",
        choices=("debug", "info", "warning", "error"),
        help="what goes to standard error: debug, info, warning or error (default: info)",
        metavar="LEVEL",
    )
    parser.add_argument(
        "--log-json", action="store_true", help="each line of the log is a JSON object, with site, node and camera"
    )


def add_json(parser: Any, meaning: str) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help=f"{meaning}, as JSON; errors too")
