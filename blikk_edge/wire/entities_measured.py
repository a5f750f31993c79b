"""The Home Assistant entities of what added steps measure, as MQTT discovery components."""

from collections.abc import Iterator

from blikk_edge.core.sightings import MeasureInfo
from blikk_edge.core.status import CameraInfo
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import Json, JsonObject


def measure_parts(camera: CameraInfo, topics: Topics) -> Iterator[tuple[str, JsonObject]]:
    """A sensor for each measure."""
    for measure in camera.measures:
        yield f"measure_{measure.name}", _sensor(measure, topics.state(camera.id))


def alert_part(camera: CameraInfo, topics: Topics, *, fresh: str) -> Iterator[tuple[str, JsonObject]]:
    """One event entity for the alerts of all measures, where there are any; `fresh` is the template of what is news."""
    types: list[Json] = [f"{measure.name}_{alert}" for measure in camera.measures for alert in measure.alerts]
    if not types:
        return
    yield (
        "alert",
        {
            "platform": "event",
            "name": "Alert",
            "icon": "mdi:alert",
            "event_types": types,
            "state_topic": topics.observation(camera.id),
            "value_template": _ALERT % fresh,
        },
    )


_ALERT = """{%% if value_json.kind == 'alert' and %s %%}{%% set m = value_json.measures[0] %%}\
{{ {'event_type': m.name ~ '_' ~ m.alert, 'measure': m.name, 'alert': m.alert, 'value': m.value, 'unit': m.unit,
 'id': value_json.id, 'camera': value_json.camera, 'time': value_json.time} | tojson }}{%% endif %%}"""


def _sensor(measure: MeasureInfo, state: str) -> JsonObject:
    reading = f"(value_json.measures | default({{}})).get('{measure.name}', {{}})"
    more: dict[str, Json] = {"unit_of_measurement": measure.unit, "device_class": measure.device_class}
    return {
        "platform": "sensor",
        "name": measure.name.replace("_", " ").strip().capitalize(),
        "state_class": "measurement",
        **({} if measure.device_class else {"icon": "mdi:gauge"}),
        **{key: value for key, value in more.items() if value is not None},
        "state_topic": state,
        "value_template": f"{{{{ {reading}.get('value', 'None') }}}}",
        "json_attributes_topic": state,
        "json_attributes_template": f"{{{{ {{'alert': {reading}.get('alert')}} | tojson }}}}",
    }
