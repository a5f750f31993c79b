"""What an edge client says it found hides nobody: the node looks itself before a Picture of its frame is made."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from annotated_faces import YOLOX, AnnotatedPicture
from looks_once import LooksOnce

from blikk_edge.app.pipelines import pipeline
from blikk_edge.app.replays import DEFAULTS
from blikk_edge.app.vision_models import VisionModels
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.geometry import Box
from blikk_edge.core.picture import SNAPSHOT, Picture
from blikk_edge.core.push_queue import Pushed, PushQueue
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.runtime.pipeline import VisionTools
from blikk_edge.sources.push import PushSource
from blikk_edge.sources.terms import Terms
from blikk_edge.transforms.privacy.heads import HeadMemory
from blikk_edge.transforms.privacy.paint import covered, encode
from blikk_edge.transforms.privacy.redactor import Privacy, _persons

Found = tuple[Detection, ...]
Claim = Callable[[Found], Found | None]


class Watching:
    """The camera's own redactor, which keeps the scene that it was shown."""

    def __init__(self, redactor: Privacy) -> None:
        self.redactor = redactor
        self.scene: Scene | None = None

    def picture(self, scene: Scene, *, name: str, event: str | None = None) -> Picture:
        self.scene = scene
        return self.redactor.picture(scene, name=name, event=event)


@pytest.fixture(scope="module")
def tools(data: Path) -> VisionTools:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BLIKK_MODELS", str(data / YOLOX.parts[0]))
        settings = replace(DEFAULTS, models=replace(DEFAULTS.models, offline=True))
        tools = VisionModels(settings).tools(settings)("camera")
    assert isinstance(tools.redactor, Privacy)
    assert tools.redactor.state.startswith("faces are looked for")
    tools.redactor._faces = LooksOnce(tools.redactor._faces)  # type: ignore[assignment]
    return replace(tools, detector=LooksOnce(tools.detector))


def blurred(picture: AnnotatedPicture, found: Found | None, tools: VisionTools) -> np.ndarray:
    """What is blurred (h, w) in the snapshot of a frame that comes from a client which claims to have found this."""
    push_queue = PushQueue()
    clock = SystemClock()
    push_queue.put(Pushed(seq=1, time=clock.now(), jpeg=encode(picture.bgr, 95), found=found))
    frame = next(PushSource(push_queue, Terms(camera="camera", shown="push", clock=clock)).frames(threading.Event()))
    line, watching = pipeline(DEFAULTS, DEFAULTS.cameras[0], ()), Watching(tools.redactor)
    line.want(SNAPSHOT)
    glanced = line.glance(frame)
    assert glanced is not None
    (_,) = (item for item in line.step(glanced, VisionTools(tools.detector, watching)) if isinstance(item, Picture))
    assert watching.scene is not None
    bgr = frame.bgr()
    watching.redactor._memory = HeadMemory()
    regions = watching.redactor._plan(bgr, _persons(watching.scene, 0.1), frame.time).regions
    return covered(regions, bgr.shape[1], bgr.shape[0])


def lower(found: Found) -> Found:
    """Each person without the upper fifth: the same person still (IoU .8), but for the head."""
    return tuple(
        replace(d, box=Box(d.box.x1, d.box.y1 + 0.2 * d.box.height, d.box.x2, d.box.y2), score=1.0) for d in found
    )


CLAIMS: dict[str, Claim] = {
    "nothing": lambda found: (),
    "persons without their heads": lower,
    "persons as animals": lambda found: tuple(replace(d, label=Label.ANIMAL) for d in found),
    "persons as hardly seen": lambda found: tuple(replace(d, score=0.0) for d in found),
}


@pytest.mark.timeout(300)
def test_no_face_is_bare_that_would_not_be_without_a_client(seen, tools) -> None:
    """A client that sends raw pictures and whatever it likes beside them."""
    faces = hidden = 0
    for each in seen:
        alone = blurred(each.picture, None, tools)
        for name, claim in CLAIMS.items():
            mask = blurred(each.picture, claim(each.detections), tools)
            assert (mask | ~alone).all(), f"{each.picture.name}, client says: {name}"
        faces += len(each.picture.faces)
        hidden += sum(face.covered(alone) for face in each.picture.faces)
    assert faces >= 65
    assert hidden >= faces - 1
