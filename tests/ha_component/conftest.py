"""Fixtures of the component's tests; the test kit brings `hass` and a mocked MQTT client."""

import asyncio
import sys
from pathlib import Path

import pytest
from homeassistant.components import mqtt
from homeassistant.components.mqtt.models import SubscriptionID
from homeassistant.helpers.template import TemplateEnvironment
from homeassistant.util.async_ import get_scheduled_timer_handles
from pytest_homeassistant_custom_component.common import async_fire_mqtt_message

# the test kit mounts a package of the same name; the first one imported wins
import custom_components  # noqa: F401
from custom_components.blikk import handover

sys.path.insert(0, str(Path(__file__).parent))

from stage import NODE


@pytest.fixture(autouse=True)
def _enable_custom(enable_custom_integrations):
    """Let Home Assistant load our component."""
    return


@pytest.fixture(autouse=True)
async def enable_event_loop_debug():
    """The loop checks from which thread it is called, and what; where each future was made, which takes a third of the
    time, is not noted.
    """
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.get_debug = lambda: False


@pytest.fixture(scope="session", autouse=True)
def _templates_are_compiled_once():
    """Each Home Assistant compiles every template anew, to the same code: that depends on its text and on which filters
    and tests there are.
    """
    compile_, kept = TemplateEnvironment.compile, {}

    def compiled(self, source):
        key = (source, self.limited, frozenset(self.filters), frozenset(self.tests))
        if key in kept:
            self.template_cache[source] = kept[key]
        else:
            kept[key] = compile_(self, source)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TemplateEnvironment, "compile", compiled)
        yield


@pytest.fixture(autouse=True)
def expected_lingering_timers():
    """Home Assistant's own helpers leave timers, such as that of the registries that are saved later."""
    return True


@pytest.fixture(autouse=True)
async def _mqtt_ends():
    """Home Assistant's MQTT client leaves what it does after a pause, as a timer or, on a slow machine, as a task."""
    yield
    for handle in get_scheduled_timer_handles(asyncio.get_running_loop()):
        if _is_of_mqtt(getattr(handle._callback, "__module__", None)):
            handle.cancel()
    theirs = {task for task in asyncio.all_tasks() if _is_of_mqtt(_module(task))}
    if theirs:
        await asyncio.wait(theirs, timeout=10)


@pytest.fixture(autouse=True)
def _mqtt_stumbles_over_nothing(monkeypatch):
    """Home Assistant's MQTT client subscribes one after the other, and raises KeyError for one that has gone meanwhile,
    as on a slow machine those of an entry that a test unloads.
    """
    monkeypatch.setattr(SubscriptionID, "get_subscription_id", SubscriptionID.get_or_generate)


@pytest.fixture
def statuses(hass, monkeypatch):
    """What the broker keeps of nodes' statuses, by id: handed to whoever subscribes, as the kit has no broker."""
    kept = {NODE: "online"}
    subscribe = mqtt.async_subscribe

    async def subscribed(hass, filter_, *args, **kwargs):
        undo = await subscribe(hass, filter_, *args, **kwargs)
        prefix, _, rest = filter_.partition("/")
        for node, status in kept.items():
            if rest in (f"{node}/status", "+/status"):
                hass.loop.call_soon(async_fire_mqtt_message, hass, f"{prefix}/{node}/status", status, 1, True)
        return undo

    monkeypatch.setattr(mqtt, "async_subscribe", subscribed)
    return kept


def _is_of_mqtt(module):
    return module is not None and module.startswith("homeassistant.components.mqtt")


def _module(task):
    frame = getattr(task.get_coro(), "cr_frame", None)
    return frame and frame.f_globals.get("__name__")


@pytest.fixture(autouse=True)
def _remembered(monkeypatch):
    """A broker that remembers the claim: the kit has none, and where time stands still nothing is waited for."""

    async def claimed(*_):
        return True

    monkeypatch.setattr(handover, "_async_is_claimed", claimed)
