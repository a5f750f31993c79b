"""What one connection to a broker says and hears."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What one connection says and hears.

    Attributes:
        node: Whether it speaks for the node, or the site, as a whole: status, announce, health, entities.
        cameras: Whether it speaks for cameras, and takes commands for them.
        listens: Whether it takes commands and requests at all.
    """

    node: bool = True
    cameras: bool = True
    listens: bool = True


NODE: Final = Role()
"""A node on its own."""

SITE: Final = Role(cameras=False)
"""The node that leads those which share cameras, as the site."""

MEMBER: Final = Role(node=False)
"""One of them, for the cameras that it holds."""
