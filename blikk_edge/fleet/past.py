"""The past of a site: what this member saw is told to the others, and what they saw is taken into its own history."""

import asyncio
import json
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError, StoreError, WireError, quote
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.observation import Event, Observation, Ring
from blikk_edge.core.ports import Pending
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraState
from blikk_edge.core.summary import Summary
from blikk_edge.core.trouble import Trouble
from blikk_edge.fleet.link import Link, heed_cancellation
from blikk_edge.fleet.marks import MARK, mark_of
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.past_stream import FORGET, MARKED, MEMBER, WATCHED, PastState, make_past, past_state, word_of
from blikk_edge.fleet.pull import Pull
from blikk_edge.fleet.stream_info import moment
from blikk_edge.sinks.watched import ELSEWHERE, ELSEWHERE_UNTIL, newest_spans
from blikk_edge.sinks.watched import KEY as WATCHED_HERE
from blikk_edge.store.past import PLACE, SINK, Forgotten, Past, Told, key_of
from blikk_edge.store.store import Store
from blikk_edge.wire.records import record_from_text, record_kind, record_to_text

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

LOG = logging.getLogger("blikk.past")

BATCH: Final = 256
TOLD: Final = 64
"""Messages that are told at once: a NATS that syncs each in 100 ms has them within ANSWER_S."""

ANSWER_S: Final = 10.0
AGAIN_S: Final = 2.0
BEHIND: Final = 3
"""After so many looks in which nothing came of what is there, it is listened to anew."""

SETTLES_S: Final = 30.0
"""So long it is waited at most, before this member tells anything, until it knows what the others have told."""

SAY_S: Final = 2.0
WATCHED_S: Final = 60.0
KNOWN_S: Final = 300.0
"""How often it is kept that what others told is known until now; half of the shortest gap that counts."""

WATCHED_BYTES: Final = 500_000
WATCHED_SPANS: Final = 10
"""Of a record that is larger than WATCHED_BYTES so many spans of a camera are told: NATS takes 1 MB at once."""

IDLE_S: Final = 60.0
"""NATS forgets a reader of the stream that has not been heard of for so long."""

LATELY: Final = 100
"""So many requests are known to forget what was seen before them, and is told after them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where the stream was read.

    Attributes:
        stream: Which one, by when it was made.
        seq: The number of the last message that was taken.
        at: When NATS took that one, seconds since 1970 UTC.
    """

    stream: str = ""
    seq: int = 0
    at: float = 0.0


