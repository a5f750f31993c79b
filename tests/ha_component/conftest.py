"""Fixtures of the component's tests; the test kit brings `hass` and a mocked MQTT client."""

import sys
from pathlib import Path

import pytest

# the test kit mounts a package of the same name; the first one imported wins
import custom_components  # noqa: F401
from custom_components.blikk import handover

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _enable_custom(enable_custom_integrations):
    """Let Home Assistant load our component."""
    return


@pytest.fixture(autouse=True)
def expected_lingering_timers():
    """The MQTT client of the kit leaves its own timer."""
    return True


@pytest.fixture(autouse=True)
def _remembered(monkeypatch):
    """A broker that remembers the claim: the kit has none, and where time stands still nothing is waited for."""

    async def claimed(*_):
        return True

    monkeypatch.setattr(handover, "_async_is_claimed", claimed)
