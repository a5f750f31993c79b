"""Every change of a state in a real Home Assistant, in order, as its frontend learns of them."""

import json
import threading
from types import TracebackType
from typing import Any, Self

from patience import PATIENCE
from real_ha import RealHomeAssistant
from websockets.exceptions import ConnectionClosed

AWAY = {"unavailable", "unknown"}


class Diary:
    """Written from `__enter__` until it is closed or Home Assistant ends."""

    def __init__(self, home: RealHomeAssistant) -> None:
        self._home = home
        self._changes: list[dict[str, Any]] = []

    def states(self, entity: str) -> list[str]:
        """The states that the entity took, repeated ones once."""
        states = [new["state"] for new in self._of(entity)]
        return [state for i, state in enumerate(states) if i == 0 or states[i - 1] != state]

    def fired(self, entity: str) -> list[dict[str, Any]]:
        """The attributes of every event that an event entity fired; its coming and going is none."""
        events = {new["state"]: new["attributes"] for new in self._of(entity) if new["state"] not in AWAY}
        return [events[stamp] for stamp in sorted(events)]

    def _of(self, entity: str) -> list[dict[str, Any]]:
        return [new for new in list(self._changes) if new["entity_id"] == entity]

    def __enter__(self) -> Self:
        self._link = self._home.link()
        self._link.send(json.dumps({"id": 1, "type": "subscribe_events", "event_type": "state_changed"}))
        assert json.loads(self._link.recv(timeout=10 * PATIENCE))["success"]
        self._writer = threading.Thread(target=self._write, name="diary")
        self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.close()
        self._writer.join(10)

    def _write(self) -> None:
        while True:
            try:
                message = json.loads(self._link.recv())
            except ConnectionClosed:
                return
            if message["type"] == "event" and (new := message["event"]["data"]["new_state"]) is not None:
                self._changes.append(new)
