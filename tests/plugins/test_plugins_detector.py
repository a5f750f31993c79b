"""Detectors of plug-ins: they look, and where one cannot be had, the model serves in its place."""

from pathlib import Path

import numpy as np
import pytest

from blikk_edge.app.vision_models import VisionModels
from blikk_edge.config import load
from blikk_edge.core.sightings import Label

CODE = """
from dataclasses import dataclass
from blikk_edge.core.geometry import Box
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import number
from blikk_edge.kinds.kind import Kind

@dataclass(frozen=True, kw_only=True)
class Options:
    score: float = 0.5

class Bright:
    name = "bright"
    def __init__(self, options, context):
        self.options, self.context = options, context
    def detect(self, bgr):
        score = self.options.score
        if bgr.mean() < 128 or score < self.context.thresholds[Label.ANIMAL]:
            return ()
        return (Detection(label=Label.ANIMAL, sub_label="bright", score=score, box=Box(0.1, 0.1, 0.9, 0.9)),)

KIND = Kind(name="bright", meaning="Finds what is bright.", options=Section(of=Options, keys=(
    Key(name="score", value=number(0, 1), meaning="How sure it is."),)), make=Bright)
"""

CONFIG = """\
node: n
mqtt: b
models: {{cache: {models}, offline: true}}
cameras: {{door: /dev/video0}}
detectors:
  default:
    kind: {kind}
"""


@pytest.fixture
def vision_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("BLIKK_MODELS", raising=False)

    def vision_models(kind: str):
        path = tmp_path / "blikk.yaml"
        path.write_text(CONFIG.format(models=tmp_path / "models", kind=kind))
        settings = load(path, environ={})
        return VisionModels(settings), settings

    return vision_models


def test_a_detector_of_a_plug_in_looks(install, vision_models) -> None:
    install("plug_bright", "blikk.detectors", "bright", CODE)
    made, settings = vision_models("{bright: {score: 0.7}}")
    detector = made.tools(settings)("door").detector
    (found,) = detector.detect(np.full((48, 64, 3), 200, np.uint8))
    assert (found.label, found.score, detector.name) == (Label.ANIMAL, 0.7, "bright")
    assert "default: bright" in made.notes[-1]
    assert not any("yolox" in problem for problem in made.problems), "no model is looked for in its place"


def test_ours_are_named_like_others(vision_models) -> None:
    made, settings = vision_models("opencv")
    assert made.tools(settings)("door").detector.name == "opencv-builtin"
    assert not any("yolox" in problem for problem in made.problems)
    _, settings = vision_models("{tflite: {threads: 3}}")
    assert settings.detectors[0].tflite.threads == 3
    assert settings.detectors[0].plugged is None


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise RuntimeError('because')", "detector bright: its plug-in plug_bright:KIND cannot be loaded"),
        (CODE.replace("make=Bright", "make=lambda o, c: 1 / 0"), "detector bright: its plug-in made none"),
    ],
)
def test_the_model_serves_where_the_plug_in_cannot(install, vision_models, code: str, said: str) -> None:
    install("plug_bright", "blikk.detectors", "bright", code)
    made, settings = vision_models("bright")
    assert any(said in problem and "yolox-nano serves in its place" in problem for problem in made.problems)
    assert made.tools(settings)("door").detector.name != "bright"
