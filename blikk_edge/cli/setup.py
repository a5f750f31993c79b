"""`blikk setup`: a page on which a node without a configuration is set up."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from blikk_edge.cli import exits
from blikk_edge.cli.output import OutputError, UsageError, note, say
from blikk_edge.cli.words import add_command
from blikk_edge.core.loopback import is_loopback

PORT: Final = 8428


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "setup",
        summary="set up a node without a configuration, on a page",
        more="Serves one page until that is done, then runs the node with what was written. It prints the code that\n"
        "the page asks for. Without --host only this machine is answered. Without --certificate passwords that are\n"
        "typed in from another machine can be read by whoever listens on the network in between.",
        examples=("blikk setup", "blikk setup --host 0.0.0.0 --output /etc/blikk/blikk.yaml"),
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        default=Path("blikk.yaml"),
        help="where the configuration is written (default: blikk.yaml)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="HOST", help="where the page is served (default: 127.0.0.1)"
    )
    parser.add_argument("--port", type=int, default=PORT, metavar="PORT", help=f"its port (default: {PORT})")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="a PEM file, for TLS")
    parser.add_argument("--key", type=Path, metavar="FILE", help="its private key")
    parser.add_argument(
        "--code-file",
        type=Path,
        metavar="FILE",
        help="where the code is written too; one that stands there is the first",
    )
    parser.add_argument("--no-run", action="store_true", help="end when the configuration is written")
    parser.set_defaults(command=setup)


def setup(options: argparse.Namespace) -> int:
    """Serve the page, and become the node."""
    path: Path = options.output
    if path.exists():
        raise OutputError(f"{path} is there already; `blikk check {path}` says whether it is right")
    if (options.certificate is None) != (options.key is None):
        raise UsageError("--certificate and --key belong together")
    # large libraries, which a wrong command line need not wait for
    import asyncio

    from blikk_edge.app.setting_up import SettingUp
    from blikk_edge.cli import stopping
    from blikk_edge.cli.services import serve
    from blikk_edge.core.clock import SystemClock
    from blikk_edge.net.http.server import HttpServer
    from blikk_edge.runtime import log
    from blikk_edge.web.setup import SetupPages
    from blikk_edge.web.setup_code import SetupCode

    log.set_up("warning")
    clock = SystemClock()
    work = SettingUp(
        path,
        environ=os.environ,
        host=options.host,
        port=options.port,
        certificate=options.certificate,
        key=options.key,
    )
    scheme = "https" if options.certificate else "http"
    place = _place(options.host)
    code = SetupCode(
        clock,
        _teller(f"{scheme}://{place}:{options.port}/", options.code_file),
        _kept(options.code_file),
        warn=note,
    )
    if warning := _in_the_clear(options.host, options.certificate):
        note(warning)
    done = asyncio.Event()

    async def run(stop: "asyncio.Event") -> None:
        pages = SetupPages(work, code, clock=clock, done=done.set)
        server = HttpServer(
            [pages],
            pages.access,
            clock=clock,
            host=options.host,
            port=options.port,
            certificate=options.certificate,
            key=options.key,
            in_the_clear=options.certificate is None,
        )
        await _first_of(server.run, stop.wait, done.wait)

    try:
        serve(run)
    finally:
        if options.code_file is not None:
            options.code_file.unlink(missing_ok=True)
    if not done.is_set():
        return exits.OK
    say(f"{path} is written. Set-up is over.")
    if not options.no_run:
        stopping.start_again(["run", "--config", str(path)])
    return exits.OK


async def _first_of(*calls: Callable[[], Any]) -> None:
    """Until one of them ends; raises what it raised."""
    import asyncio

    tasks = [asyncio.ensure_future(call()) for call in calls]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _in_the_clear(host: str, certificate: Path | None) -> str:
    """What is to be said where others could read what is typed in; empty where they cannot."""
    if certificate is not None or is_loopback(host):
        return ""
    return (
        "Without --certificate what is typed in is not encrypted on its way: whoever listens on the network can read "
        "passwords and the code."
    )


def _place(host: str) -> str:
    """How the machine is called where it serves."""
    import socket

    if host in {"0.0.0.0", "::"}:  # noqa: S104  # compared, not opened
        return f"{socket.gethostname().partition('.')[0]}.local"
    return f"[{host}]" if ":" in host else host


def _teller(address: str, file: Path | None) -> Callable[[str], None]:
    def tell(code: str) -> None:
        say(f"Set up Blikk Edge: open {address} and enter this code: {code}")
        say("It is valid for an hour.")
        if file is not None:
            from blikk_edge.config.writing import write_new

            write_new(file, f"{code}\n", 0o600)

    return tell


def _kept(file: Path | None) -> str:
    """The code that a file holds; empty where there is none that could be one of ours."""
    from blikk_edge.web.setup_code import LENGTH, LETTERS, read_code

    if file is None:
        return ""
    try:
        code = read_code(file.read_text(encoding="utf-8")[:100])
    except (OSError, ValueError):
        return ""
    return code if len(code) == LENGTH and set(code) <= set(LETTERS) else ""
