"""The kinds of pages: ours alone, as each still has a server of its own."""

from typing import TYPE_CHECKING, Final

from blikk_edge.kinds.context import Context
from blikk_edge.kinds.plugins import Kinds, has

if TYPE_CHECKING:
    from blikk_edge.web.media import MediaApi

PAGES: Final["Kinds[Context, MediaApi]"] = Kinds(
    "page", group="", lacks=has("name", "run"), own={"media": "blikk_edge.web.media_kind"}
)
