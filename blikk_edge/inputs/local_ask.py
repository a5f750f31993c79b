"""Requests from this machine: a socket beside the store, by which `blikk ask` reaches a node without a broker."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Final

from blikk_edge.core.errors import BlikkError, SinkError
from blikk_edge.core.inquiry import WAITING_MAX, Answerer, Reply, Request, refusal
from blikk_edge.core.locale import LocaleNow
from blikk_edge.store.private_files import make_folder
from blikk_edge.wire.inquiries import (
    MAX_PAYLOAD_BYTES,
    MAX_REPLY_BYTES,
    read_content,
    read_request,
    reply_content,
    write_request,
)
from blikk_edge.wire.values import JsonObject, json_bytes

LOG = logging.getLogger("blikk.ask")

PATIENCE_S: Final = 50.0
"""For the answer to a question: a little longer than a node works on one."""

REQUEST_S: Final = 2.0
"""For a request to arrive."""

_PATH_BYTES: Final = 107
"""A longer path is no address of a socket on Linux."""


def socket_of(store: Path) -> Path:
    """Where the node that has this store listens."""
    return store.with_name(f"{store.name}.ask")


class LocalAsk:
    """Answers requests on the socket at `path`, one line of JSON each, as on MQTT; for this user alone.

    At most `WAITING_MAX` at once; others are refused.
    """

    name = "ask"

    def __init__(self, path: Path, ask: Answerer, *, cameras: Collection[str], locale: LocaleNow) -> None:
        self._path = path
        self._ask = ask
        self._cameras = frozenset(cameras)
        self._locale = locale
        self._working = 0

    async def run(self) -> None:
        """Answer until cancelled. Raises SinkError where the socket cannot be made."""
        if len(bytes(self._path)) > _PATH_BYTES:
            raise SinkError(f"{self._path}: too long for a socket, `blikk ask` cannot ask; name a shorter store.path")
        if await _is_served(self._path):
            raise SinkError(f"{self._path}: another node answers there; is a second blikk running?")
        try:
            make_folder(self._path.parent)
            self._path.unlink(missing_ok=True)  # of a node that was killed
            server = await asyncio.start_unix_server(self._serve, self._path, limit=MAX_PAYLOAD_BYTES + 1)
            self._path.chmod(0o600)
        except OSError as error:
            raise SinkError(f"{self._path}: no socket can be made there: {error.strerror}") from error
        try:
            async with server:
                await server.serve_forever()
        finally:
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._working += 1
        try:
            with contextlib.suppress(OSError):
                writer.write(json_bytes(reply_content(await self._reply(reader))) + b"\n")
                await writer.drain()
        finally:
            self._working -= 1
            writer.close()

    async def _reply(self, reader: asyncio.StreamReader) -> Reply:
        try:
            async with asyncio.timeout(REQUEST_S):
                line = await reader.readline()
            if self._working > WAITING_MAX:
                return refusal(f"{WAITING_MAX} requests wait already; try again in a moment")
            return await self._ask(read_request(read_content(line), self._cameras, self._locale().timezone))
        except TimeoutError:
            return refusal("no request came")
        except ValueError:
            return refusal(f"more bytes than a request needs ({MAX_PAYLOAD_BYTES})")
        except BlikkError as error:
            return refusal(error)
        except Exception as error:
            LOG.exception("a request was not answered because of a bug")
            return refusal(f"this node stumbled over the request ({type(error).__name__}), which is a bug; see its log")


async def _is_served(path: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.close()
    return True


async def ask_here(path: Path, request: Request, *, patience_s: float = PATIENCE_S) -> JsonObject:
    """The reply of the node that listens at `path`, as in the contract.

    Raises SinkError where nobody listens there, nothing comes in time, or no reply.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=2 * MAX_REPLY_BYTES)
    except OSError as error:
        raise SinkError(f"{path}: no node listens there ({error.strerror}); is it running?") from error
    try:
        async with asyncio.timeout(patience_s):
            writer.write(write_request(request) + b"\n")
            await writer.drain()
            content = json.loads(await reader.readline())
    except TimeoutError:
        raise SinkError(f"{path}: no answer within {patience_s:.0f} s; see the log of the node") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SinkError(f"{path}: the node gave no answer ({error}); see its log") from error
    finally:
        writer.close()
    if not isinstance(content, dict):
        raise SinkError(f"{path}: this is no reply")
    return content
