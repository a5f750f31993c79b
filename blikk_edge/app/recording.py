"""Recordings, as a node's settings say; nothing of it is imported where nothing is recorded."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.core.clock import Clock

if TYPE_CHECKING:
    from blikk_edge.app.later_models import LaterModels
    from blikk_edge.recording.clips import Clips
    from blikk_edge.recording.recorder import Recorder
    from blikk_edge.recording.redacting import RedactedClips, Tools
    from blikk_edge.sources.archive import ArchiveSource
    from blikk_edge.sources.tap import Tap
    from blikk_edge.store.store import Store


def recordings_folder(settings: Settings, store: Path) -> Path:
    """Where recordings lie, of the node whose store is there; two nodes of one user have two."""
    return settings.recordings.folder or store.with_name(f"{store.stem}-recordings")


def recorder_of(settings: Settings, store: "Store", clock: Clock) -> "Recorder | None":
    """Who records; None where nothing is recorded."""
    recorded = {camera.id: camera.record for camera in settings.cameras if camera.recorded and camera.record}
    if not recorded:
        return None
    from blikk_edge.recording.recorder import Recorder  # noqa: PLC0415  # only a node that records needs it

    return Recorder(
        recorded,
        folder=recordings_folder(settings, store.path),
        index=store,
        clock=clock,
        min_free_bytes=int(settings.recordings.min_free_gb * 1e9),
        archives=_archives(settings, clock),
    )


def clips_of(settings: Settings, store: "Store", clock: Clock) -> "Clips | None":
    """Who makes clips of events; None where no camera says anything of recordings."""
    cameras = {camera.id: camera.record for camera in settings.cameras if camera.record is not None}
    if not cameras:
        return None
    from blikk_edge.recording.clips import Clips  # noqa: PLC0415  # only a node that records needs it

    return Clips(
        cameras,
        folder=recordings_folder(settings, store.path),
        find=lambda camera, since, until: store.segments(camera, since=since, until=until),
        clock=clock,
        index=store,
    )


def redacted_clips_of(
    settings: Settings, store: "Store", models: "LaterModels", clips: "Clips | None", clock: Clock
) -> "RedactedClips | None":
    """Who makes redacted clips; None where no camera wants them."""
    wanted = [camera for camera in settings.cameras if camera.recorded and camera.record and camera.record.redact]
    if not wanted or clips is None:
        return None
    from blikk_edge.recording.redacting import RedactedCamera, RedactedClips  # noqa: PLC0415  # likewise

    def make_tools() -> "Tools":
        tools = models.tools()
        return lambda camera: (tools(camera).detector, tools(camera).redactor)

    return RedactedClips(
        {
            camera.id: RedactedCamera(options=camera.record, height_px=camera.height_px, rotate=camera.rotate)
            for camera in wanted
            if camera.record is not None
        },
        folder=recordings_folder(settings, store.path),
        clips=clips,
        make_tools=make_tools,
        history=store,
        index=store,
        clock=clock,
    )


def _archives(settings: Settings, clock: Clock) -> "Mapping[str, Callable[[Tap], ArchiveSource]]":
    """The streams that are only recorded, by camera."""
    return {
        camera.id: partial(_archive, camera, clock)
        for camera in settings.cameras
        if camera.recorded and camera.archive is not None
    }


def _archive(camera: CameraSettings, clock: Clock, tap: "Tap") -> "ArchiveSource":
    from blikk_edge.sources.archive import ArchiveSource  # noqa: PLC0415  # only a node that records needs it
    from blikk_edge.sources.terms import Terms  # noqa: PLC0415  # likewise

    assert camera.archive is not None
    terms = Terms(
        camera=camera.id,
        shown=camera.archive.public,
        clock=clock,
        transport=camera.transport,
        connect_timeout_s=camera.connect_timeout_s,
        read_timeout_s=camera.read_timeout_s,
        tap=tap,
    )
    return ArchiveSource(camera.archive.reveal(), terms)
