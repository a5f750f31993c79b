"""The kinds of pages and parts of the API: ours, and those that plug-ins bring."""

from typing import TYPE_CHECKING, Final

from blikk_edge.kinds.plugins import Kinds, has

if TYPE_CHECKING:
    from blikk_edge.net.http.route import Served
    from blikk_edge.web.context import PageContext

SERVED: Final["Kinds[PageContext, Served]"] = Kinds(
    "page",
    group="blikk.pages",
    lacks=has("name", "routes"),
    own={
        "site": "blikk_edge.web.site",
        "live": "blikk_edge.web.live",
        "control": "blikk_edge.web.control",
        "metrics": "blikk_edge.web.metrics",
        "media": "blikk_edge.web.media_kind",
        "timeline": "blikk_edge.web.timeline",
        "events": "blikk_edge.web.events",
        "search": "blikk_edge.web.search",
        "ask": "blikk_edge.web.ask",
        "debug": "blikk_edge.web.debug",
        "debug_clip": "blikk_edge.web.debug_clip",
        "zones": "blikk_edge.web.zones",
    },
)