class SitePast:
    """Reads what members tell, into the `store`, and tells what belongs to no record; `sink` tells records.

    `run` until cancelled; what NATS cannot give now comes later. `forget` is how it is forgotten here;
    `lost` says of a camera and a fence whether who watched it under this one does so no more, `others_watch` of a
    camera whether another member watches it now.
    `looks`: what things looked like is told and read too. `max_bytes` counts for who makes the stream.
    """

    name = "past"

    def __init__(
        self,
        link: Link,
        names: Names,
        store: Store,
        *,
        member: str,
        clock: Clock,
        forget: Callable[[Forget], Awaitable[int]],
        lost: Callable[[str, int], bool],
        others_watch: Callable[[str], bool],
        max_bytes: int,
        looks: bool = False,
    ) -> None:
        self._link = link
        self._names = names
        self._store = store
        self._member = member
        self._clock = clock
        self._forget_here = forget
        self._lost = lost
        self._others_watch = others_watch
        self._looks = looks
        self._open: Sequence[Event] = ()
        self._max_bytes = max_bytes
        self._trouble = Trouble(LOG, "the past of the site: %s")
        self._unread = Trouble(LOG, "what other members tell and cannot be read here is passed over: %s")
        self._current = asyncio.Event()
        self._behind = 0
        self._backoff = Backoff()
        self._kept: str | None = None
        self._lately: deque[Forget] = deque(maxlen=LATELY)
        self._jetstream: tuple[Client, JetStreamContext] | None = None
        self.telling = asyncio.Lock()
        """Held while something is told: what is forgotten meanwhile is told after it."""

        self.sink = PastSink(self, looks=looks)

    @property
    def problem(self) -> str | None:
        """What is wrong now; None while all is well, and without NATS, which is said of the membership."""
        return self._trouble.now if self._link.connected else None

    @property
    def behind(self) -> int:
        """How many messages are in the stream that were not taken yet, at the last look."""
        return self._behind

    async def run(self) -> None:
        """Read and tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_on(), name="past.read")
            group.create_task(self._tell_on(), name="past.tell")

    def seen(self, states: Sequence[CameraState]) -> tuple[CameraState, ...]:
        """How cameras are as the site knows it: of one that another member watches who is there, by its open events."""
        return tuple(self._seen(state) if self._others_watch(state.camera) else state for state in states)

    def _seen(self, state: CameraState) -> CameraState:
        counts: Counter[Label] = Counter()
        for event in self._open:
            if event.camera == state.camera:
                counts[event.label] += max(1, len(event.objects))
        return replace(state, online=True, counts=tuple(counts.items()))

    async def forget(self, request: Forget) -> int:
        """Forget here, and have it told to the site, also to members that are away; how many events went here.

        Raises StoreError.
        """
        await asyncio.to_thread(self._store.note_forgotten, request, self._clock.now())
        return await self._forget_here(request)

    async def stream(self) -> "JetStreamContext":
        """JetStream, with the stream in it. Raises SinkError."""
        client = await self._link.client()
        if self._jetstream is None or self._jetstream[0] is not client:
            # each one that publishes listens for answers until the connection ends
            self._jetstream = client, await self._link.open()
        jetstream = self._jetstream[1]
        try:
            async with asyncio.timeout(ANSWER_S):
                await make_past(jetstream, self._names, max_bytes=self._max_bytes, copies=self._link.copies)
        except Exception as error:
            raise self._link.error(error) from error
        return jetstream

    async def settled(self) -> None:
        """Wait until it is known what the others have told. Raises SinkError where that takes longer than SETTLES_S."""
        try:
            async with asyncio.timeout(SETTLES_S):
                await self._current.wait()
        except TimeoutError as error:
            raise SinkError("", after_s=0) from error

    async def tell(self, jetstream: "JetStreamContext", messages: Sequence[tuple[str, str, str]]) -> None:
        """Publish these (subject, text, mark) and wait until they are kept. Raises what the library raises."""
        under_way: list[asyncio.Future[Any]] = []
        try:
            for subject, text, mark in messages:
                headers = {MEMBER: self._member, **({MARK: mark} if mark else {})}
                under_way.append(
                    await jetstream.publish_async(subject, text.encode(), stream=self._names.past, headers=headers)
                )
            async with asyncio.timeout(ANSWER_S):
                for answer in under_way:
                    await answer
        except BaseException:
            self._jetstream = None  # what the library began and did not end counts for it
            raise
        finally:
            for answer in under_way:
                answer.cancel()

    def subject(self, kind: str, key: str) -> str:
        """Where one thing is told."""
        return self._names.of_past(kind, word_of(key))

    async def still_there(self, records: Sequence[Past]) -> Sequence[Past]:
        """Those of these that were not forgotten meanwhile. Raises SinkError."""
        try:
            return await asyncio.to_thread(self._store.still_there, records)
        except StoreError as error:
            raise SinkError(str(error)) from error

    def is_too_large(self, message: tuple[str, str, str]) -> bool:
        """Whether NATS never takes this one."""
        return len(message[1]) > self._link.text_max

    def failure(self, error: Exception) -> SinkError:
        """What went wrong, for who tries again; without words where that is said of the membership."""
        said = self._link.error(error)
        return said if self._link.connected else SinkError("", after_s=AGAIN_S)

    # -- reading -------------------------------------------------------------------------------------------------

    async def _follow_on(self) -> None:
        while True:
            heed_cancellation()
            try:
                await self._follow()
            except StoreError as error:
                self._trouble.start(str(error))
            except Exception as error:  # noqa: BLE001 - whatever the library raises
                self._trouble.start(str(self._link.error(error)), quietly=not self._link.connected)
            self._current.clear()
            # a right that is missing stays so for long; an outage ends at once
            await self._clock.sleep(self._backoff.next_s() if self._link.connected else AGAIN_S)

    async def _follow(self) -> None:
        """Read from where it was until that breaks, or another stream is there."""
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy  # noqa: PLC0415  # see Link

        jetstream = await self.stream()
        place, last_seq = await self._begin()
        made = await jetstream.add_consumer(
            self._names.past,
            ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=place.seq + 1,
                ack_policy=AckPolicy.NONE,
                inactive_threshold=IDLE_S,
                num_replicas=1,
                mem_storage=True,
            ),
        )
        if not made.num_pending:
            place = replace(place, seq=last_seq)  # what came after it was taken out of the stream
        pull = Pull(self._link, self._names.past, made.name)
        await pull.open()
        looks = got = 0
        try:
            while True:
                heed_cancellation()
                messages = await pull.take(BATCH)
                if messages:
                    whole = _whole(messages, got)
                    looks, got, place = 0, got + len(whole), await self._take(place, whole)
                    if len(whole) < len(messages):
                        return  # some were lost on their way
                    if self._current.is_set():
                        continue
                state = await self._state()
                if state.made != place.stream:
                    LOG.warning("the stream %s was made anew; it is read from its beginning", self._names.past)
                    return
                newest = state.last_seq if state.messages else place.seq
                self._behind = max(0, newest - place.seq)
                if not self._behind:
                    looks = 0
                    self._backoff.reset()
                    self._trouble.end("the past of the site is known again")
                    self._current.set()
                elif not messages and (looks := looks + 1) >= BEHIND:
                    return
        finally:
            await pull.rest()

    async def _begin(self) -> tuple[Place, int]:
        """Where to go on, and the number that was given last. What nobody can tell any more is not known: kept too."""
        state = await self._state()
        self._kept = await asyncio.to_thread(self._store.recall, PLACE)
        kept = _place(self._kept)
        place = kept if kept.stream == state.made and kept.seq <= state.last_seq else Place(state.made, 0)
        missed = place.seq > 0 and state.has_let_go(place.seq, place.at, self._clock.now())
        if missed:
            LOG.warning("this node was away for longer than the site's past is kept; some of it is not known here")
        if missed or not place.seq:
            await asyncio.to_thread(self._note_elsewhere, state.since, {})
        return place, state.last_seq

    async def _state(self) -> PastState:
        async with asyncio.timeout(ANSWER_S):
            return await past_state(await self._link.client(), self._link, self._names)

    async def _take(self, place: Place, messages: "Sequence[Msg]") -> Place:
        """Take what was told, in its order. Raises StoreError."""
        told, marks = list[Told](), dict[str, str]()
        unread: str | None = None
        for message in messages:
            metadata = message.metadata
            seq, kind = metadata.sequence.stream, message.subject.split(".")[-2]
            member = (message.headers or {}).get(MEMBER, "")
            text = message.data.decode(errors="replace")
            try:
                if kind == FORGET:
                    request = _request(text)
                    await self._keep(replace(place, seq=seq - 1), told, marks)
                    told, marks = [], {}
                    await self._forget_here(request)
                    self._lately.append(request)
                elif kind == WATCHED:
                    if member != self._member:
                        await asyncio.to_thread(self._note_elsewhere, None, {member: text})
                elif kind == MARKED:
                    marks |= _texts(text)
                elif text:
                    record = _record(text)
                    if self._looks or not isinstance(record, Observation):
                        told.append(Told(record, member))
            except WireError as error:
                unread = str(error)
            place = replace(place, seq=seq, at=moment(metadata.timestamp).timestamp())
        await self._keep(place, told, marks)
        if unread is not None:
            self._unread.start(quote(unread))
        return place

    async def _keep(self, place: Place, told: Sequence[Told], marks: Mapping[str, str]) -> None:
        text = json.dumps([place.stream, place.seq, place.at])
        lately = tuple(self._lately)
        await asyncio.to_thread(self._store.take, tuple(told), place=text, after=self._kept, marks=marks, lately=lately)
        self._kept = text

    def _note_elsewhere(self, since: float | None, told: Mapping[str, str]) -> None:
        """Keep when others watched, and since when all that members tell is known; blocking."""
        kept = _object(self._store.recall(ELSEWHERE))
        members = {**_object(kept.get("members")), **{member: _object(text) for member, text in told.items()}}
        since = max(float(kept.get("since", 0.0)), since or 0.0)
        self._store.remember(ELSEWHERE, json.dumps({"since": since, "members": members}, separators=(",", ":")))

    # -- telling -------------------------------------------------------------------------------------------------

    async def _tell_on(self) -> None:
        """Tell what was forgotten, and when cameras were watched; end what nobody can end any more."""
        watched, watched_at, known_at = "", -WATCHED_S, -KNOWN_S
        while True:
            await self._clock.sleep(SAY_S)
            heed_cancellation()
            if not self._link.connected or not self._current.is_set():
                continue
            try:
                await self._tell_forgotten()
                await self._tell_marked()
                if self._clock.monotonic() - watched_at >= WATCHED_S:
                    watched_at = self._clock.monotonic()
                    watched = await self._tell_watched(watched)
                if self._clock.monotonic() - known_at >= KNOWN_S:
                    known_at = self._clock.monotonic()
                    await asyncio.to_thread(self._store.remember, ELSEWHERE_UNTIL, f"{self._clock.now():.0f}")
                await self._cut_off()
            except Exception as error:  # noqa: BLE001 - whatever the library raises
                LOG.debug("%s", self._link.error(error) if not isinstance(error, StoreError) else error)

    async def _tell_forgotten(self) -> None:
        """What was forgotten leaves the stream, as something newer with nothing in it takes its place there."""
        those: Sequence[Forgotten] = await asyncio.to_thread(self._store.forgotten)
        if not those:
            return
        async with self.telling:
            jetstream = await self.stream()
            for each in those:
                when = each.request.until
                emptied = [
                    (self.subject(kind, key), "", f"gone-{when}-{kind}-{word_of(key)}") for kind, key in each.gone
                ]
                for start in range(0, len(emptied), TOLD):
                    await self.tell(jetstream, emptied[start : start + TOLD])
                text = json.dumps({name: getattr(each.request, name) for name in ("camera", "event", "since", "until")})
                await self.tell(jetstream, [(self.subject(FORGET, f"{self._member} {text}"), text, "")])
            await asyncio.to_thread(self._store.told_forgotten, those)

    async def _tell_marked(self) -> None:
        marks = await asyncio.to_thread(self._store.marks)
        if not marks:
            return
        said = [(self.subject(MARKED, id_), json.dumps({id_: mark}), "") for id_, mark in marks.items()]
        await self.tell(await self.stream(), said)
        await asyncio.to_thread(self._store.told_marked, marks)

    async def _tell_watched(self, before: str) -> str:
        text = await asyncio.to_thread(self._store.recall, WATCHED_HERE) or ""
        if text and text != before:
            said = (
                text
                if len(text) <= min(WATCHED_BYTES, self._link.text_max)
                else await asyncio.to_thread(newest_spans, text, WATCHED_SPANS)
            )
            await self.tell(await self.stream(), [(self.subject(WATCHED, self._member), said, "")])
        return text

    async def _cut_off(self) -> None:
        """End the events of members that watch the camera no more and did not tell an end."""
        open_ = await asyncio.to_thread(self._store.open_elsewhere)
        ids = {event.id for event in open_ if event.fence is not None and self._lost(event.camera, event.fence)}
        self._open = [event for event in open_ if event.id not in ids]
        if ids:
            await asyncio.to_thread(self._store.cut_off, tuple(ids))


class PastSink:
    """Tells the site what this member saw: events, rings, summaries, and what things looked like. A durable sink."""

    name = SINK
    batch = TOLD

    def __init__(self, past: SitePast, *, looks: bool) -> None:
        self.takes: Collection[str] | None = frozenset(
            {"event", "ring", "summary", *(("observation",) if looks else ())}
        )
        self._past = past
        self._jetstream: JetStreamContext | None = None

    async def open(self) -> None:
        """Have the stream, and know what was told: what is to be forgotten is not to be told. Raises SinkError."""
        self._jetstream = None
        try:
            self._jetstream = await self._past.stream()
        except SinkError as error:
            raise self._past.failure(error) from error
        await self._past.settled()

    async def send(self, batch: Sequence[Pending]) -> None:
        """Tell these, of each the newest revision. Raises SinkError."""
        assert self._jetstream is not None  # opened before
        newest: dict[tuple[str, str], Past] = {}
        for pending in batch:
            record = pending.record
            if isinstance(record, Event | Ring | Summary) or (isinstance(record, Observation) and record.appearances):
                newest.pop(place := (record_kind(record), key_of(record)), None)
                newest[place] = record
        async with self._past.telling:
            left = await self._past.still_there(tuple(newest.values()))
            messages = {
                each: (self._past.subject(record_kind(each), key_of(each)), record_to_text(each), mark_of(each))
                for each in left
            }
            refused = [each for each, message in messages.items() if self._past.is_too_large(message)]
            try:
                await self._past.tell(self._jetstream, [messages[each] for each in left if each not in refused])
            except Exception as error:
                raise self._past.failure(error) from error
        if refused:
            given_up = {pending.seq for pending in batch if pending.record in refused}
            raise SinkError(
                f"NATS does not take {len(refused)} of {len(left)} records, which are given up: larger than its "
                "max_payload",
                taken={pending.seq for pending in batch} - given_up,
                refused=given_up,
            )

    async def close(self) -> None:
        """Nothing is its own: the connection is the membership's."""
        self._jetstream = None


