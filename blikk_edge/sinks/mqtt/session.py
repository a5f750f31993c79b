"""What is sent and received on one connection, from `online` to `offline`."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from typing import Final

import aiomqtt

from blikk_edge.core.allowance import COMMANDS, COMMANDS_PER_S, Allowance
from blikk_edge.core.clock import Clock
from blikk_edge.core.commands import Snapshot
from blikk_edge.core.errors import SinkError, WireError
from blikk_edge.core.inquiry import Answerer, Forget, Mark, Request
from blikk_edge.core.locale import Claim, LocaleNow
from blikk_edge.core.observation import Shown, Withdrawn
from blikk_edge.core.permit import Permit
from blikk_edge.core.picture import SNAPSHOT, Picture
from blikk_edge.core.ports import Order, Pending
from blikk_edge.core.rate_limited_log import RateLimitedLog
from blikk_edge.core.status import CameraAvailability, Health, NodeInfo, Status
from blikk_edge.sinks.mqtt.asked import RequestHandler
from blikk_edge.sinks.mqtt.connection import TOO_LARGE, Connection, Outcome
from blikk_edge.sinks.mqtt.newest import Newest
from blikk_edge.sinks.mqtt.retained import Retained
from blikk_edge.sinks.mqtt.role import NODE, Role
from blikk_edge.sinks.mqtt.troubles import BrokerTrouble, BrokerTroubles
from blikk_edge.wire.claim import read_claim
from blikk_edge.wire.commands import SETTINGS
from blikk_edge.wire.discovery_planner import Advice, DiscoveryPlanner
from blikk_edge.wire.messages import Message, announce, availability, decode_command, encode
from blikk_edge.wire.shorter import shorter
from blikk_edge.wire.topics import Topics

LOG = logging.getLogger("blikk.mqtt")

WINDOW: Final = 16
"""Records under way at once, where the broker allows as many: four others may be beside them."""

UNCLEAR_TRIES: Final = 8
"""A record that the broker refuses without a reason is lost after so many tries: some two minutes."""

QUOTA_S: Final = 5.0
"""From a state that met a quota to the next try."""

MISSED_S: Final = 30.0
"""From a discovery payload that the broker did not take for now to the next try."""

CALM_S: Final = 1.0
"""Births and claims are heeded once in this time; the newest counts."""

HELD_UP_S: Final = 10.0
"""So long at most config topics that go on changing put off that ours are published again."""

NO_RETAIN: Final = (
    "the broker keeps no retained messages: after its restart Home Assistant shows nothing until all is published "
    "again, and no offline of a node that is gone"
)
ENTITIES_LEFT_OUT: Final = (
    "entities are left out in Home Assistant: larger than the Maximum Packet Size of the broker allows; raise that"
)
NO_ACKNOWLEDGEMENT: Final = "the broker takes QoS 0 only: what is lost on the way to it is not published again"


class Session:
    """One connection's work; methods raise MqttError when the connection is gone.

    `beside` runs while it goes on; an MqttError of it ends the session too. `role` is what it says and hears. One that
    does not listen publishes alone: it takes no commands and requests, and leaves what the broker keeps as it is. With
    a `permit` it says nothing of cameras that are not held now.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        node: NodeInfo,
        topics: Topics,
        newest: Newest,
        planner: DiscoveryPlanner,
        order: Order,
        ask: Answerer | None,
        locale: LocaleNow,
        claimed: Callable[[Claim], None],
        clock: Clock,
        troubles: BrokerTroubles,
        beside: Callable[[], Coroutine[None, None, None]] | None = None,
        role: Role = NODE,
        permit: Permit | None = None,
    ) -> None:
        self._role = role
        self._permit = permit
        self._connection = connection
        self._node = node
        self._topics = topics
        self._cameras = frozenset(camera.id for camera in node.cameras)
        self._newest = newest
        self._planner = planner
        self._retained = Retained(topics, node.cameras)
        self._order = order
        self._clock = clock
        self._claimed = claimed
        self._group: asyncio.TaskGroup | None = None
        self._missed: list[Message] = []
        self._unheard: dict[str, tuple[str, ...] | None] = {}
        self._timer: asyncio.Task[None] | None = None
        self._tidied = False
        self._asked = RequestHandler(
            connection,
            topics=topics,
            cameras=self._cameras,
            ask=ask,
            answers=self._answers,
            heeds=self._heeds,
            locale=locale,
            complain=self._complain,
        )
        self._complaints = RateLimitedLog(clock)
        self._beside = beside
        self._warnings = RateLimitedLog(clock)
        self._troubles = troubles
        self._tries: Counter[int] = Counter()
        self._broken: aiomqtt.MqttError | None = None
        self._broke = asyncio.Event()
        self._waiting_for_planner: dict[str, bytes] = {}
        self._planner_waits = asyncio.Event()
        self._planned_at: float | None = None
        self._allowance = Allowance(clock, at_once=COMMANDS, per_s=COMMANDS_PER_S)

    async def greet(self) -> None:
        """Subscribe, then say who is here."""
        self._planner.limit(self._connection.fits)
        self._log_limits()
        if self._role.listens:
            await self._subscribe_all()
        if self._role.node:
            await self._say(availability(self._topics, online=True))
            await self._say(announce(self._node, self._topics, listens=self._role.listens))
        self._restate()

    async def _subscribe_all(self) -> None:
        set_topics = tuple(
            self._topics.set(camera, setting) for camera in sorted(self._cameras) for setting in SETTINGS
        )
        if self._role.cameras:
            await self._subscribe(self._topics.set_filter, set_topics)
        await self._subscribe(self._topics.ask)
        if not self._role.node:
            await self._subscribe(self._topics.claim)  # with the language and the time zone of the household
            return
        for topic_filter in self._planner.filters:
            await self._subscribe(topic_filter, self._planner.config_topics if "+" in topic_filter else None)
        for topic_filter, topics in self._retained.filters.items():
            await self._connection.subscribe(topic_filter, instead=topics)

    async def go_on(self) -> None:
        """Publish and listen until the connection is gone (MqttError) or the task is cancelled."""
        try:
            async with asyncio.TaskGroup() as self._group:
                self._group.create_task(self._end_when_broken(), name="mqtt.broken")
                self._group.create_task(self._publish_newest(), name="mqtt.newest")
                self._group.create_task(self._listen(), name="mqtt.listen")
                self._group.create_task(self._run_planner(), name="mqtt.discovery")
                if self._beside is not None:
                    self._group.create_task(self._beside(), name="mqtt.beside")
                await self._follow(self._planner.connected())
        except BaseExceptionGroup as group:
            gone, bugs = group.split(aiomqtt.MqttError)
            if bugs is not None or gone is None:
                raise
            error = _first(gone)
            raise error from error.__cause__

    async def farewell(self) -> None:
        """Publish `offline` for every camera, then for the node; after that the last will is not needed."""
        for camera in self._node.cameras:
            gone = CameraAvailability(camera=camera.id, online=False)
            if self._may_say(gone):
                await self._publish(encode(gone, self._topics))
        if self._role.node:
            await self._connection.publish(availability(self._topics, online=False))
        self._connection.will_needed = False

    async def _end_when_broken(self) -> None:
        """A record met the end of the connection: so does the rest of the session."""
        await self._broke.wait()
        assert self._broken is not None  # set before the event
        raise self._broken

    async def publish_records(self, batch: Sequence[Pending]) -> None:
        """Publish in order without waiting for each other's acknowledgement.

        Raises SinkError where not all were acknowledged: the connection is gone, or the broker does not take one for
        now, or never will. What it is then is logged by the troubles of the connection.
        """
        acknowledged: list[int] = []
        refused: list[int] = []

        async def publish(pending: Pending) -> None:
            outcome = await self._publish(
                self._fitting(encode(pending.record, self._topics, replayed=pending.replayed))
            )
            if outcome is Outcome.UNCLEAR:
                self._tries[pending.seq] += 1
            if outcome is Outcome.REFUSED or self._tries[pending.seq] >= UNCLEAR_TRIES:
                refused.append(pending.seq)
            if outcome is not Outcome.TAKEN:
                return
            acknowledged.append(pending.seq)
            match pending.record:
                case Withdrawn(camera=str(camera), what=Shown.PICTURE, name=name) if name == SNAPSHOT:
                    self._order(Snapshot(camera=camera))  # not earlier: the new still would be emptied too

        after_s: float | None = None
        try:
            # Tasks begin in the order they are made, and each hands its packet over before it first waits.
            async with asyncio.TaskGroup() as group:
                for pending in batch:
                    group.create_task(publish(pending))
        except BaseExceptionGroup as group:
            gone, bugs = group.split(aiomqtt.MqttError)
            if bugs is not None or gone is None:
                raise
            self._broken, after_s = _first(gone), 0.0
            self._broke.set()
        for seq in (*acknowledged, *refused):
            self._tries.pop(seq, None)
        if len(acknowledged) < len(batch):
            raise SinkError(after_s=after_s, taken=acknowledged, refused=refused)

    def _fitting(self, message: Message) -> Message:
        """The message of a record, shorter where that makes it small enough for the broker."""
        if self._connection.fits(message):
            return message
        return shorter(message, self._connection.fits) or message

    async def _publish_newest(self) -> None:
        while True:
            item = self._newest.take()
            if item is None:
                await self._newest.waiting.wait()
            elif not self._may_say(item):
                continue
            elif await self._publish(encode(item, self._topics)) is Outcome.BUSY and not isinstance(item, Picture):
                self._newest.again(item)
                await self._clock.sleep(QUOTA_S)

    def _may_say(self, item: Status | Picture) -> bool:
        """Whether it is for this connection to say."""
        if isinstance(item, Health) or self._permit is None or not self._role.cameras:
            return True
        return self._permit.fence(item.camera) is not None

    def _answers(self, request: Request | None) -> bool:
        """Whether a request is for this connection to answer, or one that cannot be read.

        Of a camera, or of one of its events, who holds it answers; of all else the leader.
        """
        if self._permit is None:
            return True
        camera = None if request is None else _camera_of(request, self._cameras)
        if self._role.cameras:
            return camera is not None and self._permit.fence(camera) is not None
        return camera is None or camera in self._permit.unwatched()

    def _heeds(self, request: Request) -> bool:
        """Whether a request that another answers is to be carried out here too: any may have the events."""
        if self._permit is None or not self._role.cameras or not isinstance(request, Forget | Mark):
            return False
        return _camera_of(request, self._cameras) is not None or not self._permit.leads

    async def _publish(self, message: Message) -> Outcome:
        """Publish; the broker keeps it only if it shall (`DiscoveryPlanner.retaining`)."""
        if message.retain and message.payload:
            if self._planner.retaining:
                self._retained.holds(message.topic)
            else:
                message = replace(message, retain=False)
        return await self._connection.publish(message)

    def _restate(self) -> None:
        """The broker, or whoever listens from now on, knows nothing of us yet."""
        self._newest.restate()
        for camera in self._node.cameras if self._role.cameras else ():
            self._order(Snapshot(camera=camera.id))

    async def _tidy(self) -> None:
        # of a site each node has the broker keep what it says
        for message in self._retained.empty(everything=self._permit is None and not self._planner.retaining):
            await self._connection.publish(message)

    async def _listen(self) -> None:
        async for message in self._connection.client.messages:
            topic, payload = str(message.topic), bytes(message.payload)
            if aiomqtt.Topic(topic).matches(self._topics.set_filter):
                self._command(topic, payload, retained=message.retain)
            elif topic == self._topics.ask:
                assert self._group is not None  # listened to within go_on only
                self._asked.received(message, self._group)
            elif any(aiomqtt.Topic(topic).matches(each) for each in self._retained.filters):
                if message.retain and payload:
                    self._retained.holds(topic)
            elif self._planner.settled and topic in (self._planner.birth_topic, self._topics.claim):
                self._waiting_for_planner[topic] = payload
                self._planner_waits.set()
            else:
                await self._planner_reads(topic, payload)

    async def _run_planner(self) -> None:
        """Births and claims, which make us publish everything anew: at most once in `CALM_S`."""
        while True:
            await self._planner_waits.wait()
            self._planner_waits.clear()
            waiting, self._waiting_for_planner = self._waiting_for_planner, {}
            for topic, payload in waiting.items():
                await self._planner_reads(topic, payload)
            await self._clock.sleep(CALM_S)

    async def _planner_reads(self, topic: str, payload: bytes) -> None:
        if topic == self._topics.claim:
            self._claimed(read_claim(payload))
        before = self._planner.retaining
        await self._follow(self._planner.received(topic, payload))
        if self._planner.retaining and not before:
            self._restate()
        elif before and not self._planner.retaining:
            await self._tidy()

    def _command(self, topic: str, payload: bytes, *, retained: bool) -> None:
        try:
            command = decode_command(topic, payload, self._topics, self._cameras, retained=retained)
        except WireError as error:
            self._complain(error)
            return
        if self._allowance.take(topic):
            self._order(command)
        else:
            self._complain(
                WireError(f"{topic}: more than {COMMANDS_PER_S:.0f} commands a second; some are passed over")
            )

    def _complain(self, error: WireError) -> None:
        if (more := self._complaints.turn()) is not None:
            LOG.warning("a message was not understood: %s%s", error, more)

    async def _follow(self, advice: Advice) -> None:
        if advice.warning is not None and (more := self._warnings.turn()) is not None:
            LOG.warning("%s%s", advice.warning, more)
        if advice.restate:
            await self._connection.publish(availability(self._topics, online=True))
        missed = bool(self._missed or self._unheard)
        for message in advice.messages:
            if await self._connection.publish(message) in (Outcome.BUSY, Outcome.UNCLEAR):
                self._planner.missed(message.topic)
                missed = True
        if advice.restate:
            self._newest.restate()
        if advice.again_in_s is not None:
            self._plan(advice.again_in_s)
        elif missed:
            self._plan(MISSED_S)

    async def _subscribe(self, topic_filter: str, instead: tuple[str, ...] | None = None) -> None:
        """Subscribe; what meets a quota is asked for again with the next call of the planner."""
        if await self._connection.subscribe(topic_filter, instead=instead) is Outcome.BUSY:
            self._unheard[topic_filter] = instead

    async def _say(self, message: Message) -> None:
        """Publish who is here; what the broker does not take now is sent again with the next call of the planner."""
        if await self._connection.publish(message) in (Outcome.BUSY, Outcome.UNCLEAR):
            self._missed.append(message)

    def _plan(self, seconds: float) -> None:
        """Call the planner again, in place of an earlier plan; but a stranger cannot put it off for ever."""
        assert self._group is not None  # advice is followed within go_on only
        now = self._clock.monotonic()
        if self._timer is None:
            self._planned_at = now
        elif self._planned_at is not None and now - self._planned_at > HELD_UP_S:
            return
        else:
            self._timer.cancel()
        self._timer = self._group.create_task(self._come_back(seconds), name="mqtt.entities")

    async def _come_back(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._timer = None  # from here on it must not be cancelled by what it brings about
        missed, self._missed = self._missed, []
        unheard, self._unheard = self._unheard, {}
        for topic_filter, instead in unheard.items():
            await self._subscribe(topic_filter, instead)
        for message in missed:
            await self._say(message)
        await self._follow(self._planner.due())
        if self._role.listens and self._role.node and not self._tidied:
            self._tidied = True
            for topic_filter in self._retained.filters:
                await self._connection.unsubscribe(topic_filter)
            await self._tidy()

    def _log_limits(self) -> None:
        """What this broker cannot do for us, and what follows; said once."""
        limits = self._connection.limits
        for where, kind, limited in (
            ("retain", NO_RETAIN, not limits.retain),
            ("QoS", NO_ACKNOWLEDGEMENT, limits.qos == 0),
        ):
            self._troubles.forget(kind)
            if limited:
                self._troubles.start(BrokerTrouble(kind=kind, where=where))
        self._troubles.forget(TOO_LARGE)
        left_out = self._planner.left_out
        self._troubles.forget(ENTITIES_LEFT_OUT)
        if left_out:
            self._troubles.start(BrokerTrouble(kind=ENTITIES_LEFT_OUT, where=", ".join(left_out[:5])))


def _camera_of(request: Request, cameras: Collection[str]) -> str | None:
    """The camera that a request is about, by itself or by the id of an event or ring; None where it is about none."""
    camera, event = getattr(request, "camera", None), getattr(request, "event", None)
    if camera is None and isinstance(event, str):
        camera = event.partition("-")[0]
    return camera if camera in cameras else None


def _first(group: BaseExceptionGroup[aiomqtt.MqttError]) -> aiomqtt.MqttError:
    """One error of a group that may hold groups."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
