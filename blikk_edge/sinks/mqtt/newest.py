"""States and Pictures on their way out: of each place the newest counts."""

import asyncio
from collections.abc import Hashable

from blikk_edge.core.picture import Picture
from blikk_edge.core.status import CameraAvailability, Health, Status


class Newest:
    """The present states, which of them were not yet published, and the Pictures that wait."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self._now: dict[Hashable, Status] = {}
        self._unpublished: dict[Hashable, None] = {}
        self._pictures: dict[Hashable, Picture] = {}

    def status(self, status: Status) -> None:
        """This is how it is now."""
        key = _place(status)
        self._now[key] = status
        self._unpublished[key] = None
        self.waiting.set()

    def again(self, status: Status) -> None:
        """It could not be published: to be tried again, unless there is a newer one."""
        self._unpublished[_place(status)] = None
        self.waiting.set()

    def forget(self, status: Status) -> None:
        """It is for another to say how it is there."""
        self._now.pop(_place(status), None)
        self._unpublished.pop(_place(status), None)

    def picture(self, picture: Picture) -> None:
        """To be published, unless a newer one of the same place comes first."""
        self._pictures[picture.camera, picture.name] = picture
        self.waiting.set()

    def drop_picture(self, camera: str | None, name: str) -> None:
        """What waits for this place was forgotten."""
        self._pictures.pop((camera, name), None)

    def restate(self) -> None:
        """Publish every state anew; availability first, as the others mean nothing without it."""
        self._unpublished = dict.fromkeys(
            sorted(self._now, key=lambda key: not isinstance(self._now[key], CameraAvailability))
        )
        self.waiting.set()

    def drop_pictures(self) -> None:
        """The connection went."""
        self._pictures.clear()

    def take(self) -> Status | Picture | None:
        """The next to publish: states before Pictures, which are a hundred times larger."""
        if self._unpublished:
            key = next(iter(self._unpublished))
            del self._unpublished[key]
            return self._now[key]
        if self._pictures:
            return self._pictures.pop(next(iter(self._pictures)))
        self.waiting.clear()
        return None


def _place(status: Status) -> Hashable:
    return "health" if isinstance(status, Health) else (type(status), status.camera)