def _place(text: str | None) -> Place:
    try:
        stream, seq, at = json.loads(text or "[]")
        return Place(str(stream), int(seq), float(at))
    except (ValueError, TypeError, RecursionError):
        return Place()


def _whole(messages: "Sequence[Msg]", got: int) -> "Sequence[Msg]":
    """Those before the first one that was lost on its way; `got` came before. The server counts all that it sends."""
    for number, message in enumerate(messages):
        if message.metadata.sequence.consumer != got + number + 1:
            return messages[:number]
    return messages


def _record(text: str) -> Past:
    """Raises WireError."""
    record = record_from_text(text)
    if not isinstance(record, Event | Ring | Summary | Observation):
        raise WireError(f"no {record_kind(record)} is told")
    return record


def _request(text: str) -> Forget:
    """What `_tell_forgotten` wrote. Raises WireError."""
    try:
        content = json.loads(text)
        camera, event, since, until = (content.get(name) for name in ("camera", "event", "since", "until"))
        for each in (camera, event):
            str(each).encode()  # half a letter is none
        return Forget(
            camera=None if camera is None else str(camera),
            event=None if event is None else str(event),
            since=None if since is None else float(since),
            until=float(until),
        )
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise WireError(f"nothing to forget: {error}") from error


def _texts(text: str) -> dict[str, str]:
    return {key: value for key, value in _object(text).items() if isinstance(value, str)}


def _object(text: object) -> dict[str, Any]:
    """A JSON object; empty where it is none."""
    try:
        content = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
