"""A real Home Assistant behind a Mosquitto that takes only small packets: the same entities, in several payloads."""

import asyncio
from pathlib import Path

import pytest
from broker import Broker
from real_ha import RealHomeAssistant, wait_for
from running_sink import Running

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.status import CameraAvailability
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.store.store import Store

pytestmark = pytest.mark.timeout(400)

PACKET_BYTES = 3000


def registered(ha: RealHomeAssistant) -> set[str]:
    """Our rows in the entity registry, disabled ones too."""
    return {entity for entity, row in ha.registry().items() if row["platform"] == "mqtt"}


def known(ha: RealHomeAssistant) -> bool:
    """Whether every entity that was not disabled has a state of ours, not one from before."""
    rows, states = ha.registry(), ha.states()
    ours = [entity for entity, row in rows.items() if row["platform"] == "mqtt" and row["disabled_by"] is None]
    return all(not states.get(each, {}).get("attributes", {}).get("restored") and each in states for each in ours)


async def test_entities_are_the_same_before_and_after_the_broker_was_limited(ha_python: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "node.db")
    store.open()
    with (
        Broker(tmp_path, persistence=True) as broker,
        RealHomeAssistant(ha_python, tmp_path, mqtt_port=broker.port) as ha,
    ):
        running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="discovery")
        running.start()
        await running.connected()
        running.inbox.put(*(CameraAvailability(camera=camera, online=True) for camera in ("front_door", "yard")))

        def settled(count: int) -> bool:
            return len(registered(ha)) >= count and known(ha)

        await asyncio.to_thread(wait_for, "all entities", lambda: settled(40), 30)
        whole = await asyncio.to_thread(registered, ha)
        broker.stop()
        broker.extra = (f"max_packet_size {PACKET_BYTES}",)
        broker.start()
        await asyncio.to_thread(wait_for, "the parts", lambda: broker.log.count("part2_camera_front_door") > 0, 30)
        await asyncio.to_thread(wait_for, "the same entities", lambda: registered(ha) == whole and known(ha), 30)
        devices = await asyncio.to_thread(ha.devices)
        assert {"Porch", "Front door", "Yard"} <= devices.keys()
        # that the broker was away is reported too
        wrong = [line for line in ha.log if any(word in line for word in ("unique", "Invalid", "Traceback"))]
        assert wrong == []
        assert running.sink.problem is None
        await running.stop()
    store.close()
