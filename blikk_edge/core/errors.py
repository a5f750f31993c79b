"""Expected failures: each says who, what and how to mend it, and never a secret."""

from typing import Final

QUOTE_MAX: Final = 160


class BlikkError(Exception):
    """An expected failure. Told once when it starts and once when it ends; retried where that can help."""


class ConfigError(BlikkError):
    """The configuration cannot be used."""


class SourceError(BlikkError):
    """A camera's stream cannot be opened or read."""


class ModelError(BlikkError):
    """A model is missing, damaged or not what it claims to be."""


class PrivacyError(BlikkError):
    """Faces could not be looked for; no Picture was made."""


class SinkError(BlikkError):
    """A record or Picture could not be delivered now."""


class StoreError(BlikkError):
    """The store on disk cannot be read or written."""


class StoreBusyError(StoreError):
    """Another process has the store: mostly a node that runs."""


class WireError(BlikkError):
    """Bytes from outside are not a message of the contract."""


class LlmError(BlikkError):
    """A language model could not be asked, or its answer cannot be used. The template serves."""


def quote(text: str) -> str:
    """What somebody else said, as one short line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * QUOTE_MAX]).split())
    return line if len(line) <= QUOTE_MAX else line[: QUOTE_MAX - 1] + "…"
