"""The kinds of sources: ours, and those of plug-ins (entry points `blikk.sources`)."""

from typing import TYPE_CHECKING, Final

from blikk_edge.kinds.plugins import Kinds, has

if TYPE_CHECKING:  # a configuration is read without pixels
    from blikk_edge.core.stages import Source
    from blikk_edge.sources.terms import Terms

SOURCES: Final["Kinds[Terms, Source]"] = Kinds(
    "source",
    group="blikk.sources",
    lacks=has("frames"),
    own={
        "rtsp": "blikk_edge.sources.rtsp",
        "onvif": "blikk_edge.sources.onvif.source",
        "mjpeg": "blikk_edge.sources.mjpeg",
        "hls": "blikk_edge.sources.hls",
        "usb": "blikk_edge.sources.usb",
        "file": "blikk_edge.sources.file",
        "push": "blikk_edge.sources.push",
        "whep": "blikk_edge.sources.webrtc.whep_kind",
        "whip": "blikk_edge.sources.webrtc.whip_kind",
    },
)

WITH_OPTIONS: Final = frozenset({"whep"})
"""Those of ours that are also written by name, with options below it."""
