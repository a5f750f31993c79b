"""The process around a local model as its parent sees it: whether it is ready, how it ended, what it said last."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from blikk_edge.core.errors import LlmError, quote
from blikk_edge.llm.llama_child import Order
from blikk_edge.llm.port import AwayError, RefusedError

TAIL_BYTES: Final = 4000
REPORT_BYTES: Final = 10_000
END_S: Final = 5.0
LAST_WORDS_S: Final = 5.0
"""So long a process that cannot load its model has to end: llama.cpp's log is whole only then."""

HEALTH_BYTES: Final = 1000

_CHILD: Final = "blikk_edge.llm.llama_child"
_HOME: Final = Path(__file__).parents[2]
_WHY: Final = re.compile(r"error loading model: (.+)")
_HINTS: Final = {
    signal.SIGKILL: "; the machine may have run out of memory: take a smaller model or a smaller context",
    signal.SIGILL: "; this processor lacks what the llama package was built for: build llama-cpp-python for it",
}


class LlamaProcess:
    """A process that serves `order`. Made within a running event loop, which it is watched by; no thread, no task.

    `ready` gives its address, or the LlmError why there is none; `ended` is done when it is gone.
    """

    def __init__(self, order: Order, *, who: str) -> None:
        self.key = order.key
        self._who = who
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[str] = self._loop.create_future()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._said = bytearray()
        self._report = bytearray()
        self._refusal: str | None = None
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
                [sys.executable, "-m", _CHILD],
                # -m looks in the working directory first: nobody else's files belong there
                cwd=_HOME,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                # Ctrl-C is for us; it is ended when we end
                start_new_session=True,
            )
            assert self._process.stdin is not None
            with suppress(BrokenPipeError):  # it has ended; why is read with its last words
                self._process.stdin.write(order.line())
        except OSError as error:
            raise AwayError(f"{who}: its process cannot be started: {error.strerror}") from error
        self._watch(self._process.stdout, self._reported)
        self._watch(self._process.stderr, self._complained)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def healthy(self, url: str) -> bool:
        """Whether it answers a simple question; the caller sets the limit."""
        host, _, port = url.removeprefix("http://").partition("/")[0].rpartition(":")
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        try:
            lines = ["GET /v1/models HTTP/1.0", f"Host: {host}:{port}", f"Authorization: Bearer {self.key}", "", ""]
            writer.write("\r\n".join(lines).encode())
            return b" 200 " in await reader.readline()
        except (OSError, ValueError):
            return False
        finally:
            writer.transport.abort()

    def end(self) -> str:
        """How it ended, and what it said last."""
        code = self._process.poll()
        said = self._last_words()
        if code is None or code >= 0:
            return f"exit code {code}" + (f" ({said})" if said else "")
        number = signal.Signals(-code)
        return f"killed by {number.name}" + (f" ({said})" if said else "") + _HINTS.get(number, "")

    async def kill(self) -> None:
        """End it; returns when it is gone, at the latest after END_S."""
        self._process.kill()
        await asyncio.wait((self.ended,), timeout=END_S)
        self._release()

    def _watch(self, pipe: IO[bytes] | None, take: Callable[[bytes], None]) -> None:
        assert pipe is not None
        os.set_blocking(pipe.fileno(), False)
        self._loop.add_reader(pipe.fileno(), self._read, pipe, take)

    def _read(self, pipe: IO[bytes], take: Callable[[bytes], None]) -> None:
        try:
            data = os.read(pipe.fileno(), 65_536)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(pipe.fileno())
        take(data)

    def _complained(self, data: bytes) -> None:
        self._said += data
        del self._said[:-TAIL_BYTES]

    def _reported(self, data: bytes) -> None:
        if not data:
            self._gone()
        elif not self.ready.done() and self._refusal is None:
            self._report += data
            line, found, _ = self._report.partition(b"\n")
            if found or len(self._report) > REPORT_BYTES:
                self._settle(bytes(line))

    def _settle(self, line: bytes) -> None:
        try:
            report = json.loads(line)
            url, failed = report.get("url"), report.get("failed")
        except (ValueError, AttributeError):
            url, failed = None, "its process made no sense"
        if isinstance(url, str) and url.startswith("http://127.0.0.1:"):
            self.ready.set_result(url)
        else:
            self._refusal = quote(str(failed))
            self._loop.call_later(LAST_WORDS_S, self._refuse)

    def _refuse(self) -> None:
        """Say why it cannot load its model, if it has reported that."""
        if self._refusal is not None and not self.ready.done():
            said = self._last_words() or self._refusal
            self._fail(RefusedError(f"{self._who}: llama.cpp cannot load it: {said}"))

    def _gone(self) -> None:
        """Its output is closed, which it does by ending."""
        try:
            self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=1.0)
        self._refuse()
        if not self.ready.done():
            self._fail(AwayError(f"{self._who}: its process ended while it loaded: {self.end()}"))
        if not self.ended.done():
            self.ended.set_result(None)

    def _last_words(self) -> str:
        stderr = self._process.stderr
        if stderr is not None and not stderr.closed:
            self._read(stderr, self._complained)
        return why(self._said.decode("utf-8", "replace"))

    def _fail(self, error: LlmError) -> None:
        self.ready.set_exception(error)
        self.ready.exception()  # a caller may be gone

    def _release(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            if not pipe.closed:
                self._loop.remove_reader(pipe.fileno())
                pipe.close()
        self._process.poll()


def why(said: str) -> str:
    """The line of a server's log that says why it could not go on; its last line where none does, empty for none."""
    found = _WHY.search(said)
    lines = [found[1]] if found else [line for line in said.splitlines() if line.strip()]
    return quote(lines[-1]) if lines else ""
