"""A clip through the pipeline of one camera."""

from collections.abc import Iterator
from pathlib import Path

from blikk_edge.app.pipelines import pipeline, sentry
from blikk_edge.app.sight import Sight
from blikk_edge.config.secrets import SourceUrl
from blikk_edge.config.settings import CameraSettings, MqttSettings, NodeSettings, Settings
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import ConfigError
from blikk_edge.core.ports import Item
from blikk_edge.runtime import log
from blikk_edge.runtime.replay import replay as replay_pipeline
from blikk_edge.sources.catalog import open_source

DEFAULTS = Settings(
    node=NodeSettings(id="replay", name="Replay"),
    mqtt=MqttSettings(host="127.0.0.1"),
    cameras=(CameraSettings(id="camera", name="Camera", source=SourceUrl("")),),
)
"""What a clip is replayed with where no configuration is given."""


def replay(
    clip: Path, *, settings: Settings | None = None, camera: str | None = None, start: float = 0.0
) -> Iterator[Item]:
    """Everything the camera of this name (the first, without one) would tell about a clip; see `runtime.replay`."""
    settings = settings or DEFAULTS
    chosen = next((c for c in settings.cameras if camera in (None, c.id)), None)
    if chosen is None:
        known = ", ".join(c.id for c in settings.cameras)
        raise ConfigError(f"no camera {camera!r} in the configuration; it has {known}")
    if not clip.is_file():
        raise ConfigError(f"{clip}: no such clip")
    sight = Sight(settings)
    source = open_source(
        str(clip),
        camera=chosen.id,
        shown=str(clip),
        clock=SystemClock(),
        fps=chosen.fps,
        height_px=chosen.height_px,
        rotate=chosen.rotate,
        watch=chosen.watch,
        sleep_after_s=chosen.sleep_after_s,
        sentry=sentry(chosen),
        realtime=False,
        loop=False,
        start_time=start,
    )
    for note in sight.notes:
        log.part("replay").info("%s", note)
    yield from replay_pipeline(source, pipeline(settings, chosen, ()), sight.eyes(settings)(chosen.id))
