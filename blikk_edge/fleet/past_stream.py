"""The stream of what members of a site saw, for each other: how it is made, and what is in it."""

import hashlib
import re
from typing import TYPE_CHECKING, Final

from blikk_edge.core.errors import SinkError
from blikk_edge.fleet.names import Names

if TYPE_CHECKING:
    from nats.js import JetStreamContext
    from nats.js.api import StreamInfo

MEMBER: Final = "Blikk-Member"
"""The header that names the member that tells something."""

KEPT_S: Final = 7 * 86400.0
"""So long a member may be away and miss nothing."""

DUPLICATES_S: Final = 120.0
FORGET, WATCHED = "forget", "watched"
"""What is told beside records: what is to be forgotten, and when a member watched its cameras."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


async def make_past(jetstream: "JetStreamContext", names: Names, *, max_bytes: int, copies: int) -> "StreamInfo":
    """Have the stream; one that is there stays as it is.

    It keeps the newest of each subject, so an event is in it once, in its newest revision; what is too old, or too
    much, goes by itself. Raises SinkError, and what the library raises.
    """
    from nats.js.api import RetentionPolicy, StreamConfig  # noqa: PLC0415  # only a node of a fleet needs it
    from nats.js.errors import NotFoundError  # noqa: PLC0415

    try:
        there = await jetstream.stream_info(names.past)
    except NotFoundError:
        config = StreamConfig(
            name=names.past,
            subjects=[names.of_past("*", "*")],
            max_msgs_per_subject=1,
            max_age=KEPT_S,
            max_bytes=max_bytes,
            num_replicas=copies,
            duplicate_window=DUPLICATES_S,
        )
        return await jetstream.add_stream(config)
    if there.config.retention != RetentionPolicy.LIMITS:
        raise SinkError(
            f"the stream {names.past} was made by somebody else, and who reads from it would take from the others; "
            "remove it: it is made anew as it has to be",
            after_s=60.0,
        )
    return there


def made_at(info: "StreamInfo") -> str:
    """Tells one stream from another of the same name that was made later."""
    return str(info.created)


def word_of(key: str) -> str:
    """A key as a word of a subject."""
    return key if _PLAIN.fullmatch(key) else f"={hashlib.blake2b(key.encode(), digest_size=12).hexdigest()}"
