"""The HTTP server behind `blikk debug`: the same pages, with a recorded clip in the place of cameras."""

from collections.abc import Sequence

from blikk_edge import __version__
from blikk_edge.app.debugging import ClipDebug
from blikk_edge.app.identity import camera_info, topics_of
from blikk_edge.app.scratch import Scratch
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.inquiry import Reply, Request
from blikk_edge.core.probe import NodeNote
from blikk_edge.core.status import CameraState, NodeInfo
from blikk_edge.kinds.context import Context
from blikk_edge.net.http.access import Access
from blikk_edge.net.http.server import HttpServer
from blikk_edge.runtime.live import Live
from blikk_edge.runtime.probe import NodeProbe
from blikk_edge.store.store import Store
from blikk_edge.web.context import PageContext, Places
from blikk_edge.web.debug_clip import ClipPages
from blikk_edge.web.feed import Feed
from blikk_edge.web.live import LivePages
from blikk_edge.web.site import Site


class ClipServer:
    """Serves a clip on this machine alone, until cancelled; `port` 0 takes a free one, found in `server.port`.

    No token is asked for: whoever is on this machine sees what is in the clip, redacted.
    """

    def __init__(self, clip: ClipDebug, *, port: int = 0) -> None:
        self._scratch = Scratch()
        context = self._context(clip)
        self.server = HttpServer(
            (Site(context), LivePages(context), ClipPages(context.clip)),
            context.access,
            clock=context.node.clock,
            port=port,
        )

    async def run(self) -> None:
        """Serve. Raises BlikkError where the port cannot be used."""
        await self.server.run()

    def close(self) -> None:
        """Remove what was only needed while it ran."""
        self._scratch.remove()

    def _context(self, clip: ClipDebug) -> PageContext:
        camera, clock = clip.camera, SystemClock()
        topics = topics_of(clip.settings)
        node = Context(
            clock=clock,
            node=NodeInfo(
                id=clip.settings.node.id,
                name=clip.state().clip,
                version=__version__,
                cameras=(camera_info(camera),),
                language=clip.locale.language,
            ),
            topics=topics,
            locale=lambda: clip.locale,
            claimed=lambda _claim: None,
            order=lambda _command: None,
            history=Store(self._scratch.path / "blikk.db"),
            ask=_nobody,
            states=_no_states,
            publish=lambda _item: None,
        )
        return PageContext(
            node=node,
            access=Access(view=None, control=None, clock=clock),
            live=Live(),
            feed=Feed(topics),
            note=_no_note,
            readings=NodeProbe({}),
            places={
                camera.id: Places(zones={zone.name: zone.polygon for zone in camera.zones}, private=camera.private)
            },
            clip=clip,
        )


async def _nobody(_request: Request) -> Reply:
    raise BlikkError("a clip is not asked")


def _no_note() -> NodeNote:
    return NodeNote(
        cameras=(), lanes=(), mailboxes=(), sinks=(), lost=0, unsaved=0, llm=None, temperature_c=None, problems=()
    )


def _no_states() -> Sequence[CameraState]:
    return ()
