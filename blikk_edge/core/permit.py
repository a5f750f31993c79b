"""The port to who says which cameras a node may watch, where several nodes share them."""

from collections.abc import Collection
from typing import Protocol


class Permit(Protocol):
    """What a node may watch and speak for. Every method is cheap, and safe from any thread."""

    @property
    def leads(self) -> bool:
        """Whether this node speaks for the whole site."""
        ...

    @property
    def alone(self) -> bool:
        """Whether no other node of the site is there, as far as is known."""
        ...

    def watches(self, camera: str) -> bool:
        """Whether this node is to have the stream open: it holds the camera, or is about to."""
        ...

    def fence(self, camera: str) -> int | None:
        """The fence with which this node speaks for a camera now; None where it does not."""
        ...

    def seen(self, camera: str) -> None:
        """Frames of a camera come that this node is about to hold."""
        ...

    def elsewhere(self, camera: str) -> str | None:
        """In a sentence why a camera is not watched here; None where it is."""
        ...

    def unwatched(self) -> Collection[str]:
        """The cameras that nobody watches, as far as is known."""
        ...

    async def hand_over(self) -> None:
        """This node is about to stop: wait until others hold its cameras, as far as they can, within a limit."""
        ...
