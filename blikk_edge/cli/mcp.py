"""`blikk mcp`: a server of the Model Context Protocol for agents."""

import argparse
import os
import secrets
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.cli import exits
from blikk_edge.cli.output import UsageError, note
from blikk_edge.cli.words import add_command, add_config
from blikk_edge.core.errors import ConfigError
from blikk_edge.core.installing import pip_install

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from blikk_edge.agents.node_stream import NodeStream

NODE: Final = "BLIKK_NODE"
TOKEN: Final = "BLIKK_MCP_TOKEN"  # noqa: S105 - the name of a variable

PORT: Final = 8432


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "mcp",
        summary="serve what cameras see to agents, by the Model Context Protocol",
        more="It only reads: who is there, who came, questions about the past. The node is that of the configuration,\n"
        f"or the one that the variable {NODE} names (mqtt://user:password@broker/node), reached over its broker; one\n"
        "without a broker, on this machine, can only be asked about the past;\n"
        "with --source the command watches one camera itself. Without --http it serves one client on standard\n"
        f"input and output. With it, on 127.0.0.1, clients show a token: that of the variable {TOKEN}, or one that\n"
        "is made and written to standard error. Secrets are no arguments: every user of the machine could read them.",
        examples=(
            "blikk mcp --config /etc/blikk/blikk.yaml",
            "blikk mcp --source rtsp://192.168.1.20/stream2 --pictures",
            f"{NODE}=mqtt://broker.local/hallway blikk mcp --http",
        ),
    )
    add_config(parser, meaning="the configuration whose node is asked")
    parser.add_argument(
        "--source", metavar="ADDRESS", help="watch this camera: rtsp://, http(s)://, /dev/video0, a file"
    )
    parser.add_argument("--pictures", action="store_true", help="a tool that shows redacted pictures of at most 512 px")
    parser.add_argument(
        "--http",
        type=int,
        nargs="?",
        const=PORT,
        metavar="PORT",
        help=f"serve over HTTP on 127.0.0.1 (port {PORT} without one; 0: any that is free)",
    )
    parser.set_defaults(command=mcp)


def mcp(options: argparse.Namespace) -> int:
    """Serve until the client leaves, or until stopped."""
    if options.http is not None and not 0 <= options.http <= 65535:
        raise UsageError(f"--http {options.http}: a port is a number from 0 to 65535")
    if find_spec("mcp") is None:
        raise ConfigError(f"`blikk mcp` needs another package: {pip_install('blikk-edge[mcp]')}")
    from blikk_edge.runtime import log

    log.set_up("warning")
    stream = _stream(options)
    # large libraries, which a wrong command line need not wait for
    from blikk_edge.agents.local import smaller
    from blikk_edge.agents.mcp_server import BlikkServer
    from blikk_edge.agents.mcp_serving import serve_http, serve_stdio
    from blikk_edge.cli.services import serve

    token = os.environ.get(TOKEN, "").strip()

    async def run(stop: "asyncio.Event") -> None:
        async with stream:
            server = BlikkServer(stream, pictures=smaller if options.pictures else None)
            if options.http is None:
                await serve_stdio(server, stop)
                return
            shown = token or secrets.token_urlsafe(24)

            def ready(port: int) -> None:
                note(f"blikk: serving on http://127.0.0.1:{port}/mcp{'' if token else f', token {shown}'}")

            await serve_http(server, stop, port=options.http, token=shown, ready=ready)

    serve(run)
    return exits.OK


def _stream(options: argparse.Namespace) -> "NodeStream":
    from blikk_edge.agents.stream import Stream

    node = os.environ.get(NODE, "").strip()
    if options.source and options.config:
        raise UsageError("--source and --config: name one of them")
    if options.source:
        return Stream(options.source, realtime=True)
    if node and options.config is None:
        if node.lower().startswith(("ws://", "wss://")):
            raise ConfigError(
                f"{NODE}: a node answers no questions at its WebSocket; write mqtt://user:password@broker/node"
            )
        return Stream.connect(node)
    from blikk_edge import config
    from blikk_edge.agents.node_stream import NodeStream
    from blikk_edge.agents.remote import RemoteNode
    from blikk_edge.agents.socket_node import SocketNode
    from blikk_edge.app.identity import broker_address, camera_info, store_path, topics_of
    from blikk_edge.inputs.local_ask import socket_of

    settings = config.load(_configuration(options.config), environ=os.environ)
    if settings.mqtt is None:
        path = socket_of(store_path(settings, os.environ))
        local = SocketNode(path, [camera_info(camera) for camera in settings.cameras])
        return NodeStream(local, camera=None, sinks=())
    return NodeStream(RemoteNode(broker_address(settings.mqtt), topics_of(settings)), camera=None, sinks=())


def _configuration(named: "Path | None") -> "Path":
    from blikk_edge import config
    from blikk_edge.grammar.problem import ConfigErrors

    try:
        return config.find(named, os.environ)
    except ConfigErrors as errors:
        more = f"Or name a node by the variable {NODE}, or a camera by `--source`."
        raise ConfigErrors([replace(each, mend=f"{each.mend} {more}") for each in errors.problems]) from None
