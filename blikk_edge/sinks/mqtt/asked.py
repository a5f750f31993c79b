"""Requests on one connection: each answered in a task of its own, few at once, and never in the way of records."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

import aiomqtt

from blikk_edge.core.errors import BlikkError, WireError
from blikk_edge.core.inquiry import WAITING_MAX, Answerer, AskQuestion, ListEvents, Reply, Request, refusal
from blikk_edge.core.locale import LocaleNow
from blikk_edge.sinks.mqtt.connection import Connection
from blikk_edge.wire.inquiries import (
    check_correlation_data,
    check_response_topic,
    open_envelope,
    read_request,
    reply_content,
)
from blikk_edge.wire.messages import Message
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import json_bytes

LOG = logging.getLogger("blikk.mqtt")

REFUSED_MAX: Final = 16
"""Refusals that may wait for the broker; in a flood the others get none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asker:
    """Where a reply goes, and by what it is known there: `data` is MQTT v5's, `correlation` the JSON's."""

    topic: str | None
    data: bytes | None = None
    correlation: str | None = None


class RequestHandler:
    """Takes requests and publishes their replies, one at a time; `complain` gets what no asker can be answered.

    What is for another to answer, as `answers` says (None: a request that cannot be read), is passed over; or carried
    out without an answer, where it `heeds` it.

    Times without an offset are those of `locale`.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        topics: Topics,
        cameras: Collection[str],
        ask: Answerer | None,
        locale: LocaleNow,
        complain: Callable[[WireError], None],
        answers: Callable[[Request | None], bool] = lambda _request: True,
        heeds: Callable[[Request], bool] = lambda _request: False,
    ) -> None:
        self._answers = answers
        self._heeds = heeds
        self._connection = connection
        self._topics = topics
        self._cameras = cameras
        self._ask = ask
        self._locale = locale
        self._complain = complain
        self._working = 0
        self._refusing = 0
        self._bugs: set[type[Exception]] = set()
        # One more message under way beside the window of records, not eight.
        self._turn = asyncio.Lock()

    def received(self, message: aiomqtt.Message, group: asyncio.TaskGroup) -> None:
        """Take one message on `ask`; what it needs is done in `group`."""
        try:
            if message.retain:
                raise WireError("ask: a retained request is not answered; publish it without retain")
            asker = _asker(message)
            if asker.topic is not None:
                check_response_topic(asker.topic, self._topics)
            if asker.data is not None:
                check_correlation_data(asker.data)
        except WireError as error:
            if self._answers(None):
                self._complain(error)
            return
        try:
            envelope = open_envelope(bytes(message.payload), self._topics, response_topic=asker.topic)
            asker = replace(asker, topic=envelope.response_topic, correlation=envelope.correlation)
            request = read_request(envelope.content, self._cameras, self._locale().timezone)
        except WireError as error:
            if self._answers(None):
                self._refuse(refusal(error), asker, group)
            return
        if not self._answers(request):
            if not self._heeds(request) or self._working >= WAITING_MAX:
                return
            asker = _Asker(topic=None)
        if asker.topic is None and isinstance(request, AskQuestion | ListEvents):
            self._complain(WireError("ask: no response topic; nobody would hear the answer"))
        elif self._working >= WAITING_MAX:
            self._refuse(refusal(f"{WAITING_MAX} requests wait already; try again in a moment"), asker, group)
        else:
            self._working += 1
            group.create_task(self._answer(request, asker), name="mqtt.ask")

    async def _answer(self, request: Request, asker: _Asker) -> None:
        try:
            await self._publish(await self._reply(request), asker)
        finally:
            self._working -= 1

    async def _reply(self, request: Request) -> Reply:
        if self._ask is None:
            return refusal("this node does not answer requests")
        try:
            return await self._ask(request)
        except BlikkError as error:
            return refusal(error)
        # What is asked is untrusted: a bug that one request finds must not end the session of all records.
        except Exception as error:
            if type(error) not in self._bugs:
                LOG.exception("a request was not answered because of a bug; logged once for each connection")
            self._bugs.add(type(error))
            return refusal(f"this node stumbled over the request ({type(error).__name__}), which is a bug; see its log")

    def _refuse(self, reply: Reply, asker: _Asker, group: asyncio.TaskGroup) -> None:
        if asker.topic is None or self._refusing >= REFUSED_MAX:
            self._complain(WireError(f"ask: {reply.error}"))
            return
        self._refusing += 1
        group.create_task(self._publish_refusal(reply, asker), name="mqtt.refuse")

    async def _publish_refusal(self, reply: Reply, asker: _Asker) -> None:
        try:
            await self._publish(reply, asker)
        finally:
            self._refusing -= 1

    async def _publish(self, reply: Reply, asker: _Asker) -> None:
        if asker.topic is None:
            return
        message = _message(reply, asker.topic, asker)
        if not self._connection.fits(message):
            size = self._connection.size(message)
            shorter = refusal(f"the answer has {size} bytes, which is more than the broker takes; ask for less at once")
            message = _message(shorter, asker.topic, asker)
        async with self._turn:
            await self._connection.publish(message)


def _message(reply: Reply, topic: str, asker: _Asker) -> Message:
    return Message(
        topic=topic,
        payload=json_bytes(reply_content(reply, correlation=asker.correlation)),
        qos=1,
        retain=False,
        content_type="application/json",
        correlation=asker.data,
    )


def _asker(message: aiomqtt.Message) -> _Asker:
    """What MQTT v5 says of who asks."""
    # The library makes an attribute of each property that came, and of no other.
    topic = getattr(message.properties, "ResponseTopic", None)
    data = getattr(message.properties, "CorrelationData", None)
    return _Asker(topic=topic, data=data)
