"""The embedded broker of the demo, a process of its own so that its cost is not counted as ours.

    python -m blikk_edge.demo.broker PORT

Loopback only, no log-in; ends when its standard input is closed.
"""

import asyncio
import logging
import sys

from amqtt.broker import Broker


async def serve(port: int) -> None:
    """Serve MQTT on 127.0.0.1 until standard input is closed."""
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    broker = Broker(config)
    await broker.start()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await broker.shutdown()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(serve(int(sys.argv[1])))
