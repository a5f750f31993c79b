"""A real Home Assistant in its own process, set up without a browser and spoken to as its frontend speaks.

with RealHomeAssistant(python, folder, mqtt_port=1883) as ha:
    ha.states()["binary_sensor.front_door_person"]["state"]
    ha.call("switch.turn_off", "switch.front_door_detection")
    ha.command({"type": "config/entity_registry/list"})

Everything listens on loopback. `python` is the interpreter that `scripts/ha_env` prints.
"""

import atexit
import contextlib
import functools
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from patience import PATIENCE
from ports import free_port
from websockets.sync.client import ClientConnection, connect

T = TypeVar("T")

START_S = 120.0
STOP_S = 30.0

CONFIGURATION = """\
homeassistant:
  name: Home
  latitude: 52.0
  longitude: 5.0
  elevation: 0
  unit_system: metric
  time_zone: {zone}
  currency: EUR
  country: NL
  internal_url: "{url}"
  external_url: "{url}"
api:
config:
frontend:
websocket_api:
logger:
  default: info
"""


class RefusedError(AssertionError):
    """Home Assistant answered a request with an error, such as 500 for the picture of a camera that has none yet."""


def wait_for(what: str, look: Callable[[], T | None], limit_s: float = 20.0) -> T:
    """Look again and again until there is something true; the last thing seen, or refused, is part of the error."""
    end = time.monotonic() + PATIENCE * limit_s
    while True:
        seen: T | RefusedError | None
        try:
            seen = look()
        except RefusedError as error:
            seen = error
        else:
            if seen:
                return seen
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit_s:.0f} s: {what}; at last {seen!r}")
        time.sleep(0.05)


class Started:
    """A process that another one has started."""

    def __init__(self, pid: int) -> None:
        self._file = os.pidfd_open(pid)

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return not self.wait(0.0)

    def send(self, how: signal.Signals) -> None:
        """Send it a signal; nothing happens where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._file, how)

    def wait(self, limit_s: float) -> bool:
        """Whether it ends within that time."""
        ended = select.poll()
        ended.register(self._file, select.POLLIN)
        return bool(ended.poll(1000 * limit_s))

    def close(self) -> None:
        """Of no use any more."""
        os.close(self._file)


class Starter:
    """Runs `ha_starter.py`; what it has started ends with this process."""

    def __init__(self, python: str) -> None:
        environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._process = subprocess.Popen(
            [python, Path(__file__).with_name("ha_starter.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True, text=True,
        )  # fmt: skip
        atexit.register(self._end)

    def start(self, *, config: Path, out: Path, cwd: Path) -> Started:
        """Start a Home Assistant."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"config": str(config), "out": str(out), "cwd": str(cwd)}) + "\n")
        self._process.stdin.flush()
        return Started(int(self._process.stdout.readline()))

    def _end(self) -> None:
        self._process.communicate()


@functools.cache
def _starter(python: str) -> Starter:
    """One for all tests of this process."""
    return Starter(python)


