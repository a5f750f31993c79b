"""The debugger of a running node: stages and mailboxes with their figures, and the last ten minutes of each camera."""

from collections.abc import Sequence

from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.route import Route
from blikk_edge.web.context import PageContext
from blikk_edge.web.options import NONE


class DebugPages:
    """Serves nothing yet."""

    name = "debug"

    def __init__(self, context: PageContext) -> None:
        self._context = context

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return ()


KIND: Kind[PageContext, DebugPages] = Kind(
    name="debug", meaning="The debugger.", options=NONE, make=lambda _options, context: DebugPages(context)
)
