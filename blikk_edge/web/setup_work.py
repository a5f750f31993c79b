"""What the set-up page needs done: a camera and a broker tried, a configuration shown and written."""

from dataclasses import dataclass, field
from typing import Protocol

from blikk_edge.core.picture import Picture
from blikk_edge.grammar.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCamera:
    """A camera, as somebody has described it.

    Attributes:
        name: What it shows.
        source: Its address.
        doorbell: Whether it is one.
    """

    name: str
    source: str = field(repr=False)
    doorbell: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerBroker:
    """A broker, as somebody has described it.

    Attributes:
        host: Its name or address.
        port: Its TCP port; None: the usual one.
        tls: Whether it is reached by TLS.
        username: Who logs in there; empty: nobody.
        password: With what; empty: without.
    """

    host: str
    port: int | None = None
    tls: bool = False
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """All that set-up asks for.

    Attributes:
        name: What the node is called.
        language: The short tag of its language; empty: English, or Home Assistant's.
        cameras: At least one.
        broker: None: there is none.
        address: By which address the page was asked for: `http://host:port`.
    """

    name: str
    language: str
    cameras: tuple[AnswerCamera, ...]
    broker: AnswerBroker | None
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What would be written.

    Attributes:
        yaml: The text of `blikk.yaml`; what is secret is only named in it.
        secrets: The names in `secrets.yaml`.
        problems: What `blikk check` says of it.
        notes: What else it says, that stops nothing.
    """

    yaml: str
    secrets: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A configuration was written.

    Attributes:
        file: Where.
        view: The token of who may look.
        control: The token of who may also change something.
        here_only: Whether the pages of the node are for its own machine alone.
    """

    file: str
    view: str = field(repr=False)
    control: str = field(repr=False)
    here_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCamera:
    """A camera that has answered on this network.

    Attributes:
        what: What it calls itself.
        source: Its address, without user and password.
    """

    what: str
    source: str


class SetupWork(Protocol):
    """Does it; every call raises BlikkError in words that may be shown."""

    name: str
    file: str

    async def find_cameras(self) -> tuple[FoundCamera, ...]:
        """Those that answer on this network."""
        ...

    async def try_camera(self, source: str) -> Picture:
        """Open a camera and give a redacted picture of it."""
        ...

    async def try_broker(self, broker: AnswerBroker) -> None:
        """Log in at a broker."""
        ...

    def review(self, answers: Answers) -> Review:
        """What would be written; blocks."""
        ...

    def write(self, answers: Answers) -> Written:
        """Write it, where nothing is yet; blocks."""
        ...