class RealHomeAssistant:
    """One Home Assistant with the MQTT integration connected to a broker on `mqtt_port` of loopback.

    `copies` are folders to be copied into its configuration, by their place there (`custom_components/blikk`); `more`
    are further lines of `configuration.yaml`; `zone` is the household's time zone.
    """

    def __init__(
        self,
        python: str,
        folder: Path,
        *,
        mqtt_port: int,
        copies: Mapping[str, Path] | None = None,
        more: str = "",
        zone: str = "UTC",
    ) -> None:
        self.folder = folder
        self._zone = zone
        self._copies = copies or {}
        self._more = more
        self._python = python
        self._mqtt_port = mqtt_port
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._token = ""
        self._process: Started | None = None
        self._socket: ClientConnection | None = None
        self._number = 0

    # ---- what a test asks for

    def states(self) -> dict[str, Any]:
        """All states by entity id."""
        return {state["entity_id"]: state for state in self.get("/api/states")}

    def get(self, path: str) -> Any:
        """What lies under a path: JSON as values, all else as bytes."""
        return self._http(Request(self.url + path, headers=self._headers()))

    def post(self, path: str, content: object) -> Any:
        """Send JSON."""
        return self._http(
            Request(
                self.url + path, json.dumps(content).encode(), {**self._headers(), "Content-Type": "application/json"}
            )
        )

    def call(self, action: str, entity: str, **values: object) -> None:
        """Perform an action such as `switch.turn_off` on an entity."""
        self.post(f"/api/services/{action.replace('.', '/')}", {"entity_id": entity, **values})

    def answer(self, action: str, **values: object) -> Any:
        """What an action answers, such as `blikk.ask`."""
        return self.post(f"/api/services/{action.replace('.', '/')}?return_response", values)["service_response"]

    def delete(self, path: str) -> Any:
        """Remove what lies under a path."""
        return self._http(Request(self.url + path, headers=self._headers(), method="DELETE"))

    def command(self, message: dict[str, Any]) -> Any:
        """The result of one WebSocket command."""
        if self._socket is None:
            self._socket = self.link()
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, **message}))
        while True:
            answer = json.loads(self._socket.recv(timeout=30 * PATIENCE))
            if answer.get("id") == self._number and answer["type"] == "result":
                assert answer["success"], answer
                return answer["result"]

    def found(self, name: str | None = None, *, source: str | None = None) -> dict[str, Any] | None:
        """A flow of the component, where one is going on: for the node of this name, started by this source."""
        for flow in self.command({"type": "config_entries/flow/progress"}):
            about = flow["context"]
            named = name in (None, about.get("title_placeholders", {}).get("name"))
            if flow["handler"] == "blikk" and named and source in (None, about["source"]):
                return dict(flow)
        return None

    def add_node(self, name: str | None = None) -> str:
        """Add the node (of this name) as soon as it is found; the id of its entry."""
        flow = wait_for("the node is found", lambda: self.found(name), 60)
        done = self.post(f"/api/config/config_entries/flow/{flow['flow_id']}", {})
        assert done["type"] == "create_entry", done
        return str(done["result"]["entry_id"])

    def registry(self) -> dict[str, Any]:
        """The entity registry's rows by entity id; disabled entities are there too."""
        return {row["entity_id"]: row for row in self.command({"type": "config/entity_registry/list"})}

    def devices(self) -> dict[str, Any]:
        """The devices by name."""
        return {row["name"]: row for row in self.command({"type": "config/device_registry/list"})}

    def link(self) -> ClientConnection:
        """A new WebSocket connection, signed in."""
        link = connect(self.url.replace("http", "ws", 1) + "/api/websocket", max_size=None, open_timeout=10)
        assert json.loads(link.recv(timeout=10 * PATIENCE))["type"] == "auth_required"
        link.send(json.dumps({"type": "auth", "access_token": self._token}))
        assert json.loads(link.recv(timeout=10 * PATIENCE))["type"] == "auth_ok"
        return link

    def signed_in(self) -> str:
        """What its frontend keeps as `hassTokens` in the local storage of a browser that is signed in."""
        kept = {"access_token": self._token, "token_type": "Bearer", "refresh_token": "", "expires_in": 1800}
        now_ms = round(time.time() * 1000)
        return json.dumps({**kept, "expires": now_ms + 1_800_000, "hassUrl": self.url, "clientId": self.url + "/"})

    @property
    def log(self) -> list[str]:
        """The lines of its log so far."""
        return (self.folder / "hass.out").read_text(errors="replace").splitlines()

    # ---- its life

    def restart(self) -> None:
        """Stop politely and start again, with everything it had stored."""
        self.stop()
        self.start()
        self.wait_until_running()

    def start(self) -> None:
        """Start and wait until it listens, however much it still has to set up."""
        self._start()
        wait_for("Home Assistant answers", self._answers, START_S)

    def wait_until_running(self) -> None:
        """Wait until everything is set up, as far as it can be."""
        config = wait_for(
            "Home Assistant runs",
            lambda: next((c for c in [self.get("/api/config")] if c["state"] == "RUNNING"), None),
            60,
        )
        assert not config["recovery_mode"], self.log

    def stop(self) -> None:
        """Politely: what it has to store it stores."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a power cut would: nothing is stored."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is None:
            return
        self._process.send(how)
        if not self._process.wait(STOP_S):
            self._process.send(signal.SIGKILL)
            assert self._process.wait(STOP_S)
        self._process.close()
        self._process = None

    def __enter__(self) -> Self:
        self._write_files()
        self._start()
        try:
            self._sign_up()
            self.wait_until_running()
            self._add_mqtt()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _write_files(self) -> None:
        config = self.folder / "config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "configuration.yaml").write_text(CONFIGURATION.format(url=self.url, zone=self._zone) + self._more)
        for place, folder in self._copies.items():
            shutil.copytree(folder, config / place, ignore=shutil.ignore_patterns("__pycache__"))
        # the steps after the first user would start integrations that look for hosts outside
        _store(config, "onboarding", 4, 1, {"done": ["core_config", "analytics", "integration"]})
        # `http:` in the YAML file would be a trial of five minutes
        _store(
            config,
            "http",
            2,
            2,
            {
                "stable": {
                    "server_host": ["127.0.0.1"],
                    "server_port": self._port,
                    "cors_allowed_origins": [],
                    "login_attempts_threshold": -1,
                    "ip_ban_enabled": False,
                    "ssl_profile": "modern",
                    "use_x_frame_options": True,
                    "created_at": "2026-01-01T00:00:00+00:00",
                    "error": None,
                    "error_message": None,
                },
                "pending": None,
                "yaml_migration_done": True,
            },
        )

    def _start(self) -> None:
        # where it starts counts as a place of components: that of this checkout is there only if it is copied
        self._process = _starter(self._python).start(
            config=self.folder / "config", out=self.folder / "hass.out", cwd=self.folder
        )

    def _sign_up(self) -> None:
        wait_for("Home Assistant answers", self._answers, START_S)
        client = self.url + "/"
        user = {"client_id": client, "name": "Test", "username": "test", "password": "test-test", "language": "en"}
        code = self.post("/api/onboarding/users", user)["auth_code"]
        form = urlencode({"grant_type": "authorization_code", "code": code, "client_id": client}).encode()
        self._token = self._http(Request(self.url + "/auth/token", form))["access_token"]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.runs, f"Home Assistant ended: {self.log[-20:]}"
        try:
            self.get("/manifest.json")
        except URLError:
            return False
        return True

    def _add_mqtt(self) -> None:
        flow = self.post("/api/config/config_entries/flow", {"handler": "mqtt", "show_advanced_options": False})
        broker = {
            "broker": "127.0.0.1",
            "port": self._mqtt_port,
            "protocol": "5",
            "other_settings": {"set_client_cert": False, "set_ca_cert": "off", "transport": "tcp"},
        }
        entry = self.post(f"/api/config/config_entries/flow/{flow['flow_id']}", broker)
        assert entry["type"] == "create_entry", entry

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _http(self, request: Request) -> Any:
        try:
            with urlopen(request, timeout=30 * PATIENCE) as answer:
                body = answer.read()
                return json.loads(body) if "json" in answer.headers.get_content_type() else body
        except HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            raise RefusedError(f"{request.get_method()} {request.full_url}: {error.code} {text[:500]}") from None


def _store(config: Path, key: str, version: int, minor: int, data: object) -> None:
    folder = config / ".storage"
    folder.mkdir(exist_ok=True)
    content = {"version": version, "minor_version": minor, "key": key, "data": data}
    (folder / key).write_text(json.dumps(content))
