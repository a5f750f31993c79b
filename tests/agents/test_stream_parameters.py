"""Parameters of a stream are the keys of `blikk.yaml`, and what is wrong with them is said as `blikk check` says it."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from blikk_edge import AgentSink, Stream
from blikk_edge.app.streaming import settings_for
from blikk_edge.core.errors import ConfigError
from blikk_edge.core.sightings import Label
from blikk_edge.grammar.problem import ConfigErrors

URL = "rtsp://user:hunter2@127.0.0.1:1/cam"


def settings(**parameters: Any) -> Any:
    return settings_for({"source": URL, **parameters}, camera="gate", folder=Path.cwd(), environ={})


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
        store="/tmp/x.db",
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


@pytest.mark.parametrize(
    "make",
    [
        Stream,
        lambda: Stream(URL, camera_url=URL),
        lambda: Stream(URL, sinks=[print]),
        lambda: Stream(URL, transforms=[type("Two", (), {"needs": "pixels", "__call__": print})]),
        lambda: AgentSink("no function"),
        lambda: AgentSink(print, window="soon"),
        lambda: AgentSink(print, window=True),
        lambda: AgentSink(print, max_calls_per_day=0),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(make: Any) -> None:
    with pytest.raises(ConfigError):
        make()


def test_importing_it_imports_nothing_that_costs() -> None:
    dear = ("numpy", "av", "cv2", "yaml", "voluptuous", "aiomqtt", "aiohttp", "sqlite3", "langchain_core",
            "llama_index", "mcp", "pydantic", "blikk_edge.app", "blikk_edge.config")  # fmt: skip
    program = (
        "import sys, blikk_edge; bare = set(sys.modules)\n"
        "assert not [n for n in bare if n.startswith('blikk_edge.')], bare\n"
        "from blikk_edge import AgentSink, Stream\n"
        f"print([name for name in {dear} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "[]\n"
