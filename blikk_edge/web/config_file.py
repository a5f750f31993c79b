"""The configuration of a node as its pages may change it: the zones and private areas of a camera, and nothing else."""

from dataclasses import dataclass
from typing import Protocol

from blikk_edge.core.drawn import Drawn
from blikk_edge.core.errors import BlikkError
from blikk_edge.grammar.problem import Problem


class ConfigChangedError(BlikkError):
    """The file is not the one that was loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InFile:
    """What the file says of a camera now.

    Attributes:
        name: The name of the file, without its folder.
        tag: What stands for the bytes of the whole file.
        drawn: Its zones and private areas; None where the file cannot be read.
        yaml: The text of these keys; empty where there is none of them.
        runs: Whether the node that runs has the same.
        refused: Why the file cannot be written, in a sentence; empty where it can.
        problems: What is wrong with the file as it is.
    """

    name: str
    tag: str = ""
    drawn: Drawn | None = None
    yaml: str = ""
    runs: bool = False
    refused: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What would become of the file.

    Attributes:
        before: The text of these keys as it is.
        yaml: The text of these keys as it would be; where `paste`, what belongs below the camera.
        changed: Whether it would be another file.
        problems: What would be wrong with it, in the words of `blikk check`, and is not wrong now.
        refused: Why the file cannot be written so, in a sentence; empty where it can.
        paste: Whether the text has to be written into the file by hand.
    """

    before: str
    yaml: str
    changed: bool
    problems: tuple[Problem, ...] = ()
    refused: str = ""
    paste: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The file was written.

    Attributes:
        backup: The name of the file that holds what it was before.
        proposal: What was written.
    """

    backup: str
    proposal: Proposal


class ConfigFile(Protocol):
    """The file. Every call blocks: it reads the disk."""

    def read(self, camera: str) -> InFile:
        """What it says of a camera."""
        ...

    def propose(self, camera: str, drawn: Drawn, tag: str) -> Proposal:
        """What would become of it; raises ConfigChangedError where it has another tag."""
        ...

    def save(self, camera: str, drawn: Drawn, tag: str) -> Saved | Proposal:
        """Write it; the proposal where that was not done. Raises ConfigChangedError."""
        ...

    def problems(self) -> tuple[Problem, ...]:
        """What keeps a node from starting with it."""
        ...
