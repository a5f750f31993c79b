"""A camera's own events: its button rings, and its motion is a hint to look."""

import asyncio
import logging
from typing import Final

from blikk_edge.core.allowance import Allowance
from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.commands import Hint, Press
from blikk_edge.core.errors import SourceError
from blikk_edge.core.ports import Order
from blikk_edge.core.trouble import Trouble
from blikk_edge.sources.address import Address
from blikk_edge.sources.onvif.changes import Changes
from blikk_edge.sources.onvif.current_address import CurrentAddress, same_form
from blikk_edge.sources.onvif.pull_point import PullPoint
from blikk_edge.sources.onvif.soap import SoapClient, UnsupportedError, WrongLoginError
from blikk_edge.sources.onvif.soap_xml import Notice
from blikk_edge.sources.onvif.topics import Says, topic_of

LOG = logging.getLogger("blikk.onvif")

ASK_S: Final = 5.0
EMPTY_S: Final = 1.0
FULL_S: Final = 0.25
"""So long, at least, from one request for events to the next, where there were none and where there were some."""

STEADY_S: Final = 30.0
RELAPSES: Final = 2
"""So often in a row a subscription may fail without a word, and break before it is `STEADY_S` old."""

LOCKED_S: Final = 600.0
"""After a wrong login: cameras lock out who tries too often."""

UNSUPPORTED_S: Final = 3600.0

LOOK_S: Final = 60.0
"""So often, in a long wait, it is looked whether the camera has another address."""

HINTS_AT_ONCE: Final = 2
HINTS_PER_S: Final = 0.2
PRESSES_AT_ONCE: Final = 5
PRESSES_PER_S: Final = 0.5
"""A camera that sends more than this is passed over: a leaf before its sensor must not keep the node busy."""


class CameraEvents:
    """Listens to the events of one camera for ever; what goes wrong is said once and hurts nothing else.

    A press becomes the command that other buttons give, where the camera `rings`; each event is a hint to look.
    `problem` is what is wrong now. `shown` is the address without secrets, `wanted` says that somebody wrote that
    events are wanted: a camera that has none is a problem then.
    """

    def __init__(
        self,
        camera: str,
        address: CurrentAddress,
        order: Order,
        *,
        shown: str,
        clock: Clock,
        rings: bool = False,
        wanted: bool = False,
    ) -> None:
        self.name = f"onvif.{camera}"
        self.camera = camera
        self._address = address
        self._order = order
        self._shown = shown
        self._clock = clock
        self._rings = rings
        self._wanted = wanted
        self._trouble = Trouble(LOG)
        self._problem: str | None = None
        self._changes = Changes(clock)
        self._hints = Allowance(clock, at_once=HINTS_AT_ONCE, per_s=HINTS_PER_S)
        self._presses = Allowance(clock, at_once=PRESSES_AT_ONCE, per_s=PRESSES_PER_S)
        self._has_button = False
        self._silent_button = False
        self._heard = False
        self._pulled = False
        self._failures = 0
        self._relapses = 0
        self._backoff = Backoff()

    @property
    def problem(self) -> str | None:
        """What is wrong now, in a sentence; None while all is well."""
        return self._problem

    async def run(self) -> None:
        """Listen until cancelled; the camera is notified when that ends."""
        while True:
            self._pulled = False
            try:
                await self._listen()
            except SourceError as error:
                await self._rest(self._failed(error))

    async def _rest(self, seconds: float) -> None:
        """Wait, but no longer than the camera keeps its address: at another one it may take the login."""
        address, end = self._address.now, self._clock.monotonic() + seconds
        while self._address.now == address and (left_s := end - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(left_s, LOOK_S))

    async def _listen(self) -> None:
        """One subscription, from its begin until it breaks, or the camera has another address."""
        await asyncio.to_thread(self._address.recall)
        address = self._address.now
        soap = SoapClient(address, timeout_s=ASK_S)
        try:
            await soap.set_clock()
            if (known := self._address.identity) and same_form(await soap.identity()) not in {known, ""}:
                raise SourceError("another device answers at its address")
            point = await PullPoint.subscribe(soap, self._clock)
            try:
                await self._pull(point, address)
            finally:
                await point.unsubscribe()
        finally:
            await soap.close()

    async def _pull(self, point: PullPoint, address: Address) -> None:
        began = self._clock.monotonic()
        while self._address.now == address:
            asked, again = self._clock.monotonic(), point.fresh
            notices = await point.pull()
            self._pulled = True
            for notice in notices:
                self._take(notice, again=again)
            now = self._clock.monotonic()
            if now - began >= STEADY_S:
                self._relapses = 0
            if self._relapses <= RELAPSES:
                self._works()
            await self._clock.sleep(max(0.0, asked + (FULL_S if notices else EMPTY_S) - now))
            await point.keep()

    def _take(self, notice: Notice, *, again: bool) -> None:
        """One event of the camera; `again`: it may have been sent before."""
        topic = topic_of(notice.topic)
        if topic is None:
            return
        self._has_button = self._has_button or topic.says is Says.PRESS
        if not self._changes.begins(notice, topic, again=again):
            return
        # what is wired to a camera that has a button of its own may be a door contact
        button = topic.says is Says.PRESS or (topic.says is Says.INPUT and self._rings and not self._has_button)
        pressed = button and self._presses.take("press")
        if pressed:
            self._press()
        if pressed or self._hints.take("hint"):
            self._order(Hint(camera=self.camera))

    def _press(self) -> None:
        if self._rings:
            self._order(Press(camera=self.camera, via="onvif"))
        elif not self._silent_button:
            self._silent_button = True
            LOG.info("%s: its button was pressed, but it is no doorbell here; write `ring: true` to it", self.camera)

    def _works(self) -> None:
        if not self._heard:
            LOG.info("%s: its own events are heard", self.camera)
        self._heard = True
        self._trouble.end(f"{self.camera}: its own events are heard again")
        self._problem = None
        self._failures = 0
        self._backoff.reset()

    def _failed(self, error: SourceError) -> float:
        """Say what went wrong; gives how long to wait."""
        self._failures += 1
        self._relapses += self._pulled
        unsupported = isinstance(error, UnsupportedError)
        # a camera that starts sets its clock, and does not take a login of before
        refused = isinstance(error, WrongLoginError) and not self._pulled
        if self._heard and self._failures <= RELAPSES and not (self._trouble.now or unsupported or refused):
            return self._backoff.next_s()
        place = f" (now at {self._address.moved_to})" if self._address.moved_to else ""
        text = f"its own events are not heard from {self._shown}{place}: {error}"
        if unsupported:
            text += "; it is watched all the same, and `onvif: false` asks for none"
        self._trouble.start(f"{self.camera}: {text}")
        self._problem = text if self._wanted or not unsupported else None
        if unsupported:
            return UNSUPPORTED_S
        return LOCKED_S if isinstance(error, WrongLoginError) else self._backoff.next_s()
