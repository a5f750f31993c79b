"""The `blikk.yaml` of a node, for its pages: zones and private areas of a camera are read and written."""

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from blikk_edge.app.checking import check
from blikk_edge.config.listening import APP
from blikk_edge.config.loading import Reading, read
from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.config.writing import (
    ChangedError,
    NotWritableError,
    read_bytes,
    replace_config,
    tag_of,
    why_not_writable,
)
from blikk_edge.config.yaml_edit import NotEditableError
from blikk_edge.config.zone_edit import drawn_of, edited, keys_of, only_these_changed, part, says, to_paste
from blikk_edge.core.clock import Clock
from blikk_edge.core.drawn import Drawn
from blikk_edge.core.errors import ConfigError
from blikk_edge.grammar.problem import Problem
from blikk_edge.web.config_file import ConfigChangedError, InFile, Proposal, Saved

APP_MADE: Final = Path("/data")
"""Where the Home Assistant app puts the file that it makes of its options, anew at each start."""

CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""The variable by which systemd says where it has copied the file for the service."""


class NodeConfigFile:
    """Implements `web.config_file.ConfigFile`; `running` are the settings that the node was started with."""

    def __init__(self, path: Path, running: Settings, *, environ: Mapping[str, str], clock: Clock) -> None:
        self._path = path.absolute()
        self._running = running
        self._environ = environ
        self._clock = clock

    def read(self, camera: str) -> InFile:
        """What it says of a camera."""
        try:
            raw = read_bytes(self._path)
        except ConfigError as error:
            return InFile(name=self._path.name, refused=str(error))
        reading = read(self._path, self._environ, raw)
        found = _camera(reading, camera)
        if found is None or reading.problems:
            refused = f"{self._path.name} has problems of its own; mend them first"
            return InFile(name=self._path.name, tag=tag_of(raw), refused=refused, problems=reading.problems)
        now = next((each for each in self._running.cameras if each.id == camera), None)
        return InFile(
            name=self._path.name,
            tag=tag_of(raw),
            drawn=drawn_of(found, keys_of(reading.tree.value, camera)),
            yaml=part(raw, self._path, camera),
            runs=now is not None and (now.zones, now.private) == (found.zones, found.private),
            refused=self._refused(),
        )

    def propose(self, camera: str, drawn: Drawn, tag: str) -> Proposal:
        """What would become of it; raises ConfigChangedError where it has another tag."""
        return self._proposed(camera, drawn, tag)[0]

    def save(self, camera: str, drawn: Drawn, tag: str) -> Saved | Proposal:
        """Write it; the proposal where that was not done. Raises ConfigChangedError."""
        proposal, new = self._proposed(camera, drawn, tag)
        if new is None or proposal.refused or proposal.problems or not proposal.changed:
            return proposal
        try:
            now = datetime.fromtimestamp(self._clock.now(), UTC)
            backup = replace_config(self._path, new, tag=tag, now=now)
        except ChangedError as error:
            raise ConfigChangedError(str(error)) from error
        except NotWritableError as error:
            return replace(proposal, refused=str(error))
        return Saved(backup=backup.name, proposal=proposal)

    def problems(self) -> tuple[Problem, ...]:
        """What keeps a node from starting with it."""
        return read(self._path, self._environ).problems

    def _proposed(self, camera: str, drawn: Drawn, tag: str) -> tuple[Proposal, bytes | None]:
        """The proposal, and the bytes of the whole file; None where it cannot be edited."""
        try:
            raw = read_bytes(self._path)
        except ConfigError as error:
            return Proposal(before="", yaml=to_paste(drawn), changed=True, refused=str(error), paste=True), None
        if tag_of(raw) != tag:
            raise ConfigChangedError(f"{self._path.name} has changed since it was loaded; load it again")
        reading = read(self._path, self._environ, raw)
        found = _camera(reading, camera)
        before = part(raw, self._path, camera)
        if found is None or reading.problems:
            refused = f"{self._path.name} has problems of its own; mend them first"
            return self._to_paste(camera, drawn, before, refused), None
        try:
            new = edited(raw, self._path, camera, drawn_of(found, keys_of(reading.tree.value, camera)), drawn)
        except NotEditableError as error:
            return self._to_paste(camera, drawn, before, f"{self._path.name} cannot be edited here: {error}"), None
        known = {(each.path, each.text) for each in check(self._path, self._environ, raw).problems}
        problems = tuple(
            each for each in check(self._path, self._environ, new).problems if (each.path, each.text) not in known
        )
        whole = problems or (
            only_these_changed(raw, new, self._path, camera, self._environ)
            and says(new, self._path, camera, drawn, self._environ)
        )
        if not whole:
            refused = f"{self._path.name} is written so that an edit here would change something else"
            return self._to_paste(camera, drawn, before, refused), None
        yaml = part(new, self._path, camera)
        return Proposal(before=before, yaml=yaml, changed=new != raw, problems=problems, refused=self._refused()), new

    def _to_paste(self, camera: str, drawn: Drawn, before: str, refused: str) -> Proposal:
        """What somebody has to write into the file, read as `blikk check` reads it."""
        text = to_paste(drawn)
        alone = f"node: node\nmqtt: false\ncameras:\n  {camera}:\n    source: rtsp://localhost/\n"
        reading = read(self._path, self._environ, (alone + textwrap.indent(text, "    ")).encode("utf-8", "replace"))
        problems = tuple(replace(each, line=0) for each in reading.problems)
        return Proposal(before=before, yaml=text, changed=True, problems=problems, refused=refused, paste=True)

    def _refused(self) -> str:
        """Why the file cannot be written, whatever is in it."""
        name = self._path.name
        if self._environ.get(APP) == "1" and self._path.parent == APP_MADE:
            return "the Home Assistant app makes this file of its options at each start; write a blikk.yaml of your own"
        if (copies := self._environ.get(CREDENTIALS)) and self._path.is_relative_to(copies):
            return f"this service reads a copy of {name}; edit the file that `blikk service install` was given"
        return why_not_writable(self._path)


def _camera(reading: Reading, camera: str) -> CameraSettings | None:
    if reading.settings is None:
        return None
    return next((each for each in reading.settings.cameras if each.id == camera), None)
