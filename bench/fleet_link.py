"""A link that can be cut: TCP ports in front of servers, which let nothing through while it is, and close nothing."""

import asyncio
import contextlib
import threading
from collections.abc import Sequence

from rig import ROOT  # it names the folder of the tests

from ports import free_port  # isort: skip

assert ROOT
CHUNK = 65536


class CutLink:
    """A port in front of each of `targets`. While `cut`, connections stay open and new ones are taken, and silent."""

    def __init__(self, targets: Sequence[int]) -> None:
        self._targets = tuple(targets)
        self.ports = [free_port() for _ in targets]
        self._loop = asyncio.new_event_loop()
        self._whole = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "CutLink":
        self._ready = threading.Event()
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._whole.clear)

    def heal(self) -> None:
        self._loop.call_soon_threadsafe(self._whole.set)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())
        self._ready.set()
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))

    async def _open(self) -> None:
        self._whole.set()
        for port, target in zip(self.ports, self._targets, strict=True):

            async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int = target) -> None:
                await self._whole.wait()
                with contextlib.suppress(OSError):
                    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
                    await asyncio.wait(
                        [
                            asyncio.ensure_future(self._pass(reader, far_writer)),
                            asyncio.ensure_future(self._pass(far_reader, writer)),
                        ],
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    far_writer.close()
                writer.close()

            await asyncio.start_server(taken, "127.0.0.1", port)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
