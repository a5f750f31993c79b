"""A still image at an address: asked for again and again at an honest rate, through what fails now and then."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Final

from blikk_edge.core.scene import Frame
from blikk_edge.sources.address import Address
from blikk_edge.sources.content import content_of, head_of, picture_in, refusal
from blikk_edge.sources.faults import BROKEN, LOGIN_FAILURES
from blikk_edge.sources.limits import Limit
from blikk_edge.sources.pictures import PictureFrames
from blikk_edge.sources.request import Client, Failed, HttpAnswer
from blikk_edge.sources.terms import Terms

# A still image is asked for this often at most, and no longer than half of the time.
POLLS_PER_S: Final = 5.0
BUSY_SHARE: Final = 0.5
# After a poll that failed the next one waits at least so long, and twice as long after each further one.
RETRY_S: Final = 1.0
DOUBLINGS_MOST: Final = 4
# A server that says so long that nothing is new is asked for the whole picture once, to see whether that is true.
BELIEVED_S: Final = 30.0


class StillAddress:
    """The polls of one still image, over one client.

    Only a picture that is new is a frame: one whose bytes are those of the last, or of which the server says that it
    has not changed, is not. `stream` reads an answer in parts, and returns how many pictures it had, and the last.
    """

    def __init__(
        self,
        client: Client,
        address: Address,
        terms: Terms,
        made: PictureFrames,
        *,
        stream: Callable[[HttpAnswer, Limit, bytes], Generator[Frame, None, tuple[int, bytes]]],
    ) -> None:
        self._client = client
        self._address = address
        self._terms = terms
        self._made = made
        self._stream = stream
        self._conditions: Mapping[str, str] = {}
        self._believed = True
        self._last = b""
        self._new_at = 0.0
        self._took_s = 0.0

    def frames(self, limit: Limit, first: bytes, conditions: Mapping[str, str]) -> Iterator[Frame]:
        """Poll after the `first` picture, which came with these conditions, until `limit.stop`; raises Failed.

        A poll never begins before the one before it has ended. Failures that may pass are waited out within the read
        limit, or for as long as the server asks.
        """
        period_s = 1 / min(self._terms.fps, POLLS_PER_S)
        self._last, self._conditions = first, conditions
        began = failing = self._new_at = time.monotonic()
        self._took_s, failures = 0.0, 0
        while not limit.stop.wait(max(began + period_s, began + self._took_s / BUSY_SHARE) - time.monotonic()):
            began = time.monotonic()
            limit.extend(self._terms.connect_timeout_s)
            try:
                yield from self._poll(limit)
            except Failed as raised:
                failed = raised
            else:
                failures = 0
                continue
            self._client.close()
            failing = failing if failures else began
            pause_s = max(RETRY_S * 2**failures, failed.retry_s)
            patience_s = self._terms.read_timeout_s - (time.monotonic() - failing)
            passing = failed.passing and failed.what not in LOGIN_FAILURES  # each of those may be counted
            if failed.stopped or not passing or patience_s < 0 or failed.retry_s > patience_s:
                raise failed
            began, self._took_s = time.monotonic() + pause_s - period_s, 0.0
            failures = min(failures + 1, DOUBLINGS_MOST)

    def _poll(self, limit: Limit) -> Iterator[Frame]:
        """One poll and the frame of what is new; raises Failed."""
        asked = time.monotonic()
        trusts = self._believed and asked - self._new_at < BELIEVED_S
        try:
            answer = self._client.get(self._conditions if trusts else None)
        except Failed as failed:
            if not failed.unchanged:
                raise
            self._took_s = time.monotonic() - asked
            self._nothing_new()
            return
        limit.extend(self._terms.read_timeout_s)
        if answer.content_type.startswith("multipart/"):
            self._made.why = ""
            count, picture = yield from self._stream(answer, limit, self._last)
            if count > 1:
                raise Failed(BROKEN)
            if not count or self._made.why:
                raise Failed(self._made.why or BROKEN, passing=True)
            if picture == self._last:
                self._nothing_new()
                return
        else:
            head = head_of(answer)
            if (said := refusal(content_of(answer.content_type, head), self._address, answer, head)) is not None:
                raise Failed(said, passing=True)
            picture = picture_in(answer, head)
            self._took_s = time.monotonic() - asked
            if picture == self._last:
                self._nothing_new()
                self._new_at = time.monotonic()
                return
            self._made.due()
            if (frame := self._made.frame(picture)) is None:
                raise Failed(self._made.why, passing=True)
            yield frame
        if not trusts and answer.conditions == self._conditions:
            self._believed = False  # it would have said that this is the one of before
        self._last, self._conditions, self._new_at = picture, answer.conditions, time.monotonic()

    def _nothing_new(self) -> None:
        if self._terms.nothing_new is not None:
            self._terms.nothing_new()
