"""What the broker keeps for us, and what of it must go."""

from collections.abc import Mapping, Sequence
from typing import Final

from blikk_edge.core.picture import RING, SNAPSHOT
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo
from blikk_edge.wire.messages import Message
from blikk_edge.wire.topics import Topics

HELD_MAX: Final = 5000
"""Topics remembered at most; a node of forty cameras has a tenth. Strangers can retain any number."""

_PICTURES: Final = (*Label, RING, SNAPSHOT)


class Retained:
    """The topics of ours that hold something, from this run or an earlier one; `announce` and `status` stay apart."""

    def __init__(self, topics: Topics, cameras: Sequence[CameraInfo]) -> None:
        self._topics = topics
        self._questions = {camera.id: {question.id for question in camera.questions} for camera in cameras}
        self._held: set[str] = set()

    @property
    def filters(self) -> Mapping[str, tuple[str, ...] | None]:
        """What to subscribe to at first, and only then: the broker says what it keeps.

        With each filter that has a wildcard come the topics that stand for it where the broker takes none; what is
        kept of cameras that are no longer configured is not found then.
        """
        found: dict[str, tuple[str, ...] | None] = {
            f"{self._topics.base}/{word}": None for word in ("health", "digest")
        }
        for word in ("status", "state", "summary", "digest"):
            found[self._below("+", word)] = tuple(self._below(camera, word) for camera in self._questions)
        found[self._below("+", "answer/+")] = tuple(
            self._below(camera, f"answer/{question}")
            for camera, questions in self._questions.items()
            for question in sorted(questions)
        )
        found[self._below("+", "picture/+")] = tuple(
            self._below(camera, f"picture/{name}") for camera in self._questions for name in _PICTURES
        )
        return found

    def holds(self, topic: str) -> None:
        """The broker keeps something there."""
        if len(self._held) < HELD_MAX:
            self._held.add(topic)

    def empty(self, *, everything: bool) -> list[Message]:
        """What empties them: all, or those of cameras and questions that are no longer configured."""
        surplus = sorted(topic for topic in self._held if everything or not self._is_wanted(topic))
        self._held.difference_update(surplus)
        return [Message(topic=topic, payload=b"", qos=1, retain=True) for topic in surplus]

    def _below(self, camera: str, word: str) -> str:
        return f"{self._topics.base}/{camera}/{word}"

    def _is_wanted(self, topic: str) -> bool:
        match topic.removeprefix(f"{self._topics.base}/").split("/"):
            case [_]:
                return True
            case [camera, "answer", question]:
                return question in self._questions.get(camera, ())
            case [camera, *_]:
                return camera in self._questions
        return False
