"""The events of a simulated ONVIF camera: pull points, with the faults of real ones."""

import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

TOPICS = {
    "motion": ("tns1:RuleEngine/CellMotionDetector/Motion", "IsMotion"),
    "visitor": ("tns1:RuleEngine/MyRuleDetector/Visitor", "State"),
    "input": ("tns1:Device/Trigger/DigitalInput", "LogicalState"),
}
FAULT = (
    "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>{code}</s:Value></s:Subcode></s:Code>"
    "<s:Reason><s:Text>{text}</s:Text></s:Reason></s:Fault>"
)
GONE = FAULT.format(code="wsrf-r:ResourceUnknownFault", text="The resource is not known")
REFUSED = FAULT.format(code="e:InvalidArgVal", text="Invalid termination time")


@dataclass
class _Subscription:
    number: int
    ends: datetime
    waiting: list[str] = field(default_factory=list)


@dataclass
class EventService:
    """What cameras do with events, and get wrong.

    `renews` are the ways in which a subscription may be renewed (`relative`, `absolute`); `lease_s` is how long one is
    kept; without `polls` it answers at once; with `marked` a subscription is known by reference parameters alone. `at`
    is the authority that it names in the address of a subscription. `answer_pull` is answered to each request for
    events, where it is set; `longest_poll_s` is how long it is willing to wait.
    """

    lease_s: float = 60.0
    renews: tuple[str, ...] = ("relative", "absolute")
    polls: bool = True
    marked: bool = False
    at: str = "10.99.99.99"
    answer_pull: str = ""
    longest_poll_s: float = 60.0
    clock: timedelta = timedelta()
    states: dict[str, str] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    pulls: int = 0
    made: int = 0

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._open: dict[int, _Subscription] = {}

    @property
    def open(self) -> tuple[int, ...]:
        """The subscriptions that are there now."""
        with self._changed:
            return tuple(self._open)

    def say(self, name: str, value: str, operation: str = "Changed", *, at: str = "") -> None:
        """Report an event: `motion`, `visitor` or `input`, or a topic by itself."""
        with self._changed:
            self.states[name] = value
            for subscription in self._open.values():
                subscription.waiting.append(self._notice(name, value, operation, at))
            self._changed.notify_all()

    def restart(self) -> None:
        """Forget all subscriptions, as a camera does that starts anew."""
        with self._changed:
            self._open.clear()
            self._changed.notify_all()

    def answer(self, operation: str, request: str, path: str) -> str | None:
        """What it answers; None where it is none of its operations."""
        if operation == "CreatePullPointSubscription":
            return self._create()
        if operation not in {"PullMessages", "Renew", "Unsubscribe"}:
            return None
        with self._changed:
            number = re.search(r"IsReferenceParameter=\"true\"[^>]*>(\d+)<", request) if self.marked else None
            number = number or (None if self.marked else re.search(r"/(\d+)$", path))
            mine = self._open.get(int(number[1])) if number else None
            if mine is None or mine.ends <= self._now():
                return GONE
        if operation == "Unsubscribe":
            with self._changed:
                self.ended.append(mine.number)
                self._open.pop(mine.number, None)
            return "<wsnt:UnsubscribeResponse/>"
        return self._renew(mine, request) if operation == "Renew" else self._pull(mine, request)

    def _create(self) -> str:
        with self._changed:
            self.made += 1
            mine = _Subscription(self.made, self._now() + timedelta(seconds=self.lease_s))
            mine.waiting = [self._notice(name, value, "Initialized", "") for name, value in self.states.items()]
            self._open[mine.number] = mine
        path = "/event/manager" if self.marked else f"/event/{mine.number}"
        mark = ""
        if self.marked:
            mark = f'<a:ReferenceParameters><x:Id xmlns:x="urn:maker">{mine.number}</x:Id></a:ReferenceParameters>'
        return (
            "<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference>"
            f"<a:Address>http://{self.at}{path}</a:Address>{mark}</tev:SubscriptionReference>{self._lease(mine)}"
            "</tev:CreatePullPointSubscriptionResponse>"
        )

    def _renew(self, mine: _Subscription, request: str) -> str:
        found = re.search(r"TerminationTime>([^<]*)<", request)
        asked = found[1] if found else ""
        way = "relative" if asked.startswith("PT") else "absolute"
        if way not in self.renews:
            return REFUSED
        with self._changed:
            self.renewed.append(way)
            mine.ends = self._now() + timedelta(seconds=self.lease_s)
            if way == "absolute" and abs((datetime.fromisoformat(asked) - self._now()).total_seconds()) > 120:
                return REFUSED
        return f"<wsnt:RenewResponse>{self._lease(mine)}</wsnt:RenewResponse>"

    def _pull(self, mine: _Subscription, request: str) -> str:
        found = re.search(r"Timeout>PT([\d.]+)S<", request)
        wait_s = float(found[1]) if found else 1.0
        if wait_s > self.longest_poll_s:
            return FAULT.format(code="tev:PullMessagesFaultResponse", text="Timeout too long")
        with self._changed:
            self.pulls += 1
            if self.answer_pull:
                return self.answer_pull
            if self.polls:
                self._changed.wait_for(lambda: mine.waiting or mine.number not in self._open, timeout=wait_s)
            if mine.number not in self._open:
                return GONE
            said, mine.waiting = "".join(mine.waiting), []
        return f"<tev:PullMessagesResponse>{self._lease(mine, 'tev')}{said}</tev:PullMessagesResponse>"

    def _lease(self, mine: _Subscription, prefix: str = "wsnt") -> str:
        return (
            f"<{prefix}:CurrentTime>{self._now():%Y-%m-%dT%H:%M:%SZ}</{prefix}:CurrentTime>"
            f"<{prefix}:TerminationTime>{mine.ends:%Y-%m-%dT%H:%M:%SZ}</{prefix}:TerminationTime>"
        )

    def _notice(self, name: str, value: str, operation: str, at: str) -> str:
        topic, item = TOPICS.get(name, (name, "State"))
        said = f' PropertyOperation="{operation}"' if operation else ""
        data = f'<t:Data><t:SimpleItem Name="{item}" Value="{value}"/></t:Data>' if value else ""
        return (
            f"<wsnt:NotificationMessage><wsnt:Topic>{topic}</wsnt:Topic><wsnt:Message>"
            f'<t:Message UtcTime="{at or self._now().isoformat()}"{said}><t:Source>'
            f'<t:SimpleItem Name="Source" Value="000"/></t:Source>{data}</t:Message></wsnt:Message>'
            "</wsnt:NotificationMessage>"
        )

    def _now(self) -> datetime:
        return datetime.now(UTC) + self.clock
