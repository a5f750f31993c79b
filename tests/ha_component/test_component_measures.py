"""What added steps of a node measure, in a real Home Assistant: a sensor each, and an event when something is wrong."""

from datetime import timedelta

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from stage import entry_of, golden, publish, set_up

SENSOR, ANGLE, EVENT = "sensor.boiler_pressure", "sensor.boiler_needle_angle", "event.boiler_alert"


@pytest.fixture
async def boiler(hass: HomeAssistant, mqtt_mock):
    return await set_up(hass, entry_of(golden("announce-measures")))


def alert(**changes) -> dict:
    return {**golden("observation-alert"), "time": dt_util.utcnow().isoformat(), **changes}


async def test_a_measure_is_a_sensor_with_unit_and_device_class(hass: HomeAssistant, boiler) -> None:
    await publish(hass, "boiler/state", golden("state-measures"))
    state = hass.states.get(SENSOR)
    assert (state.state, state.name) == ("2.6", "Boiler Pressure")
    assert {key: state.attributes[key] for key in ("unit_of_measurement", "device_class", "state_class", "alert")} == {
        "unit_of_measurement": "bar",
        "device_class": "pressure",
        "state_class": "measurement",
        "alert": "too_high",
    }
    assert (hass.states.get(ANGLE).state, hass.states.get(ANGLE).attributes["alert"]) == ("41.5", None)


async def test_what_is_not_measured_is_unknown_and_of_a_lost_stream_unavailable(hass: HomeAssistant, boiler) -> None:
    await publish(hass, "boiler/state", golden("state-measures"))
    await publish(hass, "boiler/state", golden("state-bare"))
    assert hass.states.get(SENSOR).state == "unknown"
    await publish(hass, "boiler/status", "offline")
    assert hass.states.get(SENSOR).state == "unavailable"


async def test_an_alert_fires_an_event_once(hass: HomeAssistant, boiler) -> None:
    assert hass.states.get(EVENT).state == "unknown"
    await publish(hass, "boiler/observation", golden("observation-measure"))
    assert hass.states.get(EVENT).state == "unknown"
    await publish(hass, "boiler/observation", message := alert())
    fired = hass.states.get(EVENT)
    assert {key: fired.attributes[key] for key in ("event_type", "measure", "alert", "value", "unit")} == {
        "event_type": "pressure_too_high",
        "measure": "pressure",
        "alert": "too_high",
        "value": 2.6,
        "unit": "bar",
    }
    await publish(hass, "boiler/observation", message)  # at least once is not twice
    await publish(hass, "boiler/observation", golden("observation-alert-ended"))
    assert hass.states.get(EVENT) == fired


async def test_things_that_come_by_in_turn_have_alerts_of_their_own(hass: HomeAssistant, boiler) -> None:
    (measure,) = golden("observation-alert")["measures"]
    for item in (41, 42):
        await publish(hass, "boiler/observation", alert(id=f"boiler-{item}", measures=[{**measure, "item": item}]))
        assert hass.states.get(EVENT).attributes["item"] == item


@pytest.mark.parametrize(
    "changes",
    [
        {"replayed": True, "time": (dt_util.utcnow() - timedelta(hours=1)).isoformat()},
        {"measures": [{"name": "pressure", "alert": "of_tomorrow"}]},
        {"measures": [{"name": "another", "alert": "too_high"}]},
        {"measures": [{"name": "Not a word", "alert": "too_high"}]},
        {"measures": []},
        {"id": None},
    ],
)
async def test_an_alert_that_is_old_unknown_or_broken_fires_nothing(hass: HomeAssistant, boiler, changes) -> None:
    await publish(hass, "boiler/observation", alert(**changes))
    assert hass.states.get(EVENT).state == "unknown"


async def test_a_snoozed_camera_fires_no_alert(hass: HomeAssistant, boiler) -> None:
    boiler.runtime_data.snooze("boiler", dt_util.utcnow() + timedelta(hours=1))
    await publish(hass, "boiler/observation", alert())
    assert hass.states.get(EVENT).state == "unknown"


async def test_measures_follow_the_announce(hass: HomeAssistant, boiler) -> None:
    announce = golden("announce-measures")
    announce["cameras"][0]["measures"] = [
        {"name": "pressure", "unit": "psi", "device_class": "pressure", "alerts": ["burst"]},
        {"name": "level", "unit": "%", "device_class": None, "alerts": []},
    ]
    await publish(hass, "announce", announce, retain=True)
    await publish(hass, "boiler/state", {**golden("state-bare"), "measures": {"level": {"value": 80}}})
    assert hass.states.get("sensor.boiler_level").state == "80"
    await publish(hass, "boiler/observation", alert(measures=[{"name": "pressure", "alert": "burst", "value": 99}]))
    assert hass.states.get(EVENT).attributes["event_type"] == "pressure_burst"


@pytest.mark.parametrize(
    "device_class", ["temperature", "enum", "timestamp", "of_tomorrow", "monetary", "Not a word", 3, None]
)
async def test_a_device_class_that_does_not_fit_the_unit_costs_no_sensor(
    hass: HomeAssistant, mqtt_mock, device_class, caplog: pytest.LogCaptureFixture
) -> None:
    announce = golden("announce-measures")
    announce["cameras"][0]["measures"][0]["device_class"] = device_class
    await set_up(hass, entry_of(announce))
    await publish(hass, "boiler/state", golden("state-measures"))
    assert (hass.states.get(SENSOR).state, hass.states.get(SENSOR).attributes.get("device_class")) == ("2.6", None)
    assert "ERROR" not in caplog.text


@pytest.mark.parametrize(
    "measures",
    [3, [3], {"pressure": 3}, {"pressure": {"value": "2.6"}}, {"pressure": {"value": True}}, {"Not a word": {}}],
)
async def test_values_that_are_no_numbers_count_as_not_reported(hass: HomeAssistant, boiler, measures) -> None:
    await publish(hass, "boiler/state", {**golden("state-bare"), "measures": measures})
    assert hass.states.get(SENSOR).state == "unknown"
