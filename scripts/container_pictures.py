"""Photographs the containers at work: a terminal with the Compose file, and the app as Home Assistant discovers it.

    docker/test pictures        builds the images and starts this

The engine, the broker, the RTSP stream of the demo's clip and Home Assistant are real. The Supervisor is a stand-in,
and the models come from a folder (BLIKK_TEST_DATA), where the published image has them inside.
"""

import html
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("tests", "tests/ha", "tests/e2e", "tests/docker", "scripts")]

from broker import Broker  # noqa: E402 (found in the folders above)
from engine import Container, log_of  # noqa: E402
from headless import Chromium  # noqa: E402
from real_ha import RealHomeAssistant, wait_for  # noqa: E402
from rtsp_server import RtspServer  # noqa: E402
from screenshots import DATA, film, save  # noqa: E402
from supervisor import TOKEN, Supervisor  # noqa: E402

IMAGE = os.environ["BLIKK_IMAGE"]
APP = IMAGE.replace("blikk-edge:", "blikk-edge-app:")
DOCKER = ROOT / "docker"
LIMIT_S = 120.0
COLUMNS = 124
FLOWS = {"type": "config_entries/flow/progress"}
PAGE = """\
<!DOCTYPE html><meta charset="utf-8"><title>terminal</title><style>
body { margin: 0; background: #1d2330; color: #dfe3ea; font: 13px/1.45 "DejaVu Sans Mono", monospace; }
pre { margin: 14px 16px; white-space: pre; } b { color: #8fd18b; font-weight: normal; }
</style><pre>%s</pre>
"""


class Terminal:
    """Commands that were really run, and what they said."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: list[str] = []

    def run(self, shown: str, command: list[str], *, keep: str = "") -> str:
        """Run a command; of what it says the lines that match `keep` are shown."""
        done = subprocess.run(
            command, cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        said = [line for line in done.stdout.splitlines() if not line.startswith("time=") and re.search(keep, line)]
        self.show(shown, said)
        return done.stdout

    def show(self, command: str, lines: list[str]) -> None:
        """A command and its lines."""
        self._lines.append(f"<b>$</b> {html.escape(command)}")
        self._lines += [html.escape(part) for line in lines for part in folded(line)]

    def photograph(self, name: str) -> None:
        """Write the picture."""
        page = self._folder / f"{name}.html"
        page.write_text(PAGE % "\n".join(self._lines))
        height_px = 28 + round(len(self._lines) * 13 * 1.45) + 4
        with Chromium(self._folder / f"chromium-{name}", width_px=1010, height_px=height_px) as browser:
            browser.open(page.as_uri(), shows=["$"])
            save(browser.photograph(), f"{name}.png")


def folded(line: str) -> list[str]:
    """A line as a terminal of COLUMNS shows it."""
    return [line[at : at + COLUMNS] for at in range(0, max(len(line), 1), COLUMNS)]


def relay(port: int) -> int:
    """Let containers reach a port of loopback, until this process ends; the port that they reach."""
    server = socket.create_server(("0.0.0.0", 0))  # a bridge of the engine is no loopback

    def copy(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError), other:
            while content := one.recv(65536):
                other.sendall(content)

    def serve() -> None:
        while True:
            one, _ = server.accept()
            other = socket.create_connection(("127.0.0.1", port))
            for ends in ((one, other), (other, one)):
                threading.Thread(target=copy, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return int(server.getsockname()[1])


def own_address() -> str:
    """An address of this machine that its containers reach."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent
        return str(probe.getsockname()[0])


