"""Parameters of a program are the keys of `blikk.yaml`, and what is wrong is said as `blikk check` says it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from blikk_edge.config.parameters import settings_of
from blikk_edge.config.settings import Settings
from blikk_edge.core.sightings import Label
from blikk_edge.grammar.problem import ConfigErrors
from blikk_edge.grammar.secrets import Secret

URL = "rtsp://user:hunter2@127.0.0.1:1/cam"


def settings(**parameters: Any) -> Settings:
    given = {"source": URL, **parameters}
    return settings_of(given, camera="gate", folder=Path.cwd(), environ={}, who="Stream")


def test_values_of_python_are_values_of_the_configuration() -> None:
    made = settings(
        event_threshold=0.4,
        summary_window=3,
        backpressure_strategy="buffer",
        fps=2,
        labels=[Label.PERSON, "animal"],
        zones={"path": {"polygon": [(0, 0), (1, 0), (1, 1)], "loiter_s": timedelta(seconds=20)}},
        private=[[[0, 0], [0.3, 0], [0.3, 0.25]]],
        questions={"open": "Is the gate open?"},
        ring={"gpio": 17},
        language="de",
        summary=False,
        store={"path": "/tmp/x.db"},
        models={"offline": True},
        privacy={"jpeg_quality": 70},
    )
    camera = made.cameras[0]
    assert (camera.id, camera.event_threshold, camera.summary_window, camera.fps) == ("gate", 0.4, 3, 2.0)
    assert camera.labels == (Label.PERSON, Label.ANIMAL)
    assert camera.zones[0].loiter_s == 20.0
    assert (camera.private[0].points[1], camera.questions[0].ask) == ((0.3, 0.0), "Is the gate open?")
    assert (made.mqtt, made.summary, made.language, made.models.offline) == (None, None, "de", True)
    assert made.store.path == Path("/tmp/x.db")
    assert made.privacy.jpeg_quality == 70


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"event_treshold": 0.3}, "Stream: event_treshold: the parameter `event_treshold` is not known. Did you mean "),
        ({"event_treshold": 0.3}, "Did you mean `event_threshold`?"),
        ({"event_threshold": 3}, "Stream: event_threshold: "),
        ({"backpressure_strategy": "dorp"}, "Did you mean `drop`?"),
        ({"labels": ["persons"]}, "Did you mean `person`?"),
        ({"zones": {"path": {"polygone": []}}}, "Did you mean `polygon`?"),
        ({"detector": "fast"}, "Stream: detector: there is no detector of that name"),
        ({"fps": object()}, "Stream: fps: a value of the type object"),
        ({"mqtt": "broker"}, "Stream: mqtt: `mqtt` is a key of a node. Run one with `blikk run`"),
        ({"source": "ftp://user:hunter2@host/x"}, "Stream: source: an address of a kind that is not known"),
        ({"source": "rtspx://10.0.0.1:7441/x"}, "an address of another program. Write `rtsps://`"),
        ({"source": "nothing.mp4"}, "Stream: source: neither an address, nor a device, nor a file that is there"),
        ({"transforms": ["angel"]}, None),  # a plug-in that is missing stops nothing, as in a node
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_name_and_how_to_mend_it(parameters: dict[str, Any], said: str | None) -> None:
    if said is None:
        assert settings(**parameters).cameras[0].transforms[0].refused
        return
    with pytest.raises(ConfigErrors) as caught:
        settings(**parameters)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigErrors) as caught:
        settings(fps="fast", labels=["persons"], workers=0, colour=1)
    assert [problem.path for problem in caught.value.problems] == ["fps", "labels[0]", "colour", "workers"]


def test_secrets_stay_secret() -> None:
    made = settings(
        source=Secret(URL),
        summary={
            "provider": "openai",
            "base_url": "http://127.0.0.1:1/v1",
            "api_key": Secret("swordfish"),
            "model": "m",
        },
    )
    assert "swordfish" not in repr(made)
    assert "hunter2" not in repr(made)
    assert made.cameras[0].source.reveal() == URL
