"""A broker that does what it is reported, for limits and refusals that Mosquitto cannot be made to show.

async with ScriptedBroker(announce={"ReceiveMaximum": 10}) as broker:
    broker.refuse["blikk/+/+/ring"] = 0x87
    ...
    assert broker.most_under_way <= 10

It speaks MQTT 5 and 3.1.1, keeps what is retained, routes to whoever subscribed (QoS 0), and holds clients to what it
announced: it ends a connection that breaks a limit with the reason code that real brokers give.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiomqtt import Topic
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = 1, 2, 3, 4, 8, 9, 10, 11
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIn:
    """A CONNECT: `level` is 5 or 4 (3.1.1); of the will only what limits concern; `answered` with this reason code."""

    client: str
    level: int
    will_qos: int
    will_retain: bool
    keepalive_s: int
    properties: dict[str, Any]
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A PUBLISH that came whole; `code` is the reason code of its acknowledgement, None for QoS 0."""

    client: str
    topic: str
    payload: bytes = field(repr=False)
    qos: int
    retain: bool
    size: int
    properties: dict[str, Any]
    code: int | None


class _EndError(Exception):
    """The connection is to end, with this reason code or without a word."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__(code)
        self.code = code


class ScriptedBroker:
    """One broker on a loopback port. All attributes may be changed while it runs; they count from then on.

    Attributes:
        announce: properties of CONNACK by paho's names; ReceiveMaximum, MaximumPacketSize, MaximumQoS and
            RetainAvailable are enforced. `enforce` holds limits that are not announced (3.1.1 has no way to).
        speaks: the protocol levels it takes; others are refused, as `old` says: "words", "hang up" or "silence".
        silent: while True a CONNECT is read and not answered.
        refuse: reason codes by topic filter, for PUBACK; `refuse_subscribe` by how a filter begins, for SUBACK.
        ends_at: called with topic and packet size; a reason code, or 0 for no word, ends the connection there.
        ends_at_filter: the same for subscriptions, by filter.
        log_in_s: the time that an answer to CONNECT takes.
        connack_code: the reason code of CONNACK.
        refuse_sessions: that of a log-in that asks for a session to be kept; 0 ends the connection without a word.
        disconnect: properties of a DISCONNECT it sends, such as ReasonString.
        reports_taken_over: whether a client whose id logs in again learns so (0x8E), or just closed.
        empty_answers: how many answers to subscriptions hold no reason code.
        hold: while True nothing is acknowledged; `ack_s` is the time that an acknowledgement takes otherwise.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        *,
        port: int = 0,
        announce: Mapping[str, Any] | None = None,
        enforce: Mapping[str, Any] | None = None,
        speaks: tuple[int, ...] = (5, 4),
        old: str = "words",
    ) -> None:
        self.port = port
        self.announce = dict(announce or {})
        self.enforce = dict(enforce or {})
        self.speaks = speaks
        self.old = old
        self.silent = False
        self.refuse: dict[str, int] = {}
        self.refuse_subscribe: dict[str, int] = {}
        self.ends_at: Callable[[str, int], int | None] = lambda _topic, _size: None
        self.ends_at_filter: dict[str, int] = {}
        self.log_in_s = 0.0
        self.connack_code = 0
        self.refuse_sessions: int | None = None
        self.disconnect: dict[str, Any] = {}
        self.reports_taken_over = True
        self.empty_answers = 0
        self.hold = False
        self.ack_s = 0.005
        self.log_ins: list[LogIn] = []
        self.published: list[Published] = []
        self.subscribed: list[str] = []
        self.ends: list[int | None] = []
        self.pings = 0
        self.most_under_way = 0
        self.retained: dict[str, bytes] = {}
        self._server: asyncio.Server | None = None
        self._clients: dict[str, _Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def on(self, topic: str) -> list[Published]:
        """What was taken on one topic, in order."""
        return [each for each in self.published if each.topic == topic and not (each.code or 0) & 0x80]

    def limit(self, name: str, default: int) -> int:
        """A limit, announced or only enforced."""
        return int(self.enforce.get(name, self.announce.get(name, default)))

    def say_raw(self, publish: bytes) -> None:
        """A PUBLISH with QoS 0 and this content to every client, whether it is one or not."""
        for client in self._clients.values():
            client._send(PUBLISH, 0, publish)

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish to whoever subscribed."""
        if retain:
            self.retained.pop(topic, None)
            if payload:
                self.retained[topic] = payload
        for client in self._clients.values():
            if any(Topic(topic).matches(each) for each in client.filters):
                client.publish(topic, payload, retain=False)

    def drop(self) -> None:
        """Close every connection without a word."""
        for client in self._clients.values():
            client.writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        client = _Client(self, reader, writer)
        try:
            await client.serve()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except _EndError as end:
            self.ends.append(end.code)
            client.say_end(end.code)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        except asyncio.CancelledError:
            pass
        finally:
            if self._clients.get(client.name) is client:
                del self._clients[client.name]
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()
            self._tasks.discard(task)

    def _log_in(self, client: "_Client") -> None:
        before = self._clients.pop(client.name, None)
        if before is not None:
            before.say_end(0x8E if self.reports_taken_over else None)
            before.writer.close()
        self._clients[client.name] = client


class _Client:
    """One connection, from CONNECT on."""

    def __init__(self, broker: ScriptedBroker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.broker = broker
        self.reader = reader
        self.writer = writer
        self.name = ""
        self.level = 4
        self.filters: list[str] = []
        self._under_way: dict[int, tuple[int, bytes]] = {}

    async def serve(self) -> None:
        """Until the connection ends; raises _EndError where the broker ends it."""
        kind, _flags, body = await self._packet()
        if kind != CONNECT:
            raise _EndError(0x82)
        if not await self._connect(body):
            return
        while True:
            kind, flags, body = await self._packet()
            match kind:
                case _ if kind == PUBLISH:
                    await self._published(flags, body)
                case _ if kind == SUBSCRIBE:
                    self._subscribe(body)
                case _ if kind == UNSUBSCRIBE:
                    self._send(UNSUBACK, 0, body[:2] + (b"\0\0" if self.level == 5 else b""))
                case _ if kind == PINGREQ:
                    self.broker.pings += 1
                    self._send(PINGRESP, 0, b"")
                case _ if kind == DISCONNECT:
                    return

    def say_end(self, code: int | None) -> None:
        """DISCONNECT, where the protocol has one for brokers."""
        if code and self.level == 5 and not self.writer.is_closing():
            self._send(DISCONNECT, 0, bytes([code]) + self._pack(PacketTypes.DISCONNECT, self.broker.disconnect))

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """To this client, with QoS 0."""
        self._send(PUBLISH, int(retain), _text(topic) + (b"\0" if self.level == 5 else b"") + payload)

    async def _packet(self) -> tuple[int, int, bytes]:
        first = (await self.reader.readexactly(1))[0]
        length = shift = 0
        while True:
            byte = (await self.reader.readexactly(1))[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if 1 + shift // 7 + length > self.broker.limit("MaximumPacketSize", 2**28):
            raise _EndError(0x95)
        return first >> 4, first & 15, await self.reader.readexactly(length)

    async def _connect(self, body: bytes) -> bool:
        name_length = int.from_bytes(body[:2], "big")
        self.level, flags = body[2 + name_length], body[3 + name_length]
        keepalive, rest = int.from_bytes(body[4 + name_length : 6 + name_length], "big"), body[6 + name_length :]
        properties: dict[str, Any] = {}
        if self.level == 5:
            properties, rest = _unpack(PacketTypes.CONNECT, rest)
        self.name = rest[2 : 2 + int.from_bytes(rest[:2], "big")].decode()
        will_qos, will_retain = flags >> 3 & 3, bool(flags & 0x20)
        self.broker.log_ins.append(
            LogIn(
                client=self.name,
                level=self.level,
                will_qos=will_qos,
                will_retain=will_retain,
                keepalive_s=keepalive,
                properties=properties,
                at=asyncio.get_running_loop().time(),
            )
        )
        if self.broker.silent or (self.level not in self.broker.speaks and self.broker.old == "silence"):
            await self.reader.read()
            return False
        if self.level not in self.broker.speaks:
            if self.broker.old == "words":
                self.writer.write(b"\x20\x02\x00\x01")
            return False
        await asyncio.sleep(self.broker.log_in_s)
        code = self.broker.connack_code
        if "SessionExpiryInterval" in properties and self.broker.refuse_sessions is not None:
            code = self.broker.refuse_sessions
            if not code:
                return False
        if not self.broker.limit("RetainAvailable", 1) and will_retain:
            code = 0x9A
        elif will_qos > self.broker.limit("MaximumQoS", 2):
            code = 0x9B
        if self.level == 5:
            self._send(CONNACK, 0, bytes([0, code]) + self._pack(PacketTypes.CONNACK, self.broker.announce))
        else:
            self._send(CONNACK, 0, bytes([0, 5 if code else 0]))
        if code:
            return False
        self.broker._log_in(self)
        return True

    async def _published(self, flags: int, body: bytes) -> None:
        qos, retain = flags >> 1 & 3, bool(flags & 1)
        length = int.from_bytes(body[:2], "big")
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        mid = b""
        if qos:
            mid, rest = rest[:2], rest[2:]
        properties: dict[str, Any] = {}
        if self.level == 5:
            properties, rest = _unpack(PacketTypes.PUBLISH, rest)
        size = 1 + _length_bytes(len(body)) + len(body)
        broker = self.broker
        if qos > broker.limit("MaximumQoS", 2):
            raise _EndError(0x9B)
        if retain and not broker.limit("RetainAvailable", 1):
            raise _EndError(0x9A)
        if properties.get("TopicAlias", 0) > broker.limit("TopicAliasMaximum", 0):
            raise _EndError(0x94)
        if (end := broker.ends_at(topic, size)) is not None:
            raise _EndError(end or None)
        code = None
        if qos:
            code = next((c for each, c in broker.refuse.items() if Topic(topic).matches(each)), 0)
            code = code if self.level == 5 else 0
            self._under_way[int.from_bytes(mid, "big")] = code, mid
            broker.most_under_way = max(broker.most_under_way, len(self._under_way))
            if len(self._under_way) > broker.limit("ReceiveMaximum", 65535):
                raise _EndError(0x93)
            task = asyncio.ensure_future(self._acknowledge())
            broker._tasks.add(task)
            task.add_done_callback(broker._tasks.discard)
        broker.published.append(
            Published(
                client=self.name,
                topic=topic,
                payload=rest,
                qos=qos,
                retain=retain,
                size=size,
                properties=properties,
                code=code,
            )
        )
        if not code:
            broker.say(topic, rest, retain=retain)

    async def _acknowledge(self) -> None:
        """The oldest that waits, a moment later: what is sent at once is under way at once."""
        await asyncio.sleep(self.broker.ack_s)
        while self.broker.hold:
            await asyncio.sleep(0.005)
        code, mid = self._under_way.pop(next(iter(self._under_way)))
        if not self.writer.is_closing():
            self._send(PUBACK, 0, mid + (bytes([code]) if code else b""))

    def _subscribe(self, body: bytes) -> None:
        mid, rest = body[:2], body[2:]
        if self.level == 5:
            _, rest = _unpack(PacketTypes.SUBSCRIBE, rest)
        codes = b""
        while rest:
            length = int.from_bytes(rest[:2], "big")
            topic_filter, rest = rest[2 : 2 + length].decode(), rest[3 + length :]
            if topic_filter in self.broker.ends_at_filter:
                raise _EndError(self.broker.ends_at_filter[topic_filter] or None)
            refused = self.broker.refuse_subscribe
            code = next((refused[each] for each in refused if topic_filter.startswith(each)), 0)
            if not self.broker.limit("WildcardSubscriptionAvailable", 1) and set("+#") & set(topic_filter):
                code = 0xA2
            if code < 0x80:
                self.filters.append(topic_filter)
                self.broker.subscribed.append(topic_filter)
            codes += bytes([code])
        if self.broker.empty_answers:
            self.broker.empty_answers -= 1
            codes = b""
        self._send(SUBACK, 0, mid + (b"\0" if self.level == 5 else b"") + codes)
        for topic, payload in self.broker.retained.items():
            if any(Topic(topic).matches(each) for each in self.filters):
                self.publish(topic, payload, retain=True)

    def _pack(self, kind: int, values: Mapping[str, Any]) -> bytes:
        properties = Properties(kind)
        for name, value in values.items():
            setattr(properties, name, value)
        return bytes(properties.pack())

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        length, head = len(body), bytearray([kind << 4 | flags])
        while True:
            length, byte = divmod(length, 128)
            head.append(byte | (0x80 if length else 0))
            if not length:
                break
        self.writer.write(bytes(head) + body)


def _length_bytes(length: int) -> int:
    return 1 if length < 128 else 2 if length < 128**2 else 3 if length < 128**3 else 4


def _text(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()


def _unpack(kind: int, rest: bytes) -> tuple[dict[str, Any], bytes]:
    properties, length = Properties(kind).unpack(rest)
    return {k: v for k, v in vars(properties).items() if k[0].isupper()}, rest[length:]
