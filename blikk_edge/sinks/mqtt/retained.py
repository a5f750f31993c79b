"""What the broker keeps for us, and what of it must go."""

from collections.abc import Sequence

from blikk_edge.core.house import CameraInfo
from blikk_edge.wire.messages import Message
from blikk_edge.wire.topics import Topics


class Retained:
    """The topics of ours that hold something, from this run or an earlier one; `announce` and `status` stay apart."""

    def __init__(self, topics: Topics, cameras: Sequence[CameraInfo]) -> None:
        self._topics = topics
        self._questions = {camera.id: {question.id for question in camera.questions} for camera in cameras}
        self._held: set[str] = set()

    @property
    def filters(self) -> tuple[str, ...]:
        """What to subscribe to at first, and only then: the broker says what it keeps."""
        words = ("health", "digest", "+/status", "+/state", "+/summary", "+/digest", "+/answer/+", "+/picture/+")
        return tuple(f"{self._topics.base}/{word}" for word in words)

    def holds(self, topic: str) -> None:
        """The broker keeps something there."""
        self._held.add(topic)

    def empty(self, *, everything: bool) -> list[Message]:
        """What empties them: all, or those of cameras and questions that are no longer configured."""
        surplus = sorted(topic for topic in self._held if everything or not self._is_wanted(topic))
        self._held.difference_update(surplus)
        return [Message(topic=topic, payload=b"", qos=1, retain=True) for topic in surplus]

    def _is_wanted(self, topic: str) -> bool:
        match topic.removeprefix(f"{self._topics.base}/").split("/"):
            case [_]:
                return True
            case [camera, "answer", question]:
                return question in self._questions.get(camera, ())
            case [camera, *_]:
                return camera in self._questions
        return False
