"""`Stream`: what a camera sees, for a Python program."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from blikk_edge.agents.agent_sink import AgentSink
from blikk_edge.agents.node_stream import NodeStream
from blikk_edge.core.errors import ConfigError


class Stream(NodeStream):
    """One camera, watched by a node of its own in the background: a context manager, sync and async.

    `source` (or `camera_url`) is what `source:` is in `blikk.yaml`; all other parameters have the names and values of
    the keys there, of the camera (`event_threshold`, `labels`, `zones`, ...) and of the node (`models`, `privacy`,
    `summary`, `language`, ...). Raises ConfigErrors for what is wrong with them.

    A file is read once, from its beginning to its end, as fast as it is looked at: nothing is dropped, and times are
    those of the clip, which begins now. Its time goes on only while somebody waits for it: in the loop over a
    subscription, in `wait` or `picture`, or for an AgentSink. So in the body of a loop `now` and `ask` are about the
    moment of the record. With `realtime` it is played as a camera would, over and over. Everything else is watched as
    it comes, until the stream is closed.

    `store` names a file for the history; without it, it is a temporary one. `camera` is the id of the camera in
    records. `transforms` may hold callables that get each Scene and return one. `sinks` are AgentSinks, or those of
    plug-ins as a dict.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        *,
        camera_url: str | os.PathLike[str] | None = None,
        camera: str = "camera",
        realtime: bool = False,
        sinks: Sequence[AgentSink] | Mapping[str, Any] = (),
        **parameters: Any,
    ) -> None:
        if (source is None) == (camera_url is None):
            raise ConfigError("Stream: name one source: Stream('rtsp://...') or Stream(camera_url='rtsp://...')")
        if not isinstance(camera, str):
            raise ConfigError("Stream: camera is the id of the camera, a text")
        from blikk_edge.agents.local import own_node

        address = source if source is not None else camera_url
        given = {"source": os.fspath(address) if isinstance(address, os.PathLike) else address, **parameters}
        if isinstance(sinks, Mapping) and sinks:
            given["sinks"] = sinks
        link = own_node(given, camera=camera, live=realtime)
        super().__init__(link, camera=camera, sinks=() if isinstance(sinks, Mapping) else sinks)

    @staticmethod
    def connect(
        node: str, *, camera: str | None = None, token: str | None = None, sinks: Sequence[AgentSink] = ()
    ) -> NodeStream:
        """A stream of a node that runs, over its broker: `mqtt://user:password@broker/node`, or `mqtts://`.

        At its WebSocket, `ws://127.0.0.1:8428` or `wss://host:8428`, with its `token` (`http.tokens.view`, if it has
        one), those of the time of a break come too; questions and pictures go over its HTTP server.

        With `camera`, of that one alone; else of all, and `state` and `picture` want a node with one. What the
        node reports while the broker is away is not heard, but `ask` and `events` know of it. Raises ConfigError for an
        address that cannot be used; opening it raises BlikkError where the node cannot be reached.
        """
        from blikk_edge.agents.remote import RemoteNode, WebSocketNode, parse, parse_websocket

        if isinstance(node, str) and node.lower().startswith(("ws://", "wss://")):
            return NodeStream(WebSocketNode(*parse_websocket(node, token)), camera=camera, sinks=sinks)
        return NodeStream(RemoteNode(*parse(node)), camera=camera, sinks=sinks)
