"""A package index on loopback, with wheels made on the fly; pip is led there by its own variables."""

import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from blikk_edge.transforms.models.registry import Wheel


def pip_at(port: int) -> dict[str, str]:
    """What leads pip to this port of loopback alone, whatever this machine's pip is set up for."""
    return {
        "PIP_INDEX_URL": f"http://127.0.0.1:{port}/simple",
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_FIND_LINKS": "",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_NO_INDEX": "0",
        "no_proxy": "127.0.0.1",
    }


@dataclass
class PackageIndex:
    """Serves what `add` put into `folder`, as the simple API of PEP 503 with relative links.

    With `hold` only the first half of a wheel is sent, and the connection stays open until it is set.
    """

    folder: Path
    asked: list[str] = field(default_factory=list)
    hold: threading.Event | None = None

    def __enter__(self) -> Self:
        index = self

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                index.asked.append(self.path)

            def copyfile(self, source, outputfile) -> None:
                content = source.read()
                if index.hold is None or not self.path.endswith(".whl"):
                    outputfile.write(content)
                    return
                outputfile.write(content[: len(content) // 2])
                outputfile.flush()
                index.hold.wait(30)  # who waited for the rest is gone

        handler = partial(Handler, directory=str(self.folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self.hold is not None:
            self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def environ(self) -> Mapping[str, str]:
        """What leads pip here and nowhere else, whatever this machine's pip is set up for."""
        return pip_at(self._server.server_port)

    def add(self, wheel: Wheel, content: bytes, *, member: str | None = None) -> Path:
        """A wheel with this file in the member's place, or under another name."""
        name = wheel.distribution.replace("-", "_")
        python = wheel.python.replace(".", "")
        tags = "py3-none-any" if wheel.platform == "any" else f"cp{python}-cp{python}-{wheel.platform}"
        page = self.folder / "simple" / wheel.distribution
        page.mkdir(parents=True, exist_ok=True)
        path = page / f"{name}-{wheel.version}-{tags}.whl"
        described = f"{name}-{wheel.version}.dist-info"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member or wheel.member, content)
            archive.writestr(
                f"{described}/METADATA",
                f"Metadata-Version: 2.1\nName: {wheel.distribution}\nVersion: {wheel.version}\n",
            )
            archive.writestr(f"{described}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tags}\n")
            archive.writestr(f"{described}/RECORD", "")
        (page / "index.html").write_text(f'<!DOCTYPE html><a href="{path.name}">{path.name}</a>')
        return path
