"""Asks a running node over its broker, and waits for the answer."""

import asyncio
import json
import secrets
from typing import Final

from blikk_edge.core.errors import SinkError
from blikk_edge.core.inquiry import Request
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.connection import Connection, Outcome
from blikk_edge.sinks.mqtt.login import visit
from blikk_edge.wire.inquiries import MAX_PAYLOAD_BYTES, write_request
from blikk_edge.wire.messages import Message
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import JsonObject

PATIENCE_S: Final = 50.0
"""For the answer to a question: a little longer than a node works on one."""


async def ask_node(address: Address, topics: Topics, request: Request, *, patience_s: float = PATIENCE_S) -> JsonObject:
    """The reply of the node at `topics`, as in the contract.

    Raises SinkError where the request is too long, the broker cannot be reached, the node is offline, or nothing comes
    in time.
    """
    number = secrets.token_hex(8)
    reply_topic = f"{topics.reply_prefix}{number}"
    payload = write_request(request, response_topic=reply_topic, correlation=number)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise SinkError(f"{len(payload)} bytes are more than a request needs ({MAX_PAYLOAD_BYTES}); ask in fewer words")
    question = Message(topic=topics.ask, payload=payload, qos=1, retain=False, content_type="application/json")

    async def ask(connection: Connection) -> JsonObject:
        await connection.subscribe(topics.status)
        if await connection.subscribe(reply_topic) is not Outcome.TAKEN:
            raise SinkError(f"broker {address} does not let us hear answers on {reply_topic}; see its access list")
        if await connection.publish(question) is not Outcome.TAKEN:
            raise SinkError(f"broker {address} does not take questions on {topics.ask}; see its access list")
        return await _reply(connection, topics, number)

    try:
        async with asyncio.timeout(patience_s):
            return await visit(address, identifier=f"blikk-ask-{number}", work=ask)
    except TimeoutError:
        raise SinkError(f"node {topics.node}: no answer within {patience_s:.0f} s; see its log") from None


async def _reply(connection: Connection, topics: Topics, number: str) -> JsonObject:
    async for message in connection.client.messages:
        payload = bytes(message.payload)
        if str(message.topic) == topics.status:
            if payload == b"offline":
                raise SinkError(f"node {topics.node} is offline; is it running?")
            continue
        try:
            content = json.loads(payload)
        except (ValueError, RecursionError):
            continue
        if isinstance(content, dict) and content.get("correlation") == number:
            return content
    raise SinkError(f"node {topics.node}: the connection ended before its answer")
