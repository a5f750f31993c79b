"""Who makes the Home Assistant entities: decides, message by message, what to publish on the config topics.

Pure: it is given what arrived and answers what to do; whoever holds the connection publishes and keeps the timer.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blikk_edge.wire.discovery import Discovery, components_of, config_filter, removal, split, tombstones
from blikk_edge.wire.messages import Message
from blikk_edge.wire.topics import Topics

SETTLE_S = 1.0
"""After a connection: how long the broker has to hand over the retained config topics and the claim."""

HEAL_S = 2.0
"""From an emptied config topic, or a claim that went, to publishing again. Home Assistant removes entities in tasks of
its own and would name new ones `..._2` beside those that still go; it also keeps a fight with another writer slow."""

STRANGERS_MAX = 1000
"""Config topics below our node's that are not ours and are remembered; anybody can make up any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to do now.

    Attributes:
        messages: To be published, in order.
        again_in_s: When to call `due()`, in place of any earlier call planned; None: what is planned stays.
        restate: Whether availability and states are to be published anew.
        warning: For the log; None: nothing.
    """

    messages: tuple[Message, ...] = ()
    again_in_s: float | None = None
    restate: bool = False
    warning: str | None = None


NOTHING = Advice()


def _any_size(_message: Message) -> bool:
    return True


class DiscoveryPlanner:
    """Keeps Home Assistant's config topics as they should be.

    `mode` is `auto` (unless the component claims the node), `discovery` (always), `integration` or `off` (never; what
    an earlier run left is cleared). A user cannot remove single entities for good: Home Assistant empties the whole
    device's topic then, and the other entities must come back. Disabling an entity lasts.
    """

    def __init__(
        self, discoveries: Sequence[Discovery], topics: Topics, *, mode: str, prefix: str, birth_topic: str
    ) -> None:
        self._whole = tuple(discoveries)
        self._fits: Callable[[Message], bool] = _any_size
        self._discoveries = {discovery.topic: discovery for discovery in discoveries}
        self._mode = mode
        self._claim_topic = topics.claim
        self._birth_topic = birth_topic
        self._config_filter = config_filter(topics, prefix=prefix)
        self._claimed = False
        self._retaining = mode != "integration"
        self._settled = False
        self._on_broker: dict[str, bytes] = {}
        self._under_way: dict[str, deque[bytes]] = {}

    @property
    def filters(self) -> tuple[str, ...]:
        """What to subscribe to, with QoS 1, before `connected` is called."""
        return (self._config_filter, self._claim_topic, self._birth_topic)

    @property
    def birth_topic(self) -> str:
        """Where Home Assistant says that it has started."""
        return self._birth_topic

    @property
    def config_topics(self) -> tuple[str, ...]:
        """Our own config topics, for brokers that take no wildcards in a filter."""
        return tuple(self._discoveries)

    @property
    def settled(self) -> bool:
        """Whether the broker has had the time to hand over what it keeps."""
        return self._settled

    @property
    def publishing(self) -> bool:
        """Whether the entities are ours to make."""
        return self._mode == "discovery" or (self._mode == "auto" and not self._claimed)

    @property
    def retaining(self) -> bool:
        """Whether the broker shall keep our states for whoever comes later; in `integration` mode, for the component.

        Through a new connection it stays as it was until a claim was received or the time for it has passed.
        """
        return self._retaining

    def limit(self, fits: Callable[[Message], bool]) -> None:
        """A new connection: `fits` says whether its broker takes a message as large as this."""
        self._fits = fits
        self._discoveries = {part.topic: part for whole in self._whole for part in split(whole, fits)}

    @property
    def left_out(self) -> tuple[str, ...]:
        """The ids of the entities that are too large for the broker, each on its own; sorted."""
        wanted = {key for whole in self._whole for key in whole.components}
        return tuple(sorted(wanted - {key for part in self._discoveries.values() for key in part.components}))

    def missed(self, topic: str) -> None:
        """What was to be published there did not arrive: `due` publishes it anew."""
        self._on_broker.pop(topic, None)
        self._under_way.pop(topic, None)

    def connected(self) -> Advice:
        """A new connection has subscribed: nothing is known of the broker yet."""
        self._settled = False
        self._claimed = False
        self._on_broker.clear()
        self._under_way.clear()
        return Advice(again_in_s=SETTLE_S)

    def received(self, topic: str, payload: bytes) -> Advice:
        """A message on one of `filters`; others are passed over."""
        if topic == self._birth_topic:
            return self._birth(payload)
        if topic == self._claim_topic:
            return self._claim(payload)
        if self._is_config(topic):
            return self._config(topic, payload)
        return NOTHING

    def due(self) -> Advice:
        """The time asked for has passed."""
        self._settled = True
        self._heed_claim()
        if moved := self._moved():
            return Advice(messages=self._sent(moved), again_in_s=HEAL_S)
        return Advice(messages=self._messages(again=False))

    def _birth(self, payload: bytes) -> Advice:
        if payload != b"online" or not self._settled:
            return NOTHING
        return Advice(messages=self._messages(again=True), restate=True)

    def _claim(self, payload: bytes) -> Advice:
        before, self._claimed = self.publishing, bool(payload.strip())
        self._heed_claim()
        if not self._settled or self.publishing == before:
            return NOTHING
        if self.publishing:
            return Advice(again_in_s=HEAL_S)
        return Advice(messages=self._messages(again=False))

    def _heed_claim(self) -> None:
        self._retaining = self._mode != "integration" or self._claimed

    def _config(self, topic: str, payload: bytes) -> Advice:
        if self._is_echo(topic, payload):
            return NOTHING
        if topic in self._discoveries:
            self._on_broker[topic] = payload
        elif topic in self._on_broker or len(self._on_broker) < STRANGERS_MAX:
            self._on_broker[topic] = b"?" if payload else b""
        if not self._settled:
            return NOTHING
        if payload and self.publishing and topic in self._discoveries:
            warning = (
                f"{topic}: another payload than ours was published, by another node of this name or by somebody else"
            )
            return Advice(warning=warning)
        return Advice(again_in_s=HEAL_S)

    def _is_echo(self, topic: str, payload: bytes) -> bool:
        under_way = self._under_way.get(topic)
        if not under_way or payload not in under_way:
            return False
        while under_way.popleft() != payload:
            pass  # earlier ones were overtaken
        return True

    def _is_config(self, topic: str) -> bool:
        start, end = self._config_filter.split("+")
        return topic.startswith(start) and topic.endswith(end) and len(topic) > len(start) + len(end)

    def _messages(self, *, again: bool) -> tuple[Message, ...]:
        """From what is on the broker to what should be; `again` repeats what is there already."""
        wanted = self._discoveries if self.publishing else {}
        messages: list[Message] = []
        for topic, payload in self._on_broker.items():
            if payload and topic not in wanted:
                messages.append(removal(topic))
        for topic, discovery in wanted.items():
            there, message = self._on_broker.get(topic, b""), discovery.message()
            if there == message.payload and not again:
                continue
            graves = tombstones(components_of(there), discovery)
            messages += [message] if graves is None else [graves, message]
        return self._sent(messages)

    def _moved(self) -> list[Message]:
        """Removals, where components are to move from one topic to another, or their tombstones would not fit.

        Home Assistant must have removed an entity before another topic brings it: see HEAL_S.
        """
        if not self.publishing or (len(self._discoveries) == len(self._whole) and not self._has_parts()):
            return []
        moved = []
        for topic, payload in self._on_broker.items():
            there = components_of(payload)
            wanted = self._discoveries.get(topic)
            gone = set(there) - set(wanted.components if wanted is not None else ())
            if payload and (wanted is None or gone):
                moved.append(removal(topic))
        return moved

    def _has_parts(self) -> bool:
        """Whether the broker keeps parts of ours, from a time when it took less at once."""
        start, _ = self._config_filter.split("+")
        return any(payload and topic.startswith(f"{start}part") for topic, payload in self._on_broker.items())

    def _sent(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        for message in messages:
            self._on_broker[message.topic] = message.payload
            self._under_way.setdefault(message.topic, deque(maxlen=16)).append(message.payload)
        return tuple(messages)
