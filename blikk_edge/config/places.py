"""Kinds of values that point somewhere: files, models, cameras. Relative paths start at the configuration's folder."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from blikk_edge.config.kinds import WEB_ADDRESS, Scalar
from blikk_edge.config.problem import Wrong, did_you_mean, listed
from blikk_edge.config.secrets import Secret, SourceUrl
from blikk_edge.config.settings import PUSH
from blikk_edge.config.yaml_lines import Leaf
from blikk_edge.sources.address import PORTS, AddressError, parse, scheme_of

_MODEL_ENDINGS = (".tflite", ".onnx")


def path_in(folder: Path) -> Scalar:
    """A path; nothing needs to be there yet."""
    return Scalar("a path", lambda text: placed(folder, text))


def file_in(folder: Path) -> Scalar:
    """A path to a file that is there."""

    def read(text: str) -> Path:
        path = placed(folder, text)
        if not _is_file(path):
            raise Wrong("no such file", "Check the path; a relative one starts at the folder of this file.")
        return path

    return Scalar("a path to a file", read)


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


@dataclass(frozen=True, slots=True)
class SourceIn:
    """A camera's address: a URL, a device below `/dev` (which may come and go) or a file that is there."""

    folder: Path
    words: str = (
        "an address (`rtsp://`, `rtsps://`, `http://`, `https://`), `/dev/videoN`, a path to a video or picture, "
        "or `push`"
    )

    def __call__(self, leaf: Leaf) -> SourceUrl:
        """The address in the form that every part understands; raises Wrong."""
        hidden = isinstance(leaf, Secret)
        text = str(Scalar(self.words, str.strip, secret=True)(leaf))
        if text.lower() == PUSH:
            text = PUSH
        if text.lower().startswith("file://"):
            text = unquote(text[len("file://") :].removeprefix("localhost"))
        if "://" in text:
            text = _address(text)
        elif text != PUSH and not text.startswith("/dev/"):
            path = placed(self.folder, text)
            if not _is_file(path):
                mend = "Write `rtsp://...`, `http://...`, `/dev/video0`, or the path to a video file."
                raise Wrong("neither an address, nor a device, nor a file that is there", mend)
            text = str(path)
        return SourceUrl(text, hidden=hidden)


def _address(text: str) -> str:
    if scheme_of(text) not in PORTS:
        raise Wrong("an address of a kind that is not known", f"Use {listed(f'{known}://' for known in PORTS)}.")
    encode = "Check host and port; in a password write `%2F` for /, `%40` for @, `%3A` for :, `%23` for #, `%3F` for ?."
    try:
        address = parse(text)
    except AddressError:
        raise Wrong("an address that cannot be read", encode) from None
    if re.search(r"\s", text):
        raise Wrong("a space in an address", "Write `%20` for it.")
    return address.url


def placed(folder: Path, text: str) -> Path:
    """The path, from the configuration's folder where it is relative; raises Wrong."""
    text = text.strip()
    try:
        return folder / (Path(text).expanduser() if text.startswith("~/") else Path(text))
    except RuntimeError:
        raise Wrong("`~` without a home folder", "Write the path in full.") from None


def _is_file(path: Path) -> bool:
    """Whether a file can be seen there; a name that the system refuses is no file."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
