"""The MQTT sink: stays connected, keeps what is told while it is not, and leaves `offline` behind when it ends."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

import aiomqtt

from blikk_edge.core.allowance import telling
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError
from blikk_edge.core.house import CameraAvailability, CameraState, Health, NodeInfo
from blikk_edge.core.inquiry import Answerer
from blikk_edge.core.locale import Claim, Locale, LocaleNow
from blikk_edge.core.observation import Shown, Withdrawn
from blikk_edge.core.picture import FRAME, Picture
from blikk_edge.core.ports import Inbox, Item, Order, Outbox
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.backlog import Backlog
from blikk_edge.sinks.mqtt.connection import Protocol
from blikk_edge.sinks.mqtt.login import answers_v5, connected
from blikk_edge.sinks.mqtt.newest import Newest
from blikk_edge.sinks.mqtt.pauses import Pauses
from blikk_edge.sinks.mqtt.refusal import (
    SECOND_NODE,
    SilentError,
    TakenOverError,
    VersionRefusedError,
    WillRefusedError,
)
from blikk_edge.sinks.mqtt.session import Session
from blikk_edge.sinks.mqtt.suspects import Suspects
from blikk_edge.sinks.mqtt.troubles import Troubles
from blikk_edge.sinks.mqtt.versions import SILENCES, Versions
from blikk_edge.wire.desk import DiscoveryDesk
from blikk_edge.wire.discovery import devices
from blikk_edge.wire.messages import availability
from blikk_edge.wire.topics import Topics

LOG = logging.getLogger("blikk.mqtt")

PROBE_FIRST_S: Final = 10.0
"""The first pause before a second log-in asks for version 5, where 3.1.1 is spoken to a broker that never refused 5."""

PATIENCE_MOST: Final = 8
"""A broker that answers no version of MQTT has twice as long from then on, up to so many times `CONNECT_S`: some ask a
slow database about each log-in."""

SWEEP_S: Final = 0.02
LEFT_S: Final = 0.8
"""For the records that wait at a stop; those that do not make it are published after the next start."""

FAREWELL_S: Final = 0.4
"""For `offline` alone, however many records wait. With these two and the goodbye a stop stays below 2 s."""


class MqttSink:
    """Publishes everything to one broker and takes commands from it.

    Records are on disk (`outbox`) before they are published, are published in order with QoS 1, and are forgotten when
    the broker has acknowledged them; those that waited through an outage or a restart carry `replayed`. Pictures are
    published while connected and dropped otherwise; of states and Pictures the newest per topic counts. `ask` answers
    requests, whose times are those of `locale`. `claimed` hears what a component tells of its household. `mode`,
    `discovery_prefix` and `birth_topic` are Home Assistant's (`wire.desk`).
    """

    name = "mqtt"

    def __init__(
        self,
        *,
        address: Address,
        node: NodeInfo,
        topics: Topics,
        outbox: Outbox,
        order: Order,
        clock: Clock,
        ask: Answerer | None = None,
        locale: LocaleNow = Locale,
        claimed: Callable[[Claim], None] = lambda _claim: None,
        mode: str = "auto",
        discovery_prefix: str = "homeassistant",
        birth_topic: str = "homeassistant/status",
    ) -> None:
        self.protocol: str | None = None
        self._address = address
        self._node = node
        self._topics = topics
        self._order = order
        self._clock = clock
        self._ask = ask
        self._locale = locale
        self._claimed = claimed
        self._backlog = Backlog(outbox)
        self._newest = Newest()
        self._desk = DiscoveryDesk(
            devices(node, topics, prefix=discovery_prefix),
            topics,
            mode=mode,
            prefix=discovery_prefix,
            birth_topic=birth_topic,
        )
        self._identifier = f"blikk-{topics.node}"
        self._probe = f"{self._identifier}-v5"
        self._versions = Versions(clock)
        self._pauses = Pauses(clock)
        self._troubles = Troubles(clock, together=topics.reply_prefix)
        self._suspects = Suspects(clock)
        self._will = availability(topics, online=False)
        self._outage = False
        self._away: str | None = None
        self._told = True
        self._came_at: float | None = None
        self._idle = False
        self._patience = 1
        self._old_said = False
        self._telling = telling(clock)
        self._arrived = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether the broker has us now."""
        return self.protocol is not None

    @property
    def problem(self) -> str | None:
        """What is wrong now: why there is no connection, or what the broker does not take from us."""
        rival = f"another client uses our client id {self._identifier} at times; {SECOND_NODE}"
        found = (self._away, rival if self._away is None and self._pauses.rival else None, str(self._troubles))
        return "; ".join(each for each in found if each) or None

    @property
    def outbox(self) -> int:
        """How many records wait for the broker."""
        return self._backlog.depth

    @property
    def unsaved(self) -> int:
        """How many records wait in memory only, because the disk refuses them."""
        return self._backlog.unsaved

    async def save(self) -> None:
        """Try to bring them to disk."""
        await self._backlog.save()

    @property
    def lost(self) -> int:
        """How many records were given up since start."""
        return self._backlog.lost

    async def run(self, inbox: Inbox[Item]) -> None:
        """Deliver until cancelled, through every outage; then publish what is left and `offline`, within 2 s.

        Where the broker does not take `offline` in time, the connection is dropped and its last will says it.
        Raises nothing that is expected: a broker that is away or refuses us is told once, and tried again after a
        jittered pause of 1 s to 30 s. See `problem`.
        """
        async with asyncio.TaskGroup() as group:
            drain = group.create_task(self._drain(inbox), name="mqtt.drain")
            group.create_task(self._stay_connected(drain), name="mqtt.connection")

    async def _drain(self, inbox: Inbox[Item]) -> None:
        """Inbox to backlog, whether connected or not; at the end everything that still waits."""
        try:
            while True:
                await _to_its_end(self._take(await inbox.get()))
        finally:
            with contextlib.suppress(TimeoutError):
                while True:
                    async with asyncio.timeout(SWEEP_S):
                        item = await inbox.get()
                    await self._take(item)

    async def _take(self, item: Item) -> None:
        match item:
            case CameraState() | CameraAvailability() | Health():
                self._newest.status(item)
            case Picture():
                if self.connected and item.name != FRAME:
                    self._newest.picture(item)
            case _:
                if isinstance(item, Withdrawn) and item.what is Shown.PICTURE:
                    self._newest.drop_picture(item.camera, item.name)
                await self._backlog.put(item)
                self._arrived.set()

    async def _stay_connected(self, drain: asyncio.Task[None]) -> None:
        while True:
            protocol = self._versions.choose()
            self._came_at, self._idle = None, False
            try:
                await _by_itself(self._connect(drain, protocol))
            except _SpeaksV5Error as error:
                LOG.info("%s; connecting anew", error)
                continue
            except WillRefusedError as error:
                if self._lower_will(error):
                    continue
                self._went(error)
                await self._clock.sleep(self._pauses.after(error, lasted_s=0))
            except SinkError as error:
                if self._came_at is None and await self._other_version(error, protocol):
                    continue
                lasted_s = 0.0 if self._came_at is None else self._clock.monotonic() - self._came_at
                pause_s = self._pauses.after(error, lasted_s=lasted_s, idle=self._idle)
                self._went(error)
                await self._clock.sleep(pause_s)

    async def _other_version(self, error: SinkError, spoken: Protocol) -> bool:
        """Whether to connect anew at once, after a log-in that failed."""
        if isinstance(error, SilentError) and not error.hung_up and spoken is Protocol.V5:
            # Some brokers of 3.1.1 trip over a last will in version 5, and refuse a bare log-in in words.
            answer = await answers_v5(self._address, identifier=self._probe, patience=self._patience)
            if answer is False:
                error = VersionRefusedError(str(error))
        if isinstance(error, SilentError) and not error.hung_up and spoken is Protocol.V311:
            self._patience = min(2 * self._patience, PATIENCE_MOST)
        again = self._versions.failed(error, spoken)
        if again:
            LOG.info("%s; trying MQTT 3.1.1", error)
        return again

    def _lower_will(self, error: WillRefusedError) -> bool:
        """Have a last will that this broker takes; False where that is so already."""
        before = self._will
        self._will = replace(before, retain=before.retain and error.retain, qos=min(before.qos, error.qos))
        return self._will != before

    async def _connect(self, drain: asyncio.Task[None], protocol: Protocol) -> None:
        async with connected(
            self._address,
            identifier=self._identifier,
            will=self._will,
            protocol=protocol,
            troubles=self._troubles,
            suspects=self._suspects,
            careful=self._pauses.careful,
            patience=self._patience,
        ) as connection:
            self._came_at = self._clock.monotonic()
            self._versions.came(protocol)
            # The next connection leaves a retained `offline` again, should the broker keep it by then.
            self._will = connection.limits.apply(availability(self._topics, online=False))
            session = Session(
                connection,
                node=self._node,
                topics=self._topics,
                backlog=self._backlog,
                newest=self._newest,
                arrived=self._arrived,
                desk=self._desk,
                order=self._order,
                ask=self._ask,
                locale=self._locale,
                claimed=self._claimed,
                clock=self._clock,
                troubles=self._troubles,
                beside=self._until_v5 if self._versions.doubtful else None,
            )
            try:
                await session.greet()
                self._came(connection.protocol)
                await session.go_on()
            except _NewerVersionError:
                connection.will_needed = False
                raise _SpeaksV5Error(f"broker {self._address} speaks MQTT 5 by now") from None
            except aiomqtt.MqttError as error:
                self._idle = connection.idle
                at = connection.ended_at
                alone = self._pauses.careful or at is None or at.is_subscription
                if alone and self._suspects.ended_at(at):
                    self._pauses.learnt()
                raise connection.lost(error) from error
            except asyncio.CancelledError:
                await self._part(session, drain)
                raise
            finally:
                self.protocol = None
                self._newest.drop_pictures()

    async def _until_v5(self) -> None:
        """Ask again and again whether the broker speaks version 5; raises when it does, returns when it says no."""
        pause_s, silences = PROBE_FIRST_S, 0
        while self._versions.doubtful:
            await self._clock.sleep(pause_s)
            pause_s *= 2
            answer = await answers_v5(self._address, identifier=self._probe, patience=self._patience)
            if answer:
                self._versions.speaks_v5()
                raise _NewerVersionError
            silences += 1
            if answer is False or silences == SILENCES:
                self._versions.refuses_v5()
                self._say_old()

    async def _part(self, session: Session, drain: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(LEFT_S):
                await asyncio.wait((drain,))
                await session.publish_left()
        except* (TimeoutError, aiomqtt.MqttError):
            LOG.info("%d records wait for the next start", self._backlog.depth)
        try:
            async with asyncio.timeout(FAREWELL_S):
                await session.farewell()
        except (TimeoutError, aiomqtt.MqttError):
            LOG.warning("%s did not take `offline` in time; the last will says it", self._address)
        else:
            LOG.info("disconnected from %s", self._address)

    def _came(self, protocol: Protocol) -> None:
        if self._outage:
            self._backlog.age()
        self._outage, self._away = False, None
        self.protocol = str(protocol)
        self._old_said = self._old_said and protocol is Protocol.V311
        if protocol is Protocol.V311 and not self._versions.doubtful:
            self._say_old()
        elif protocol is Protocol.V311:
            LOG.warning(
                "connected to %s in MQTT 3.1.1, as it gave no answer in MQTT 5; that is tried again soon", self._address
            )
        else:
            self._say_connected(protocol)
        self._told = False

    def _say_connected(self, protocol: Protocol) -> None:
        if self._told:
            LOG.info("connected to %s (%s), %d records wait", self._address, protocol, self._backlog.depth)

    def _say_old(self) -> None:
        if self._old_said:
            self._say_connected(Protocol.V311)
            return
        self._old_said = True
        LOG.warning(
            "connected to %s, which speaks MQTT 3.1.1 only: Pictures cannot expire there and are not retained, and it "
            "cannot say what it refuses; a broker with MQTT 5 (Mosquitto 1.6 or newer) mends that",
            self._address,
        )

    def _went(self, error: SinkError) -> None:
        self._outage = True
        guess = isinstance(error, TakenOverError) is False and self._pauses.guessed_rival
        problem = f"{error}; {SECOND_NODE} Its client id is {self._identifier}" if guess else str(error)
        # Two nodes that take the connection from each other would say so for ever.
        quiet = isinstance(error, TakenOverError) and self._pauses.rival_told
        kind = problem.partition("; it says")[0]  # the broker's own words may differ each time
        if self._away != problem and not quiet and self._telling.take(kind):
            LOG.warning("%s", problem)
            self._told = True
        self._away = problem


class _NewerVersionError(aiomqtt.MqttError):
    """Ends a session in 3.1.1; not an error that leaves this module."""


class _SpeaksV5Error(SinkError):
    """The connection was ended by us, to have one in version 5."""


async def _by_itself(work: Coroutine[Any, Any, None]) -> None:
    """Await `work` in a task of its own: a group in it that loses its connection just then would swallow our end."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        task.cancel()
        with contextlib.suppress(SinkError, asyncio.CancelledError):
            await task
        raise
    task.result()


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await `work`; a cancellation waits until it is done, so that no record falls between inbox and disk."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
