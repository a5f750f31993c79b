"""A node of one's own. The only door from this room to those with pixels: `app.streaming` hands out records."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blikk_edge.agents.link import Link
from blikk_edge.app.streaming import StreamNode, settings_for


def own_node(parameters: Mapping[str, Any], *, camera: str, live: bool) -> Link:
    """A node with these parameters, which has not started. Raises ConfigErrors."""
    settings = settings_for(parameters, camera=camera, folder=Path.cwd(), environ=os.environ)
    return StreamNode(settings, environ=os.environ, live=live)
