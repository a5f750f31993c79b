"""Expected failures: each says who, what and how to mend it, and never a secret."""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Final, Self

QUOTE_MAX: Final = 160


class Trouble(StrEnum):
    """What most often keeps a camera or a broker away; pages say it in the words of their language."""

    ADDRESS = "address"
    REFUSED = "refused"
    UNKNOWN_HOST = "unknown_host"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    LOGIN = "login"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    NO_VIDEO = "no_video"
    NO_MQTT = "no_mqtt"
    TLS = "tls"


class BlikkError(Exception):
    """An expected failure. Logged once when it starts and once when it ends; retried where that can help.

    Attributes:
        trouble: What kind of failure it is; None: another one, of which there is only the text.
    """

    trouble: Trouble | None = None

    def of(self, trouble: Trouble | None) -> Self:
        """The same error, which says what kind of failure it is."""
        self.trouble = trouble
        return self


class ConfigError(BlikkError):
    """The configuration cannot be used."""


class SourceError(BlikkError):
    """A camera's stream cannot be opened or read.

    Attributes:
        retry_s: Not before so many seconds is it worth trying again; 0: as soon as anything else is.
        more: What its text says of this kind of camera, beside what went wrong.
    """

    def __init__(self, text: str, *, retry_s: float = 0.0, more: str = "") -> None:
        super().__init__(text)
        self.retry_s = retry_s
        self.more = more


class ModelError(BlikkError):
    """A model is missing, damaged or not what it claims to be."""


class StepError(BlikkError):
    """A step that was added to a pipeline cannot go on; the text is shown, so it holds no pixels."""


class PrivacyError(BlikkError):
    """Faces could not be looked for; no Picture was made."""


class SinkError(BlikkError):
    """A record or Picture could not be delivered now.

    `after_s` is when to come back, at the earliest; None leaves that to whoever tries again, 0 to the sink's `open`,
    which is called again at once, but not more often than once a second. Without a text the sink itself reports what is
    wrong. Of a batch, `taken` are the numbers of the records that arrived all the same, `refused` of those that will
    never be taken.
    """

    def __init__(
        self,
        text: str = "",
        *,
        after_s: float | None = None,
        taken: Collection[int] = (),
        refused: Collection[int] = (),
    ) -> None:
        super().__init__(text)
        self.after_s = after_s
        self.taken = taken
        self.refused = refused


class StoreError(BlikkError):
    """The store on disk cannot be read or written."""


class StoreBusyError(StoreError):
    """Another process has the store: mostly a node that runs."""


class WireError(BlikkError):
    """Bytes from outside are not a message of the contract."""


class LlmError(BlikkError):
    """A language model could not be asked, or its answer cannot be used. The template serves."""


def some_of(names: Sequence[str], most: int) -> str:
    """The first `most` of them in a row, and how many more there are; empty for none."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def quote(text: str) -> str:
    """What somebody else said, as one short line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * QUOTE_MAX]).split())
    return line if len(line) <= QUOTE_MAX else line[: QUOTE_MAX - 1] + "…"
