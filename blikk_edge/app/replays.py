"""A clip through the pipeline of one camera."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from blikk_edge.app.pipelines import pipeline, steps_of, wake_detector
from blikk_edge.app.search_model import opened
from blikk_edge.app.stand_ins import ProgressOf
from blikk_edge.app.vision_models import VisionModels, model_folders
from blikk_edge.config.settings import CameraSettings, NodeSettings, Settings
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import ConfigError, ModelError
from blikk_edge.core.ports import Item
from blikk_edge.core.probe import CameraProbe
from blikk_edge.core.scene import Frame
from blikk_edge.core.stages import Source
from blikk_edge.grammar.secrets import SourceUrl
from blikk_edge.runtime.replay import replay as replay_pipeline
from blikk_edge.sinks.mqtt.kind import MqttSettings
from blikk_edge.sources.catalog import open_source
from blikk_edge.sources.duration import duration_s
from blikk_edge.sources.terms import Terms
from blikk_edge.transforms.embedding.reader import LookReader

DEFAULTS = Settings(
    node=NodeSettings(id="replay", name="Replay"),
    mqtt=MqttSettings(host="127.0.0.1"),
    cameras=(CameraSettings(id="camera", name="Camera", source=SourceUrl("")),),
)
"""What a clip is replayed with where no configuration is given."""

Played: TypeAlias = Callable[[float, float | None], None]
"""Called with how many seconds of the clip are done, and of how many in all, where the clip says it."""


def replay(
    clip: Path,
    *,
    settings: Settings | None = None,
    camera: str | None = None,
    start: float = 0.0,
    note: Callable[[str], None] = lambda _text: None,
    played: Played | None = None,
    progress: ProgressOf | None = None,
    probe: CameraProbe | None = None,
) -> Iterator[Item]:
    """Everything the camera of this name (the first, without one) would report about a clip; see `runtime.replay`.

    `note` is called with what is looked with, before the first frame; `progress` gets models that are fetched;
    `probe` sees what happens to the frames.
    """
    settings = settings or DEFAULTS
    chosen = chosen_camera(settings, camera)
    vision_models = VisionModels(settings, progress=progress)
    source = clip_source(clip, chosen, start, probe=probe)
    for text in vision_models.notes:
        note(text)
    if played is not None:
        source = _Counted(source, played, start, duration_s(clip))
    steps = steps_of(chosen, lambda _index, error: note(str(error)))
    yield from replay_pipeline(
        source,
        pipeline(settings, chosen, (), steps, probe=probe),
        vision_models.tools(settings, look_reader(settings, note))(chosen.id),
    )


def chosen_camera(settings: Settings, camera: str | None) -> CameraSettings:
    """The camera of this name, the first without one; raises ConfigError where there is none."""
    chosen = next((c for c in settings.cameras if camera in (None, c.id)), None)
    if chosen is None:
        known = ", ".join(c.id for c in settings.cameras)
        raise ConfigError(f"no camera {camera!r} in the configuration; it has {known}")
    return chosen


def clip_terms(clip: Path, camera: CameraSettings, start: float, probe: CameraProbe | None = None) -> Terms:
    """How a clip is read in the place of this camera."""
    return Terms(
        camera=camera.id,
        shown=str(clip),
        clock=SystemClock(),
        fps=camera.fps,
        height_px=camera.height_px,
        rotate=camera.rotate,
        watch=camera.watch,
        sleep_after_s=camera.sleep_after_s,
        wake_detector=wake_detector(camera),
        realtime=False,
        loop=False,
        start_time=start,
        decoded=None if probe is None else probe.decoded,
    )


def clip_source(clip: Path, camera: CameraSettings, start: float, *, probe: CameraProbe | None = None) -> Source:
    """The clip in the place of this camera."""
    return open_source(str(clip.absolute()), clip_terms(clip, camera, start, probe))


def look_reader(settings: Settings, note: Callable[[str], None]) -> LookReader | None:
    """Who looks at the Pictures, with all the time it takes; without its model it sees colours only."""
    if settings.search is None:
        return None
    try:
        towers = opened(settings.search, model_folders(settings)) if settings.search.of_its_own else None
    except ModelError as error:
        note(str(error))
        towers = None
    return LookReader(lambda: towers, failed=lambda error: note(str(error)), budgeted=False)


class _Counted:
    """A source that knows how far it is."""

    def __init__(self, source: Source, played: Played, start: float, length_s: float | None) -> None:
        self._source = source
        self._played = played
        self._start = start
        self._length_s = length_s

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """The source's own."""
        for frame in self._source.frames(stop):
            self._played(frame.time - self._start, self._length_s)
            yield frame
