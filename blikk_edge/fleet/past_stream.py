"""The stream of what members of a site saw, for each other: how it is made, and what is in it."""

import hashlib
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blikk_edge.core.errors import SinkError
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.stream_info import moment, stream_info

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

MEMBER: Final = "Blikk-Member"
"""The header that names the member that tells something."""

KEPT_S: Final = 7 * 86400.0
"""So long a member may be away and miss nothing."""

FULL: Final = 0.9
"""A stream with so much of what it may hold has let go of the oldest before that was too old."""

MADE_OTHERWISE: Final = 10058
"""JetStream's code for a stream of that name that is there with other settings."""

DUPLICATES_S: Final = 120.0
FORGET, WATCHED, MARKED = "forget", "watched", "mark"
"""What is told beside records: what is to be forgotten, when a member watched its cameras, marks of the household."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastState:
    """How the stream stands.

    Attributes:
        made: When it was made, as the servers say it: tells one from another of the same name that was made later.
        messages: How many are in it.
        size_bytes: What they take.
        first_seq: The number of the oldest.
        last_seq: The number that was given last.
        since: From when on it has all that was told and is true, seconds since 1970 UTC.
        now: The time of the servers, likewise; None where they are too old to say it.
        max_age_s: How long it keeps what it has.
        full: Whether it has let go of something for want of room.
    """

    made: str
    messages: int
    size_bytes: int
    first_seq: int
    last_seq: int
    since: float
    now: float | None
    max_age_s: float
    full: bool

    def has_let_go(self, seq: int, at: float, now: float) -> bool:
        """Whether something that came after the message of this number and time is gone, but by something newer.

        `now` is for servers that do not say their time. A member that runs tells something every few minutes, so the
        last message that it read is about as old as its absence is long.
        """
        away = (self.now or now) - at > self.max_age_s
        return self.messages > 0 and seq < self.first_seq - 1 and (away or self.full)


async def make_past(jetstream: "JetStreamContext", names: Names, *, max_bytes: int, copies: int) -> None:
    """Have the stream; one that is there stays as it is.

    It keeps the newest of each subject, so an event is in it once, in its newest revision; what is too old, or too
    much, goes by itself. Raises SinkError, and what the library raises.
    """
    from nats.js.api import RetentionPolicy, StreamConfig  # noqa: PLC0415  # only a node of a fleet needs it
    from nats.js.errors import BadRequestError, NotFoundError  # noqa: PLC0415

    try:
        there = (await jetstream.stream_info(names.past)).config
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
        try:
            there = (await jetstream.add_stream(config)).config
        except BadRequestError as error:
            if error.err_code != MADE_OTHERWISE:
                raise
            there = (await jetstream.stream_info(names.past)).config  # another member was quicker, with its settings
    if there.retention != RetentionPolicy.LIMITS:
        raise SinkError(
            f"the stream {names.past} was made by somebody else, and who reads from it would take from the others; "
            "remove it: it is made anew as it has to be",
            after_s=60.0,
        )


async def past_state(client: "Client", link: Link, names: Names) -> PastState:
    """How the stream stands. Raises SinkError, also without one, and what the library raises."""
    info = await stream_info(client, link, names.past)
    if info is None:
        raise SinkError(f"{link}: there is no stream {names.past}; it is made anew")
    state = info["state"]
    messages = int(state["messages"])
    made = str(info["created"])
    return PastState(
        made=made,
        messages=messages,
        size_bytes=int(state["bytes"]),
        first_seq=int(state["first_seq"]),
        last_seq=int(state["last_seq"]),
        now=moment(info["ts"]).timestamp() if "ts" in info else None,
        max_age_s=int(info["config"].get("max_age", 0)) / 1e9 or math.inf,
        full=int(state["bytes"]) > FULL * max(1, int(info["config"].get("max_bytes", 0))),
        since=moment(state["first_ts"] if messages and int(state["first_seq"]) > 1 else made).timestamp(),
    )


def word_of(key: str) -> str:
    """A key as a word of a subject."""
    return key if _PLAIN.fullmatch(key) else f"={hashlib.blake2b(key.encode(), digest_size=12).hexdigest()}"
