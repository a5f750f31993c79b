"""One subscription to a camera's events: made, asked, renewed in time, and ended."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, Self
from xml.etree.ElementTree import Element

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SourceError
from blikk_edge.sources.onvif.soap import FaultError, SoapClient, UnreachableError, UnsupportedError
from blikk_edge.sources.onvif.soap_xml import Notice, Subscribed, left_s, notices, subscribed

EVENTS: Final = "http://www.onvif.org/ver10/events/wsdl"
PULL_POINT: Final = f"{EVENTS}/PullPointSubscription"
MANAGER: Final = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager"

LEASE_S: Final = 60.0
"""So long a subscription is asked for: what a node that was killed leaves behind is soon gone, and cameras have few."""

SHORTEST_S, LONGEST_S = 5.0, 3600.0
POLL_S: Final = 20.0
SHORT_POLL_S: Final = 5.0
MESSAGES: Final = 20
END_S: Final = 1.5
"""A node that stops waits no longer for the camera."""


class PullPoint:
    """A subscription at a camera; raises SourceError, FaultError where the camera does not know it any more.

    Made by `subscribe`. `pull` waits until something happens, for some seconds; between two of them `keep` renews it.
    """

    def __init__(self, soap: SoapClient, clock: Clock, *, events: tuple[str, ...], own: str) -> None:
        self._soap = soap
        self._clock = clock
        self._events = events
        self._own = own
        self._made: Subscribed | None = None
        self._urls: tuple[str, ...] = ()
        self._pulled = False
        self._poll_s = POLL_S
        self._lease_s = LEASE_S
        self._ends = 0.0
        self._renewals: tuple[Callable[[], str], ...] = (self._in_a_minute, self._at_a_time)

    @classmethod
    async def subscribe(cls, soap: SoapClient, clock: Clock) -> Self:
        """Find the service of events and subscribe; raises UnsupportedError where there is none."""
        found = await soap.services()
        if "events" not in found:
            raise UnsupportedError("it has no service of events")
        own = found.get("device", "")
        point = cls(soap, clock, events=soap.reachable(found["events"], own=own), own=own)
        await point._create()
        return point

    @property
    def fresh(self) -> bool:
        """Whether it has not been asked yet: what comes first may have been sent before."""
        return not self._pulled

    async def pull(self) -> tuple[Notice, ...]:
        """What has happened since the last time; waits for it a while, the first time not for long."""
        wait_s = 1.0 if self.fresh else max(1.0, min(self._poll_s, self._lease_s / 3))
        body = self._soap.bodies.events_pull_messages(timeout=f"PT{wait_s:.0f}S", message_limit=MESSAGES)
        try:
            answer = await self._ask(body, f"{PULL_POINT}/PullMessagesRequest", wait_s=wait_s)
        except FaultError:
            if not self._pulled or self._poll_s == SHORT_POLL_S:
                raise
            self._poll_s = SHORT_POLL_S  # some refuse to wait for long
            return await self.pull()
        self._pulled = True
        self._note(left_s(answer))
        return notices(answer)

    async def keep(self) -> None:
        """Renew the subscription when it is time to; one that cannot be renewed is replaced before it ends."""
        if self._ends - self._clock.monotonic() > self._lease_s / 2:
            return
        while self._renewals:
            body = self._soap.bodies.events_renew(termination_time=self._renewals[0]())
            try:
                answer = await self._ask(body, f"{MANAGER}/RenewRequest")
            except (FaultError, UnsupportedError):
                self._renewals = self._renewals[1:]
                continue
            self._begin(left_s(answer))
            return
        old, urls = self._made, self._urls
        await self._create()
        await self._end(old, urls)

    async def unsubscribe(self) -> None:
        """End the subscription; what the camera says to it does not matter."""
        made, self._made = self._made, None
        await self._end(made, self._urls)

    async def _create(self) -> None:
        body = self._soap.bodies.events_create_pull_point_subscription(termination_time=self._in_a_minute())
        action = f"{EVENTS}/EventPortType/CreatePullPointSubscriptionRequest"

        async def create(url: str) -> Element:
            return await self._soap.ask(url, body, action=action, to=url)

        self._events, answer = await _first(self._events, create)
        self._made = subscribed(answer)
        self._urls = self._soap.reachable(self._made.address, own=self._own or self._events[0])
        self._pulled = False
        self._begin(self._made.left_s)

    async def _end(self, made: Subscribed | None, urls: tuple[str, ...]) -> None:
        if made is None:
            return
        body = self._soap.bodies.events_unsubscribe()
        with contextlib.suppress(SourceError, TimeoutError):
            async with asyncio.timeout(END_S):
                await self._soap.ask(
                    urls[0], body, action=f"{MANAGER}/UnsubscribeRequest", to=made.address, parameters=made.parameters
                )

    async def _ask(self, body: str, action: str, *, wait_s: float = 0.0) -> Element:
        made = self._made
        if made is None:
            raise FaultError("the subscription has ended")

        async def ask(url: str) -> Element:
            return await self._soap.ask(
                url, body, action=action, to=made.address, parameters=made.parameters, wait_s=wait_s
            )

        self._urls, answer = await _first(self._urls, ask)
        return answer

    def _begin(self, said_s: float | None) -> None:
        """It was made or renewed."""
        self._lease_s = LEASE_S if said_s is None else min(max(said_s, SHORTEST_S), LONGEST_S)
        self._note(LEASE_S if said_s is None else said_s)

    def _note(self, said_s: float | None) -> None:
        """How long it is kept, by the newest answer."""
        if said_s is not None:
            self._ends = self._clock.monotonic() + min(said_s, LONGEST_S)

    @staticmethod
    def _in_a_minute() -> str:
        return f"PT{LEASE_S:.0f}S"

    def _at_a_time(self) -> str:
        """The same as a time of the camera's clock: some take no other."""
        return f"{self._soap.now + timedelta(seconds=LEASE_S):%Y-%m-%dT%H:%M:%SZ}"


async def _first(urls: tuple[str, ...], ask: Callable[[str], Awaitable[Element]]) -> tuple[tuple[str, ...], Element]:
    """The answer of the first of several addresses that answers, and the addresses with that one alone."""
    for url in urls[:-1]:
        try:
            return (url,), await ask(url)
        except (UnreachableError, FaultError):
            continue
    return urls[-1:], await ask(urls[-1])
