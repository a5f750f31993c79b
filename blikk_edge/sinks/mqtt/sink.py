"""The MQTT sink: stays connected, publishes what it is given, and leaves `offline` behind when it ends."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Final

import aiomqtt

from blikk_edge.core.allowance import log_allowance
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError
from blikk_edge.core.inquiry import Answerer
from blikk_edge.core.locale import Claim, Locale, LocaleNow
from blikk_edge.core.observation import Shown, Withdrawn
from blikk_edge.core.permit import Permit
from blikk_edge.core.picture import FRAME, Picture
from blikk_edge.core.ports import Inbox, Item, Order, Pending
from blikk_edge.core.status import CameraAvailability, CameraState, Health, NodeInfo
from blikk_edge.sinks.mqtt.address import Address
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
from blikk_edge.sinks.mqtt.role import MEMBER, NODE, SITE, Role
from blikk_edge.sinks.mqtt.session import WINDOW, Session
from blikk_edge.sinks.mqtt.suspects import Suspects
from blikk_edge.sinks.mqtt.troubles import BrokerTroubles
from blikk_edge.sinks.mqtt.versions import SILENCES, Versions
from blikk_edge.wire.discovery import devices
from blikk_edge.wire.discovery_planner import DiscoveryPlanner
from blikk_edge.wire.messages import availability
from blikk_edge.wire.topics import Topics

LOG = logging.getLogger("blikk.mqtt")

PROBE_FIRST_S: Final = 10.0
"""The first pause before a second log-in asks for version 5, where 3.1.1 is spoken to a broker that never refused 5."""

PATIENCE_MOST: Final = 8
"""A broker that answers no version of MQTT has twice as long from then on, up to so many times `CONNECT_S`: some ask a
slow database about each log-in."""

_KEYS: Final = re.compile(r"\bmqtt\.(?:host|port|username|password|tls)\b")

LEADS_S: Final = 0.1
"""So soon it is noticed that another node speaks for the site."""

UNWATCHED_S: Final = 1.0

FAREWELL_S: Final = 0.4
"""For `offline`. With `runtime.delivery.LEFT_S` and the goodbye a stop stays below 2 s."""


class MqttSink:
    """Publishes everything to one broker and takes commands from it.

    Records come by `send` (`core.ports.DurableSink`), and are published in order with QoS 1. All else comes by the
    inbox of `run`: Pictures are published while connected and dropped otherwise; of states and Pictures the newest per
    topic counts. `ask` answers requests, whose times are those of `locale`. `claimed` gets what a component says of
    its household. `mode`, `discovery_prefix` and `birth_topic` are Home Assistant's (`wire.discovery_planner`).

    A `second` one has another name and client id, and publishes alone: it takes no commands and requests, and makes no
    entities. The keys that its errors name are those of `sinks.mqtt`.

    With a `permit`, where several nodes share cameras, it speaks for those that are held, has no last will, and leaves
    the node as a whole to one for the `site`: which is connected while this node leads, hands its client id on to the
    next leader without a word, and says `offline` of cameras that nobody watches.
    """

    takes = None
    batch = WINDOW

    def __init__(
        self,
        *,
        address: Address,
        node: NodeInfo,
        topics: Topics,
        order: Order,
        clock: Clock,
        ask: Answerer | None = None,
        locale: LocaleNow = Locale,
        claimed: Callable[[Claim], None] = lambda _claim: None,
        mode: str = "auto",
        discovery_prefix: str = "homeassistant",
        birth_topic: str = "homeassistant/status",
        second: bool = False,
        permit: Permit | None = None,
        site: bool = False,
    ) -> None:
        self.name = "mqtt_site" if site else "second_mqtt" if second else "mqtt"
        self._second = second
        self._permit = permit
        self._role = replace(_role(permit, site=site), listens=not second)
        self._leader = permit if site else None
        self.protocol: str | None = None
        self._address = address
        self._node = node
        self._topics = topics
        self._order = order
        self._clock = clock
        self._ask = ask
        self._locale = locale
        self._claimed = claimed
        self._newest = Newest()
        self._planner = DiscoveryPlanner(
            devices(node, topics, prefix=discovery_prefix),
            topics,
            mode=mode if self._role.node and not second else "off",
            prefix=discovery_prefix,
            birth_topic=birth_topic,
        )
        member = "" if self._role.node else f"-node-{topics.member}"
        self._identifier = f"blikk-{topics.node}{member}{'-second' if second else ''}"
        self._probe = f"{self._identifier}-v5"
        self._versions = Versions(clock)
        self._pauses = Pauses(clock)
        self._troubles = BrokerTroubles(clock, together=topics.reply_prefix)
        self._suspects = Suspects(clock)
        self._will = availability(topics, online=False) if self._role.node else None
        self._session: Session | None = None
        self._changed = asyncio.Event()
        self._away: str | None = None
        self._logged = True
        self._came_at: float | None = None
        self._idle = False
        self._patience = 1
        self._old_said = False
        self._log_allowance = log_allowance(clock)

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

    async def run(self, inbox: Inbox[Item]) -> None:
        """Stay connected until cancelled, through every outage; then publish `offline`, within FAREWELL_S.

        Where the broker does not take `offline` in time, the connection is dropped and its last will says it.
        Raises nothing that is expected: a broker that is away or refuses us is reported once, and tried again after a
        jittered pause of 1 s to 30 s. See `problem`.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_all(inbox), name="mqtt.take")
            group.create_task(self._stay_connected(), name="mqtt.connection")
            if self._leader is not None:
                group.create_task(self._say_unwatched(self._leader), name="mqtt.unwatched")

    async def open(self) -> None:
        """Wait until the broker has us; raises SinkError at each try that fails, of which `problem` says why."""
        if self._session is None:
            await self._changed.wait()
        if self._session is None:
            raise SinkError(after_s=0)

    async def send(self, batch: Sequence[Pending]) -> None:
        """Publish records; those that the broker refuses for good must not hold up what follows (`refused`)."""
        if self._session is None:
            raise SinkError(after_s=0)
        await self._session.publish_records(batch)

    async def close(self) -> None:
        """Nothing: the connection is that of `run`."""

    def _change(self, session: Session | None) -> None:
        """There is another session, or none: whoever waits for one looks again."""
        self._session = session
        self._changed.set()
        self._changed = asyncio.Event()

    async def _take_all(self, inbox: Inbox[Item]) -> None:
        while True:
            match await inbox.get():
                case Health() as health:
                    if self._role.node:
                        self._newest.status(health)
                case _ if not self._role.cameras:
                    pass
                case CameraState() | CameraAvailability() as status:
                    self._newest.status(status)
                case Picture() as picture:
                    if self.connected and picture.name != FRAME:
                        self._newest.picture(picture)
                case Withdrawn(what=Shown.PICTURE) as withdrawn:
                    self._newest.drop_picture(withdrawn.camera, withdrawn.name)
                case _:
                    pass  # a record: it comes by `send`

    async def _say_unwatched(self, leader: Permit) -> None:
        """Say `offline` of cameras that nobody watches, who cannot say so; until somebody does."""
        said: set[str] = set()
        while True:
            now = set(leader.unwatched()) if leader.leads else set[str]()
            for camera in said ^ now:
                status = CameraAvailability(camera=camera, online=False)
                (self._newest.status if camera in now else self._newest.forget)(status)
            said = now
            await self._clock.sleep(UNWATCHED_S)

    async def _until_leading(self) -> None:
        while self._leader is not None and not self._leader.leads:
            self._away = None
            await self._clock.sleep(LEADS_S)

    async def _while_leading(self) -> None:
        while self._leader is None or self._leader.leads:
            await self._clock.sleep(LEADS_S)
        raise _LedByAnotherError

    async def _stay_connected(self) -> None:
        while True:
            await self._until_leading()
            protocol = self._versions.choose()
            self._came_at, self._idle = None, False
            try:
                await _by_itself(self._connect(protocol))
            except _SpeaksV5Error as error:
                LOG.info("%s; connecting anew", error)
                continue
            except _AnotherSpeaksError:
                continue
            except WillRefusedError as error:
                if self._lower_will(error):
                    continue
                self._went(error)
                await self._clock.sleep(self._pauses.after(error, lasted_s=0))
            except SinkError as error:
                if self._leader is not None and not self._leader.leads:
                    continue  # another has taken the client id over
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
        if before is None:
            return False
        self._will = replace(before, retain=before.retain and error.retain, qos=min(before.qos, error.qos))
        return self._will != before

    async def _connect(self, protocol: Protocol) -> None:
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
            if self._will is not None:
                self._will = connection.limits.apply(availability(self._topics, online=False))
            session = Session(
                connection,
                node=self._node,
                topics=self._topics,
                newest=self._newest,
                planner=self._planner,
                order=self._order,
                ask=self._ask,
                locale=self._locale,
                claimed=self._claimed,
                clock=self._clock,
                troubles=self._troubles,
                beside=self._beside(),
                role=self._role,
                permit=self._permit,
            )
            try:
                await session.greet()
                self._came(connection.protocol)
                self._change(session)
                await session.go_on()
            except _NewerVersionError:
                connection.will_needed = False
                raise _SpeaksV5Error(f"broker {self._address} speaks MQTT 5 by now") from None
            except _LedByAnotherError:
                raise _AnotherSpeaksError from None
            except aiomqtt.MqttError as error:
                self._idle = connection.idle
                at = connection.ended_at
                alone = self._pauses.careful or at is None or at.is_subscription
                if alone and self._suspects.ended_at(at):
                    self._pauses.learnt()
                raise connection.lost(error) from error
            except asyncio.CancelledError:
                if self._leader is None or self._leader.alone:
                    await self._part(session)  # else the next leader is here before the last will
                raise
            finally:
                self.protocol = None
                self._change(None)
                self._newest.drop_pictures()

    def _beside(self) -> Callable[[], Coroutine[Any, Any, None]] | None:
        """What goes on beside a session."""
        work = [self._until_v5] if self._versions.doubtful else []
        work += [self._while_leading] if self._leader is not None else []

        async def all_of_it() -> None:
            async with asyncio.TaskGroup() as group:
                for each in work:
                    group.create_task(each())

        return all_of_it if len(work) > 1 else next(iter(work), None)

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

    async def _part(self, session: Session) -> None:
        try:
            async with asyncio.timeout(FAREWELL_S):
                await session.farewell()
        except (TimeoutError, aiomqtt.MqttError):
            LOG.warning("%s did not take `offline` in time; the last will says it", self._address)
        else:
            LOG.info("disconnected from %s", self._address)

    def _came(self, protocol: Protocol) -> None:
        self._away = None
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
        self._logged = False

    def _say_connected(self, protocol: Protocol) -> None:
        if self._logged:
            LOG.info("connected to %s (%s)", self._address, protocol)

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
        self._change(None)
        guess = isinstance(error, TakenOverError) is False and self._pauses.guessed_rival
        problem = f"{error}; {SECOND_NODE} Its client id is {self._identifier}" if guess else str(error)
        if self._second:
            problem = _KEYS.sub(r"sinks.\g<0>", problem)
        # Two nodes that take the connection from each other would say so for ever.
        quiet = isinstance(error, TakenOverError) and self._pauses.rival_logged
        kind = problem.partition("; it says")[0]  # the broker's own words may differ each time
        if self._away != problem and not quiet and self._log_allowance.take(kind):
            LOG.warning("%s", problem)
            self._logged = True
        self._away = problem


class _NewerVersionError(aiomqtt.MqttError):
    """Ends a session in 3.1.1; not an error that leaves this module."""


class _LedByAnotherError(aiomqtt.MqttError):
    """Ends the session of the site; not an error that leaves this module."""

    def __init__(self) -> None:
        super().__init__("another node speaks for the site")


class _AnotherSpeaksError(SinkError):
    """The connection was ended by us, as another node speaks for the site."""


def _role(permit: Permit | None, *, site: bool) -> Role:
    return NODE if permit is None else SITE if site else MEMBER


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
