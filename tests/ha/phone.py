"""A phone with the Home Assistant app: it registers itself, and is sent to over a WebSocket of its own."""

import json
import threading
from types import TracebackType
from typing import Any, Self

from patience import PATIENCE
from real_ha import RealHomeAssistant
from websockets.exceptions import ConnectionClosed

NEW = {
    "app_data": {"push_websocket_channel": True},
    "app_id": "io.homeassistant.companion",
    "app_name": "Home Assistant",
    "app_version": "2026.10",
    "device_id": "phone",
    "device_name": "Phone",
    "manufacturer": "Maker",
    "model": "One",
    "os_name": "Android",
    "os_version": "17",
    "supports_encryption": False,
}


class Phone:
    """Registers itself and keeps every notification from `__enter__` until it is closed or Home Assistant ends."""

    def __init__(self, home: RealHomeAssistant) -> None:
        self._home = home
        self._shown: list[dict[str, Any]] = []

    @property
    def shown(self) -> list[dict[str, Any]]:
        """The notifications so far, in order; each has `message`, `title` and `data`."""
        return list(self._shown)

    def __enter__(self) -> Self:
        webhook = self._home.post("/api/mobile_app/registrations", NEW)["webhook_id"]
        self._link = self._home.link()
        self._link.send(json.dumps({"id": 1, "type": "mobile_app/push_notification_channel", "webhook_id": webhook}))
        assert json.loads(self._link.recv(timeout=10 * PATIENCE))["success"]
        self._reader = threading.Thread(target=self._read, name="phone")
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.close()
        self._reader.join(10)

    def _read(self) -> None:
        while True:
            try:
                message = json.loads(self._link.recv())
            except ConnectionClosed:
                return
            if message["type"] == "event":
                self._shown.append(message["event"])
