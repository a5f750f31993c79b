"""`blikk service`: the node as a service of systemd."""

import argparse
import grp
import os
import pwd
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any, Final

from blikk_edge.cli import exits
from blikk_edge.cli.output import OutputError, UsageError, say, say_json
from blikk_edge.cli.words import add_command, add_config, add_json

UNIT: Final = "blikk-edge.service"
SYSTEM_FOLDER: Final = Path("/etc/systemd/system")
RUNNING: Final = Path("/run/systemd/system")
"""Is there where systemd runs."""

GROUPS: Final = ("video", "gpio")
_HOMES: Final = (Path("/home"), Path("/root"))
_ONLY: Final = re.compile(r"\((?P<shape>\w+)\) (?P<line>.*)")


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "service",
        summary="install the node as a service of systemd, or remove it",
        more="The service has no privilege, and may write to its own folders alone. Where program and configuration\n"
        "lie outside home folders it runs as a user of its own, which systemd makes up (DynamicUser); else as whoever\n"
        "called sudo. With --user it belongs to this user's systemd, without root and with fewer walls.",
        examples=(
            "sudo blikk service install --config /etc/blikk/blikk.yaml",
            "blikk service install --user",
            "blikk service install --print",
            "sudo blikk service remove",
        ),
    )
    parser.add_argument("action", choices=("install", "remove"), metavar="ACTION", help="`install` or `remove`")
    add_config(parser, meaning="the configuration it runs with")
    parser.add_argument("--user", action="store_true", help="a service of this user, not of the system")
    parser.add_argument("--print", action="store_true", help="print the unit, and do nothing else")
    add_json(parser, "what was done")
    parser.set_defaults(command=service)


def service(options: argparse.Namespace) -> int:
    """Install or remove it."""
    path = (_user_folder() if options.user else SYSTEM_FOLDER) / UNIT
    if options.action == "remove":
        return _remove(path, options)
    from blikk_edge import config

    settings_file = config.find(options.config, os.environ).absolute()
    if options.print:
        say(unit(settings_file, user=options.user).rstrip("\n"))
        return exits.OK
    config.load(settings_file, environ=os.environ)
    text = unit(settings_file, user=options.user)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        mend = "" if options.user else "; call it with sudo, or with --user"
        raise OutputError(f"{path} cannot be written: {error.strerror}{mend}") from error
    started = RUNNING.is_dir()
    if started:
        _systemctl(options.user, "daemon-reload")
        _systemctl(options.user, "enable", UNIT)
        _systemctl(options.user, "restart", "--no-block", UNIT)
    return _done(options, path, started, "installed" + ("" if started else "; systemd does not run here"))


def unit(config: Path, *, user: bool, blikk: Path | None = None) -> str:
    """The text of the unit that runs with this configuration.

    Its shape is `user`, or of the system `dynamic` or, where program or configuration lie in a home folder, `account`.
    Raises UsageError where a path cannot stand in a unit, or root would be the user.
    """
    from blikk_edge.config.yaml_lines import SECRETS

    program = blikk or _program()
    needed = (config, program) if blikk else (config, program, Path(sys.executable).resolve())
    for path in (config, program):
        if re.search(r'[\s"\'\\%$]', str(path)):
            raise UsageError(f"{path}: a space or a special character in a path, which a unit cannot hold; move it")
    if user:
        shapes = {"user"}
    elif at_home := [path for path in needed if any(path.is_relative_to(home) for home in _HOMES)]:
        shapes = {"system", "account"}
        if _account() == "root":
            where = "call it with sudo as its owner, or move it to /opt or /etc"
            raise UsageError(f"{at_home[0]} is in a home folder, and the node would run as root; {where}")
    else:
        shapes = {"system", "dynamic"}
    secrets = config.with_name(SECRETS)
    groups = " ".join(name for name in GROUPS if _is_group(name))
    if "dynamic" in shapes and secrets.exists():
        shapes.add("secrets")
    if "system" in shapes and groups:
        shapes.add("groups")
    lines = []
    for line in resources.files("blikk_edge.cli").joinpath(UNIT).read_text(encoding="utf-8").splitlines():
        only = _ONLY.fullmatch(line)
        if only is None or only["shape"] in shapes:
            lines.append(only["line"] if only else line)
    values = {
        "@BLIKK@": str(program), "@CONFIG@": str(config), "@CONFIG_NAME@": config.name, "@SECRETS@": str(secrets),
        "@USER@": _account(), "@GROUPS@": groups,
    }  # fmt: skip
    return re.sub(r"@[A-Z_]+@", lambda found: values[found[0]], "\n".join(lines) + "\n")


def _remove(path: Path, options: argparse.Namespace) -> int:
    if not path.exists():
        raise OutputError(
            f"there is no {path}{'' if options.user else '; a service of this user is removed by --user'}"
        )
    if RUNNING.is_dir():
        _systemctl(options.user, "disable", "--now", UNIT)
    try:
        path.unlink()
    except OSError as error:
        raise OutputError(f"{path} cannot be removed: {error.strerror}; call it with sudo") from error
    if RUNNING.is_dir():
        _systemctl(options.user, "daemon-reload")
    return _done(options, path, False, "removed; its store and pictures stay")


def _done(options: argparse.Namespace, path: Path, started: bool, words: str) -> int:
    if options.json:
        say_json({"ok": True, "file": str(path), "started": started, "exit": exits.OK})
    else:
        say(f"{path}: {words}")
        if started:
            # what a user that systemd makes up writes below /run, only root may read
            status, health = ("systemctl --user", "") if options.user else ("systemctl", "sudo ")
            say(f"See how it does: `{status} status blikk-edge`, and `{health}blikk health`.")
    return exits.OK


def _systemctl(user: bool, *arguments: str) -> None:
    command = ["systemctl", *(["--user"] if user else []), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    except OSError as error:
        raise OutputError(f"systemctl cannot be started: {error.strerror}") from error
    if done.returncode:
        raise OutputError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")


def _program() -> Path:
    """The command of the environment that runs."""
    beside = Path(sys.executable).with_name("blikk")
    return beside if beside.exists() else Path(sys.argv[0]).absolute()


def _user_folder() -> Path:
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (base if base.is_absolute() else Path("~/.config").expanduser()) / "systemd" / "user"


def _account() -> str:
    """Who called, before sudo."""
    caller = os.environ.get("SUDO_UID", "")
    return pwd.getpwuid(int(caller) if caller.isdecimal() else os.getuid()).pw_name


def _is_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True
