"""Types of values that point to files. Relative paths start at the configuration's folder."""

from pathlib import Path

from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.values import Scalar


def path_in(folder: Path) -> Scalar:
    """A path; nothing needs to be there yet."""
    return Scalar("a path", lambda text: placed(folder, text))


def file_in(folder: Path) -> Scalar:
    """A path to a file that is there."""

    def read(text: str) -> Path:
        path = placed(folder, text)
        if not is_file(path):
            raise Wrong("no such file", "Check the path; a relative one starts at the folder of this file.")
        return path

    return Scalar("a path to a file", read)


def placed(folder: Path, text: str) -> Path:
    """The path, from the configuration's folder where it is relative; raises Wrong."""
    text = text.strip()
    try:
        return folder / (Path(text).expanduser() if text.startswith("~/") else Path(text))
    except RuntimeError:
        raise Wrong("`~` without a home folder", "Write the path in full.") from None


def is_file(path: Path) -> bool:
    """Whether a file can be seen there; a name that the system refuses is no file."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
