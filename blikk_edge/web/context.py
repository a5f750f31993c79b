"""What a node hands to a page that it makes of a Kind. Nothing here touches pixels but redacted Pictures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from blikk_edge.core.debug import ClipDebugger
from blikk_edge.core.geometry import Polygon
from blikk_edge.core.live import LiveView
from blikk_edge.core.probe import NodeNote, Readings
from blikk_edge.core.recordings import EventClips
from blikk_edge.kinds.context import Context
from blikk_edge.net.http.access import Access
from blikk_edge.web.config_file import ConfigFile
from blikk_edge.web.feed import Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where in a camera's picture something is configured.

    Attributes:
        zones: The polygon of each zone, by its name.
        private: The private areas.
    """

    zones: Mapping[str, Polygon] = field(default_factory=dict)
    private: tuple[Polygon, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """For pages and parts of the API.

    Attributes:
        node: What every part of a node is handed.
        access: Who may have what.
        live: Where frames of the live view come from.
        feed: What is reported, as it comes.
        places: Zones and private areas, by camera.
        problems: What is wrong now, a sentence each.
        note: How cameras, mailboxes, sinks and the language model are doing now; to be called in the event loop.
        readings: What was measured on the way from frame to sink, and the frames of the last ten minutes.
        recordings: Makes clips of events; None: no camera is recorded.
        phones: The cameras whose picture a phone or browser may send.
        clip: The recorded clip behind the debugger; None on a node that watches cameras.
        config_file: The file that the node was started with; None: there is none.
        restart: Starts the node again, so that it reads its file; None: it cannot do that itself.
    """

    node: Context
    access: Access = field(repr=False)
    live: LiveView = field(repr=False)
    feed: Feed = field(repr=False)
    note: Callable[[], NodeNote] = field(repr=False)
    readings: Readings = field(repr=False)
    places: Mapping[str, Places] = field(default_factory=dict)
    problems: Callable[[], tuple[str, ...]] = field(default=tuple, repr=False)
    recordings: EventClips | None = field(default=None, repr=False)
    phones: frozenset[str] = frozenset()
    clip: ClipDebugger | None = field(default=None, repr=False)
    config_file: ConfigFile | None = field(default=None, repr=False)
    restart: Callable[[], None] | None = field(default=None, repr=False)
