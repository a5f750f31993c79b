"""`blikk clip`: the recording of an event as a file, beside a node that runs or without one."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from blikk_edge.app.asking import asked_of_node, opened_store
from blikk_edge.app.identity import store_path
from blikk_edge.app.recording import recordings_folder
from blikk_edge.config.settings import Settings
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import ConfigError, StoreError
from blikk_edge.core.inquiry import ListEvents
from blikk_edge.core.recordings import EventClip

Found = tuple[str, float, float | None]
"""Camera, start and end of an event."""


def clip(settings: Settings, event: str, target: Path, *, environ: Mapping[str, str]) -> EventClip:
    """Write the clip of an event to `target`. Raises BlikkError: no such event, nothing recorded, no store, no node."""
    recorded = {camera.id: camera.record for camera in settings.cameras if camera.record is not None}
    if not recorded:
        raise ConfigError("no camera of this configuration is recorded; add `record: events` to one")
    from blikk_edge.recording.clips import Clips  # noqa: PLC0415  # a command line without it is quicker
    from blikk_edge.recording.folder import FolderIndex  # noqa: PLC0415  # likewise

    path = store_path(settings, environ)
    camera, started, ended = _event(settings, path, event)
    if camera not in recorded:
        raise StoreError(f"{event}: its camera {camera!r} is not recorded")
    folder = recordings_folder(settings, path)
    # By the names of the files: a node that runs has the store for itself.
    clips = Clips(recorded, folder=folder, find=FolderIndex(folder).segments, clock=SystemClock())
    if recorded[camera].redact:
        made = clips.clip(camera, event, started, ended)
        if made is not None:
            _copy(made.path, target)
            made = EventClip(path=target, redacted=True, size_bytes=made.size_bytes)
    else:
        made = clips.write(camera, started, ended, target)
    if made is None:
        more = " that is redacted (yet)" if recorded[camera].redact else ""
        raise StoreError(f"{event}: there is no recording{more}")
    return made


def _event(settings: Settings, store: Path, event: str) -> Found:
    opened = opened_store(store)
    if not isinstance(opened, StoreError):
        try:
            found = opened.event(event)
        finally:
            opened.close()
        if found is None:
            raise StoreError(f"there is no event {event[:80]!r} in the store (any more)")
        return found.camera, found.started, found.ended
    reply = asked_of_node(settings, ListEvents(event=event, limit=1), store, opened)
    events = reply.get("events")
    if not reply.get("ok") or not isinstance(events, list) or not events or not isinstance(events[0], dict):
        raise StoreError(str(reply.get("error") or f"the node knows no event {event[:80]!r} (any more)"))
    known = events[0]
    ended = known.get("ended")
    return str(known["camera"]), _time(known["started"]), None if ended is None else _time(ended)


def _time(text: object) -> float:
    return datetime.fromisoformat(str(text)).timestamp()


def _copy(source: Path, target: Path) -> None:
    import shutil  # noqa: PLC0415  # for few

    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror}; name another file with -o") from error
