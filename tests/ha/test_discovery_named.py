"""Plain discovery in the language of the node, in a real Home Assistant: names follow it, entity ids never do."""

from pathlib import Path

import pytest
from broker import Broker
from diary import AWAY
from ports import free_port
from real_ha import RealHomeAssistant, wait_for
from staging import BlikkRun

NODE = """\
node: {{id: hall_pi, name: Hall Pi}}
mqtt: {{host: 127.0.0.1, port: {port}}}
store: {{path: {folder}/hall_pi.db}}
language: {language}
cameras:
  front_door: {{source: "rtsp://127.0.0.1:{nobody}/none", ring: true}}
"""
SUMMARIES = "select.front_door_summaries"


@pytest.mark.timeout(400)
def test_names_follow_the_language_and_ids_do_not(ha_python: str, tmp_path: Path) -> None:
    nobody = free_port()
    with Broker(tmp_path) as broker, RealHomeAssistant(ha_python, tmp_path, mqtt_port=broker.port) as ha:

        def name() -> str | None:
            state = ha.states().get("event.front_door_doorbell")
            return state and state["attributes"].get("friendly_name")

        ids: list[set[str]] = []

        def mode() -> str | None:
            return ha.states().get(SUMMARIES, {}).get("state")

        for language, doorbell, off, template in (
            ("en", "Doorbell", "Off", "Template"),
            ("de", "Türklingel", "Aus", "Vorlage"),
            ("fr", "Sonnette", "Désactivés", "Texte prédéfini"),
        ):
            node = NODE.format(port=broker.port, folder=tmp_path, nobody=nobody, language=language)
            with BlikkRun(tmp_path, node, models=None) as run:
                wait_for("its name", lambda d=doorbell: name() == f"Front door {d}", 30)
                # an entity has options before it can be reached
                wait_for(
                    "it can be reached", lambda o=(off, template): set(o) <= set(_options(ha)) and mode() not in AWAY
                )
                for word in (off, template):
                    ha.call("select.select_option", SUMMARIES, option=word)
                    wait_for("the mode", lambda o=word: mode() == o)
                wait_for("all of it", lambda: "sensor.hall_pi_lost_records" in ha.registry())
                ids.append({each for each, row in ha.registry().items() if row["platform"] == "mqtt"})
                run.stop()
        assert ids[0] == ids[1] == ids[2]


def _options(ha: RealHomeAssistant) -> list[str]:
    return ha.states().get(SUMMARIES, {}).get("attributes", {}).get("options", [])
