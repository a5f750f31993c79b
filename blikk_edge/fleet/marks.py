"""By what NATS knows a record again, whoever sends it and however often."""

import hashlib
from typing import Final

from blikk_edge.core.observation import Record
from blikk_edge.wire.records import record_to_text

MARK: Final = "Nats-Msg-Id"
"""The header with a mark; the stream takes a message with one that it knows only once."""


def mark_of(record: Record) -> str:
    """By what a record is known again, whatever it is and in whichever process."""
    return hashlib.blake2b(record_to_text(record).encode(), digest_size=12).hexdigest()
