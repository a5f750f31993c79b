"""What updates remember: one file, replaced whole."""

import dataclasses
import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from blikk_update.errors import UpdateError
from blikk_update.places import sync_folder

Stage = Literal["copying", "switched", "undoing"]
_NAME: Final = "state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change from one slot to another that is not finished."""

    old: str
    """The version to which it goes back."""
    new: str
    """The version on trial."""
    stage: Stage
    """`copying`: the new slot was never started. `switched`: it may have been. `undoing`: the way back has begun."""
    running: bool
    """Whether the node was meant to run before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A change replaces it: `dataclasses.replace`, then `save`."""

    serial: int = 0
    """Of the newest index that was accepted."""
    previous: str | None = None
    """The version to which `rollback` goes."""
    layouts: dict[str, int] = field(default_factory=dict)
    """Of the databases as `previous` left them."""
    copied: str | None = None
    """When the database of `previous` was copied, in ISO 8601; None where no copy is kept."""
    bad: dict[str, str] = field(default_factory=dict)
    """Versions that are not tried again by themselves, and why."""
    tries: dict[str, int] = field(default_factory=dict)
    """How often a version failed where something else may have been the cause."""
    change: Change | None = None
    """None where nothing is unfinished."""
    checked: str | None = None
    """When an index was last accepted, in ISO 8601."""
    newest: str | None = None
    """The newest version in it that fits this machine."""
    last: str | None = None
    """What the last change came to, in one line."""


def load(own: Path) -> State:
    """The state; the first one where there is none. Raises UpdateError."""
    path = own / _NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return State()
    except OSError as error:
        raise UpdateError(f"{path} cannot be read: {error.strerror}") from error
    try:
        content: dict[str, Any] = json.loads(text)
        if content.get("change") is not None:
            content["change"] = Change(**content["change"])
        return State(**content)
    except (ValueError, TypeError) as error:
        raise UpdateError(f"{path} is damaged ({error}); remove it to begin anew") from error


def save(own: Path, state: State) -> None:
    """Write it so that a power cut leaves this state or the one before. Raises OSError."""
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = own / f"{_NAME}.new"
    with beside.open("w", encoding="utf-8") as file:
        json.dump(dataclasses.asdict(state), file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(own / _NAME)
    sync_folder(own)


def stamp(now: datetime) -> str:
    """A time as the state keeps it."""
    return now.isoformat(timespec="seconds")
