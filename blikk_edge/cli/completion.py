"""`blikk completion`: what a shell needs to complete our commands, options, files, cameras and models."""

import argparse
import os
from collections.abc import Iterator
from typing import Any

from blikk_edge.cli import exits
from blikk_edge.cli.output import say
from blikk_edge.cli.words import add_command

SHELLS = ("bash", "zsh", "fish")


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "completion",
        summary="print what makes a shell complete this command",
        more='bash: put  eval "$(blikk completion bash)"  into ~/.bashrc\n'
        'zsh:  put  eval "$(blikk completion zsh)"  into ~/.zshrc, below compinit\n'
        "fish: blikk completion fish > ~/.config/fish/completions/blikk.fish",
        examples=tuple(f"blikk completion {shell}" for shell in SHELLS),
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")
    parser.set_defaults(command=completion)


def completion(options: argparse.Namespace) -> int:
    """Print the script."""
    from argcomplete.shell_integration import shellcode

    # zsh's own way is written by argcomplete into the script of bash
    shell = "fish" if options.shell == "fish" else "bash"
    say(shellcode(["blikk"], shell=shell))
    return exits.OK


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell that asks through the environment, and end the process."""
    from argcomplete import autocomplete
    from argcomplete.completers import DirectoriesCompleter, FilesCompleter, SuppressCompleter

    # each part of the parser shares these by the name of the argument
    completers: dict[str, Any] = {
        "config": FilesCompleter(("yaml", "yml")),
        "file": FilesCompleter(("yaml", "yml")),
        "folder": DirectoriesCompleter(),
        "pictures": DirectoriesCompleter(),
        "camera": _cameras,
        "names": _models,
        "log_level": lambda **_: ("debug", "info", "warning", "error"),
        "question": SuppressCompleter(),
        "node": SuppressCompleter(),
    }
    for action in actions(parser):
        if completer := completers.get(action.dest):
            action.completer = completer  # type: ignore[attr-defined] # argcomplete's way
    autocomplete(parser)


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of a parser and of the commands below it."""
    for action in parser._actions:  # noqa: SLF001 - argparse lists them nowhere else
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for below in action.choices.values():
                yield from actions(below)
        else:
            yield action


def _cameras(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    from blikk_edge import config
    from blikk_edge.core.errors import ConfigError

    try:
        settings = config.load(config.find(parsed_args.config, os.environ), environ=os.environ)
    except ConfigError:
        return []
    return [camera.id for camera in settings.cameras]


def _models(**_: object) -> list[str]:
    from blikk_edge.transforms.models.registry import REGISTRY

    return list(REGISTRY)
