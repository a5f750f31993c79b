"""Messages of a broker as they come: for the demo, the benches and anybody who wants to look over a node's shoulder."""

from collections.abc import AsyncIterator

import aiomqtt

from blikk_edge.core.errors import SinkError


async def listen(host: str, port: int, *filters: str) -> AsyncIterator[tuple[str, bytes]]:
    """Topic and payload of every message that matches one of the filters, from a broker without log-in or TLS.

    Raises SinkError where the broker cannot be reached or goes away.
    """
    try:
        async with aiomqtt.Client(host, port) as client:
            for each in filters:
                await client.subscribe(each, qos=1)
            async for message in client.messages:
                if isinstance(message.payload, bytes):
                    yield str(message.topic), message.payload
    except aiomqtt.MqttError as error:
        raise SinkError(f"{host}:{port}: {error}; is a broker listening there?") from error
