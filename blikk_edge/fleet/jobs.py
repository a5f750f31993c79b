"""What goes over the wire between who needs a language model and the workers that have one: jobs, answers, beats.

A job is a message of the site's work queue. It says where it is answered. There the worker first asks whether it is
still wanted and for how long; nobody listens there any more once the asker gave up or died, and NATS says so at once.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from blikk_edge.core.errors import LlmError, WireError, quote
from blikk_edge.core.picture import Picture
from blikk_edge.llm.port import AwayError, BlindError, Completion, GarbledError, Prompt, TooLongError
from blikk_edge.llm.queue.port import NotNowError, Priority

VERSION: Final = 1
KIND: Final = "llm"
WORK_MAX_S: Final = 600.0
"""Nothing is worked on, nor kept in the queue, for longer."""


class Urgency(StrEnum):
    """The three queues of a site, in the order in which workers look at them."""

    RING = "ring"
    PERSON = "person"
    DIGEST = "digest"


_URGENCY: Final[Mapping[Priority, Urgency]] = {
    Priority.USER: Urgency.RING,
    Priority.RING: Urgency.RING,
    Priority.QUESTION: Urgency.DIGEST,
    Priority.DIGEST: Urgency.DIGEST,
}


def urgency_of(priority: Priority) -> Urgency:
    """The queue for work of this priority: who waits or rings, who was seen, what has time."""
    return _URGENCY.get(priority, Urgency.PERSON)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelJob:
    """A prompt that somebody in the site wants to have answered.

    Attributes:
        node: Who asks.
        camera: The camera's id; None for work of a whole node.
        answer_to: The subject on which the asker listens, as long as it wants the answer.
        prompt: What the model is sent. Its Pictures are redacted: there are no others.
    """

    node: str
    camera: str | None
    answer_to: str
    prompt: Prompt = field(repr=False)

    def to_bytes(self) -> bytes:
        """As it stands in the queue."""
        prompt = self.prompt
        pictures = [asdict(each) | {"jpeg": base64.b64encode(each.jpeg).decode()} for each in prompt.pictures]
        content = {
            "v": VERSION,
            "node": self.node,
            "camera": self.camera,
            "answer_to": self.answer_to,
            "system": prompt.system,
            "user": prompt.user,
            "schema_name": prompt.schema_name,
            "schema": prompt.schema,
            "max_tokens": prompt.max_tokens,
            "pictures": pictures,
        }
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def job_in(data: bytes) -> ModelJob:
    """The job of a message; raises WireError."""
    content = object_in(data)
    if content.get("v") != VERSION:
        raise WireError(f"a job of version {quote(str(content.get('v')))}, and this worker knows {VERSION}")
    try:
        camera = content["camera"]
        prompt = Prompt(
            system=text_of(content["system"]),
            user=text_of(content["user"]),
            schema_name=text_of(content["schema_name"]),
            schema=dict(content["schema"]),
            max_tokens=int(content["max_tokens"]),
            pictures=tuple(_picture(each) for each in content["pictures"]),
        )
        return ModelJob(
            node=text_of(content["node"]),
            camera=None if camera is None else text_of(camera),
            answer_to=text_of(content["answer_to"]),
            prompt=prompt,
        )
    except (KeyError, TypeError, ValueError, OverflowError, binascii.Error) as error:
        raise WireError(f"no job: {type(error).__name__} {quote(str(error))}") from None


def _picture(content: Mapping[str, Any]) -> Picture:
    return Picture(**dict(content) | {"jpeg": base64.b64decode(content["jpeg"], validate=True)})


def text_of(value: object) -> str:
    """The value, where it is a text; raises TypeError."""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def object_in(data: bytes) -> dict[str, Any]:
    """The JSON object of a message; raises WireError."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise WireError("not JSON") from None
    if not isinstance(content, dict):
        raise WireError("not an object")
    return content


# -- the answer ----------------------------------------------------------------------------------------------------

TAKEN: Final = b'{"taken":true}'
"""What a worker asks an asker: whether it is still wanted. It is answered by `left_bytes`."""

_ERRORS: Final[Mapping[str, type[LlmError]]] = {
    "too_long": TooLongError,
    "blind": BlindError,
    "garbled": GarbledError,
    "not_now": NotNowError,
    "away": AwayError,
}


def completion_bytes(completion: Completion) -> bytes:
    """The answer of a model."""
    return json.dumps({"done": asdict(completion)}).encode()


def error_bytes(error: LlmError) -> bytes:
    """Why there is no answer."""
    name = next((name for name, kind in _ERRORS.items() if isinstance(error, kind)), "away")
    spent = error.spent if isinstance(error, GarbledError) else None
    content = {"failed": name, "text": quote(str(error)), "spent": None if spent is None else asdict(spent)}
    return json.dumps(content).encode()


def left_bytes(left_s: float) -> bytes:
    """For how much longer an asker wants its answer."""
    return json.dumps({"left_s": round(left_s, 3)}).encode()


def left_in(data: bytes) -> float:
    """For how many seconds the answer is wanted; raises WireError."""
    left_s = object_in(data).get("left_s")
    if isinstance(left_s, bool) or not isinstance(left_s, int | float):
        raise WireError("no time that is left")
    return min(WORK_MAX_S, max(0.0, float(left_s)))


def answer_in(data: bytes) -> Completion:
    """What a worker wrote; raises the LlmError that it came to, and WireError for what is neither."""
    content = object_in(data)
    if "failed" in content:
        kind = _ERRORS.get(str(content["failed"]), AwayError)
        text = quote(str(content.get("text") or "a worker failed"))
        if kind is GarbledError:
            raise GarbledError(text, spent=_completion(content["spent"]) if content.get("spent") else None)
        raise kind(text)
    return _completion(content.get("done"))


def _completion(content: object) -> Completion:
    try:
        if not isinstance(content, dict):
            raise TypeError("not an object")
        return Completion(
            text=text_of(content["text"]),
            model=text_of(content["model"]),
            input_tokens=int(content["input_tokens"]),
            output_tokens=int(content["output_tokens"]),
            estimated=bool(content["estimated"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise WireError(f"no answer: {type(error).__name__} {quote(str(error))}") from None
