"""Records that a broker finds too large, without the parts that a reader can do without."""

import json
from collections.abc import Callable
from dataclasses import replace

from blikk_edge.wire.messages import Message
from blikk_edge.wire.values import json_bytes


def shorter(message: Message, fits: Callable[[Message], bool]) -> Message | None:
    """The record's message without its embeddings, and with as many of its `objects` as fit; None where none is enough.

    `counts` and all else stay as they are. The first objects are kept.
    """
    try:
        content = json.loads(message.payload)
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    for without in ("embedding", "appearances"):
        content.pop(without, None)
    objects = content.get("objects")
    while not fits(made := replace(message, payload=json_bytes(content))):
        if not isinstance(objects, list) or not objects:
            return None
        objects = content["objects"] = objects[: len(objects) // 2]
    return made
