"""A YAML file as PyYAML's graph of nodes, or the Problem that says why not. The only place that meets bad YAML."""

import stat
from pathlib import Path

import yaml

from blikk_edge.grammar.problem import Problem

MAX_BYTES = 250_000  # a hundred times what a household needs; PyYAML takes a Pi half a minute for it
MAX_DEPTH = 32

EXAMPLE = "the smallest is `node: hallway`, `mqtt: broker.local`, `cameras: {door: {source: rtsp://...}}`"

# PyYAML's own messages quote what was written, which may be a password; these do not.
_PLAIN_WORDS = (
    ("found character '\\t'", "a tab stands where spaces belong", "Indent with spaces."),
    ("mapping values are not allowed", "a `:` stands where none can", "Check the indentation; quote text with `: `."),
    ("could not find expected ':'", "a key without its `:`", "Write `key: value`, and check the line above."),
    ("found undefined alias", "an alias `*` that no anchor `&` defines", "Put text that begins with `*` in quotes."),
    ("found duplicate anchor", "an anchor `&` that is defined twice", "Put text that begins with `&` in quotes."),
    ("but found another document", "a second document begins here", "Remove the line `---`."),
    ("found unknown escape", 'an unknown `\\` escape in "..."', "Use single quotes: '...'."),
    ("found unexpected end of stream", "a quote that is never closed", "Close the quote."),
    ("found character", "a character that no value can begin with", "Put the value in quotes."),
    ("nested too deeply", "lists and mappings are nested too deeply", f"Stay within {MAX_DEPTH} levels."),
)
_ANY_OTHER = ("this is not YAML", "Check indentation, quotes and brackets here and in the line above.")


class _RefusedError(Exception):
    """The file cannot be read as YAML; holds the Problem."""

    def __init__(self, file: Path, text: str, mend: str, line: int = 0, column: int = 0) -> None:
        super().__init__()
        self.problem = Problem(file=file, line=line, column=column, path="", text=text, mend=mend)


def compose(file: Path, problems: list[Problem], raw: bytes | None = None) -> yaml.Node | None:
    """The file's node graph; None where it is empty or, with a Problem added, cannot be read.

    `raw` is what the file would hold; None: what it holds.
    """
    try:
        return _graph(file, _text(file, _bytes(file) if raw is None else raw))
    except _RefusedError as refused:
        problems.append(refused.problem)
        return None


def _text(file: Path, raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise _RefusedError(file, "the file is larger than 250 kB", "Check that this is the right file.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\0" in raw[:1000] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):  # those are UTF-16's
            raise _RefusedError(file, "this is no text", "Name the YAML file.") from None
        line = raw.count(b"\n", 0, error.start) + 1
        raise _RefusedError(file, "the text is not UTF-8", "Save the file as UTF-8.", line) from None


def _bytes(file: Path) -> bytes:
    """What is in the file, as far as it may be needed. Never waits for what somebody writes into a pipe."""
    try:
        kind = file.stat().st_mode
        if stat.S_ISDIR(kind):
            raise _RefusedError(file, "this is a folder", f"Name the file in it: {file.name}/blikk.yaml.")
        if not stat.S_ISREG(kind):
            raise _RefusedError(file, "this is a device or a pipe", "Write it into a file, and name that.")
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        other = file.with_suffix(".yml" if file.suffix == ".yaml" else ".yaml")
        mend = (
            f"Did you mean `{other.name}`?"
            if other.is_file()
            else f"`blikk init` writes one; or name another. In short, {EXAMPLE}."
        )
        raise _RefusedError(file, f"there is no such file in {_folder_of(file)}", mend) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
        mend = "Check the path and the file's permissions."
        raise _RefusedError(file, f"the file cannot be read ({reason})", mend) from None


def _folder_of(file: Path) -> str:
    try:
        return str(file.absolute().parent)
    except FileNotFoundError:
        return "the working directory, which was removed"


def _graph(file: Path, text: str) -> yaml.Node | None:
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        mend = "Remove it, or write it as an escape in double quotes."
        raise _RefusedError(file, "a control character", mend, line, column) from None
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark or loader.get_mark()
        explained = next((words[1:] for words in _PLAIN_WORDS if words[0] in str(error.problem)), _ANY_OTHER)
        raise _RefusedError(file, *explained, mark.line + 1, mark.column + 1) from None
    except (ValueError, OverflowError):  # PyYAML hands "\U00110000" to chr() unchecked
        mark = loader.get_mark()
        text = "an escape in double quotes that is no character"
        raise _RefusedError(file, text, "Use single quotes.", mark.line + 1, mark.column + 1) from None
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """A SafeLoader that refuses depth instead of running out of stack."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """One node and what is below it; raises ComposerError below MAX_DEPTH."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.get_mark() if parent is None else parent.start_mark
            raise yaml.composer.ComposerError(None, None, "nested too deeply", mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node