def compose(folder: Path, camera: str) -> None:
    """A first start with the Compose file."""
    for name in ("compose.yaml", "blikk.yaml", "mosquitto.conf"):
        shutil.copy(DOCKER / name, folder)
        (folder / name).chmod(0o644)
    (folder / "models").symlink_to(DATA / "models")
    more = {
        "services": {"node": {"volumes": [f"{DATA / 'models'}:/models:ro"], "environment": {"BLIKK_MODELS": "/models"}}}
    }
    (folder / "compose.override.yaml").write_text(json.dumps(more))
    (folder / ".env").write_text(f"CAMERA={camera}\n")
    folder.chmod(0o755)
    words = [*os.environ["BLIKK_COMPOSE"].split(), "--project-name", "blikk"]
    up = ["--file", "compose.yaml", "--file", "compose.override.yaml"]
    terminal = Terminal(folder)
    try:
        terminal.run("cat .env", ["cat", ".env"])
        terminal.run("podman-compose up --detach", [*words, *up, "up", "--detach", "--no-build"], keep="^blikk_")
        wait_for("a visit", lambda: "person started" in log_of("blikk_node_1"), LIMIT_S)
        terminal.show("podman-compose logs node", log_of("blikk_node_1").splitlines())
        terminal.run(
            "podman exec blikk_node_1 blikk health",
            [*os.environ["BLIKK_ENGINE"].split(), "exec", "blikk_node_1", "blikk", "health"],
        )
    finally:
        subprocess.run([*words, *up, "down", "--volumes"], cwd=folder, check=False, capture_output=True)
    terminal.photograph("docker-terminal")


def app(folder: Path, camera: str, python: str) -> None:
    """The app beside a stand-in of the Supervisor, and Home Assistant, which discovers it."""
    data, config = folder / "data", folder / "config"
    for made in (data, config):
        made.mkdir()
    cameras = [{"id": "front_door", "name": "Front door", "source": camera}]
    (data / "options.json").write_text(json.dumps({"node": "Blikk Edge", "log_level": "info", "cameras": cameras}))
    with ExitStack() as stage:
        broker = stage.enter_context(Broker(folder))
        service = {"host": "127.0.0.1", "port": broker.port, "ssl": False}
        supervisor = stage.enter_context(Supervisor(service, host="127.0.0.2", port=80))
        component = {"custom_components/blikk": ROOT / "custom_components" / "blikk"}
        ha = stage.enter_context(RealHomeAssistant(python, folder, mqtt_port=broker.port, copies=component))
        options = ["--init", "--tmpfs=/tmp", "--add-host=supervisor:127.0.0.2", f"--env=SUPERVISOR_TOKEN={TOKEN}"]
        options += [f"--volume={data}:/data", f"--volume={config}:/config"]
        options += [f"--volume={DATA / 'models'}:/models:ro", "--env=BLIKK_MODELS=/models"]
        node = stage.enter_context(Container(APP, *options))
        node.until(lambda: supervisor.discovered)
        wait_for("the discovery", lambda: "blikk" in {flow["handler"] for flow in ha.command(FLOWS)}, LIMIT_S)
        with Chromium(folder / "chromium-discovered", width_px=900, height_px=420) as browser:
            browser.remember(
                ha.url, hassTokens=ha.signed_in(), selectedLanguage='"en"', dockedSidebar='"always_hidden"',
                selectedTheme=json.dumps({"dark": False, "theme": "default"}),
            )  # fmt: skip
            browser.open(f"{ha.url}/config/integrations/dashboard", shows=[], settled=False)
            with suppress(TimeoutError):  # icons of other integrations come from the internet
                browser.settle(shows=["Discovered", "Blikk Edge"], limit_s=30)
            save(browser.photograph(), "home-assistant-app-discovered.png")


def main() -> int:
    """Both pictures."""
    with ExitStack() as stage:
        folder = Path(stage.enter_context(tempfile.TemporaryDirectory()))
        film(folder / "visit.mp4")
        server = stage.enter_context(RtspServer(folder / "visit.mp4", transport="tcp"))
        camera = f"rtsp://{own_address()}:{relay(server.port)}/cam"
        for name in ("compose", "app"):
            (folder / name).mkdir()
        compose(folder / "compose", camera)
        app(folder / "app", camera, sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
