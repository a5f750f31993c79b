"""Types of values that name a model or a camera's source. Relative paths start at the configuration's folder."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from blikk_edge.config.settings import PUSH, WHIP
from blikk_edge.grammar.leaf import Leaf
from blikk_edge.grammar.places import file_in, is_file, placed
from blikk_edge.grammar.problem import Wrong, did_you_mean, listed
from blikk_edge.grammar.secrets import Secret, SourceUrl
from blikk_edge.grammar.values import WEB_ADDRESS, Scalar, StreamAddress, flag_of
from blikk_edge.kinds.chosen import Chosen, OneKind, chosen
from blikk_edge.sources.address import PORTS, AddressError, parse, scheme_of
from blikk_edge.sources.kinds import SOURCES, WITH_OPTIONS
from blikk_edge.sources.vendors.advice import other_scheme
from blikk_edge.sources.webrtc.options import SCHEMES as WHEP_SCHEMES

RTSP: Final = frozenset({"rtsp", "rtsps"})
TWO_STREAMS: Final = frozenset({"watch", "archive"})

_MODEL_ENDINGS = (".tflite", ".onnx")


def model_in(folder: Path, names: Sequence[str]) -> Scalar:
    """A model: one of the registry's `names`, an address, or a path to a file that is there."""
    file = file_in(folder)

    def read(text: str) -> str:
        if "://" in text:
            return str(WEB_ADDRESS(text))
        if "/" in text or text.endswith(_MODEL_ENDINGS):
            return str(file(text))
        if text not in names:
            raise Wrong("no model of that name is known", did_you_mean(text, names))
        return text

    return Scalar(f"{listed(names)}, a path, or an https address", read)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluggedSource:
    """A source of a plug-in.

    Attributes:
        chosen: The kind, and its options.
        address: Its address, or the kind's name where it has none, as it is shown.
    """

    chosen: Chosen[Any, Any]
    address: SourceUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoStreams:
    """A camera of which one stream is watched and another one recorded.

    Attributes:
        watch: The source that is watched.
        archive: The stream that is recorded.
    """

    watch: "SourceUrl | PluggedSource"
    archive: SourceUrl


@dataclass(frozen=True, slots=True)
class SourceIn:
    """A camera's address: a URL, a device below `/dev` (which may come and go) or a file that is there.

    The scheme of an address may be that of a plug-in, and a mapping is a plug-in's name with its options.

    Attributes:
        folder: That of the configuration, from which relative paths count.
        words: What may stand there, for messages and the reference page.
    """

    folder: Path
    words: str = (
        "an address (`rtsp://`, `rtsps://`, `onvif://`, `http://`, `https://`), `/dev/videoN`, a path to a video or "
        "picture, `whep+https://`, `push`, `whip`, or the name of a plug-in or `whep` with its options below it"
    )

    def __call__(self, leaf: Leaf) -> SourceUrl | PluggedSource | TwoStreams:
        """The address in the form that every part understands; raises Wrong."""
        if isinstance(leaf, dict) and leaf.keys() == TWO_STREAMS:
            return TwoStreams(watch=self._one(leaf["watch"]), archive=ARCHIVE(leaf["archive"]))
        return self._one(leaf)

    def _one(self, leaf: Leaf) -> SourceUrl | PluggedSource:
        if isinstance(leaf, dict):
            return self._named(leaf)
        hidden = isinstance(leaf, Secret)
        text = str(Scalar(self.words, str.strip, secret=True)(leaf))
        if (scheme := scheme_of(text)) is not None and scheme not in {*PORTS, *SOURCES.own} and SOURCES.known(scheme):
            return PluggedSource(
                chosen=chosen(SOURCES, scheme, leaf, self.folder), address=SourceUrl(text, hidden=hidden)
            )
        if scheme in WHEP_SCHEMES:
            whep = chosen(SOURCES, "whep", leaf, self.folder)
            return PluggedSource(chosen=whep, address=SourceUrl(text, hidden=hidden))
        if text.lower() == PUSH:
            text = PUSH
        if text.lower() in {WHIP, f"{WHIP}://"}:
            text = WHIP
        if text.lower().startswith("file://"):
            text = unquote(text[len("file://") :].removeprefix("localhost"))
        if "://" in text:
            text = _address(text)
        elif text not in {PUSH, WHIP} and not text.startswith("/dev/"):
            path = placed(self.folder, text)
            if not is_file(path):
                mend = "Write `rtsp://...`, `http://...`, `/dev/video0`, or the path to a video file."
                raise Wrong("neither an address, nor a device, nor a file that is there", mend)
            text = str(path)
        return SourceUrl(text, hidden=hidden)

    def _named(self, leaf: Leaf) -> PluggedSource:
        found = OneKind(SOURCES, self.folder)(leaf)
        if found.name in WITH_OPTIONS and not found.refused:
            return PluggedSource(chosen=found, address=found.options.address)
        if found.name in SOURCES.own:
            raise Wrong("a source of Blikk Edge's own with a name", "Write its address behind `source:`.")
        if not SOURCES.known(found.name):
            mend = did_you_mean(found.name, _others()) if _others() else "Write an address, or install the plug-in."
            raise Wrong("no plug-in brings a source of that name", mend)
        return PluggedSource(chosen=found, address=SourceUrl(found.name))


def _archive(text: str) -> SourceUrl:
    text = text.strip()
    if scheme_of(text) not in RTSP:
        raise Wrong("no address of an RTSP stream", "Write `rtsp://...`; `blikk discover` names a camera's streams.")
    return SourceUrl(_address(text))


ARCHIVE: Final = StreamAddress("an address (`rtsp://`, `rtsps://`)", _archive)
"""A stream that is recorded. May hold a login or be a `!secret`; shows itself without either."""


@dataclass(frozen=True, slots=True)
class EventsIn:
    """Where a camera's own events are asked for: an `onvif://` address, or whether they are asked for at its source.

    Attributes:
        words: What may stand there, for messages and the reference page.
    """

    words: str = "`true`, `false`, or an address `onvif://user:password@host`"

    def __call__(self, leaf: Leaf) -> SourceUrl | bool:
        """The address, or the flag; raises Wrong."""
        if (flag := flag_of(leaf)) is not None:
            return flag
        text = str(Scalar(self.words, str.strip, secret=True)(leaf))
        if scheme_of(text) != "onvif":
            raise Wrong("neither yes nor no, nor an `onvif://` address", f"Write {self.words}.")
        return SourceUrl(_address(text), hidden=isinstance(leaf, Secret))


def _others() -> list[str]:
    """The names of the sources of plug-ins."""
    return [name for name in SOURCES.names() if name not in SOURCES.own]


def _address(text: str) -> str:
    if scheme_of(text) not in PORTS:
        if (ours := other_scheme(text)) and ours in PORTS:
            raise Wrong("an address of another program", f"Write `{ours}://`.")
        known = listed(f"{scheme}://" for scheme in (*PORTS, *_others()))
        raise Wrong("an address of a kind that is not known", f"Use {known}; a plug-in may bring others.")
    encode = "Check host and port; in a password write `%2F` for /, `%40` for @, `%3A` for :, `%23` for #, `%3F` for ?."
    try:
        address = parse(text)
    except AddressError:
        raise Wrong("an address that cannot be read", encode) from None
    if re.search(r"\s", text):
        raise Wrong("a space in an address", "Write `%20` for it.")
    return address.url
