"""The OpenAPI document of a node that serves all there is: `contract/openapi.json`."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from blikk_edge import __version__, config
from blikk_edge.app.wiring import build
from blikk_edge.config.reference import written
from blikk_edge.core.clock import SystemClock
from blikk_edge.net.http.openapi import document
from blikk_edge.wire.values import JsonObject

PAGE: Final = Path("contract/openapi.json")

EVERYTHING: Final = """\
node: everything
mqtt: false
models: {offline: true}
http: true
media: true
search: colours
sinks: {websocket: true}
cameras: {door: {source: push, push_token: 0123456789abcdef, ring: {http: true}}, phone: whip}
"""


def api_document() -> JsonObject:
    """Made of what a node of this version would serve; starts none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "blikk.yaml")
        path.write_text(EVERYTHING, encoding="utf-8")
        environ = {"HOME": folder, "XDG_CACHE_HOME": folder, "XDG_STATE_HOME": folder}
        app = build(config.load(path, environ=environ), environ=environ, clock=SystemClock())
        app.close()
        return document(app.routes, __version__)


def main(arguments: list[str]) -> int:
    """Write the document below the current folder; with `--check` only say whether it is stale (1)."""
    text = json.dumps(api_document(), indent=2, ensure_ascii=False) + "\n"
    return written(PAGE, text, check="--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
