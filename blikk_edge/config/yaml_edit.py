"""Edits of a YAML text at the places of its nodes: what is not edited keeps its bytes."""

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

import yaml

from blikk_edge.core.errors import BlikkError

BREAKS: Final = "\n\r\x85\u2028\u2029"
"""What ends a line of YAML 1.1."""

_COMMA: Final = re.compile(r"\s*,\s*")
_COLON: Final = re.compile(r"[ \t]*:[ \t]*")
_DASH: Final = re.compile(r" *- +")

Collected: TypeAlias = yaml.MappingNode | yaml.SequenceNode
Lines: TypeAlias = Sequence[str]
"""Lines of block style, without the indentation that all of them share."""


class NotEditableError(BlikkError):
    """The text cannot be edited there without touching more than what is meant."""


class YamlEdit:
    """Collects cuts in a text; `text()` is what becomes of it.

    Cuts must not overlap. Nodes are those that PyYAML composed of this very text. Raises NotEditableError where
    something is written so that a cut would touch more than the node.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._cuts: list[tuple[int, int, str]] = []

    def text(self) -> str:
        """The text with all cuts made."""
        made, at = "", 0
        for start, end, new in sorted(self._cuts, key=lambda cut: cut[:2]):
            if start < at:
                raise NotEditableError("two edits meet")
            made += self._text[at:start] + new
            at = end
        return made + self._text[at:]

    def replace(self, node: yaml.Node, new: str) -> None:
        """Write something else in the place of a node; `new` stands in one line."""
        self._cut(node.start_mark.index, end_of(node), new)

    def replace_value(self, key: yaml.Node, value: yaml.Node, lines: Lines, flow: str | None) -> None:
        """Write something else behind a key: lines of a block below it, or `flow` beside it where that is given."""
        start, end = value.start_mark.index, end_of(value)
        line = self._line_start(start)
        if flow is None and line > key.end_mark.index:  # a block: comments between it and its key stay
            if self._text[line:start].strip(" -"):
                raise NotEditableError("something other than spaces stands before the value")
            self._cut(line, end, self._break(line).join(self._below(key, lines)))
            return
        colon = self._colon(key, value)
        if flow is not None:
            self._cut(colon, end, f" {flow}")
        else:
            self._cut(colon, end, "".join(self._break(colon) + each for each in self._below(key, lines)))

    def remove(self, node: Collected, gone: Collection[int]) -> None:
        """Take items or pairs out of a collection, of which at least one must stay."""
        items = spans(node)
        if len(gone) == len(items):
            raise NotEditableError("nothing would be left")
        for first, last in _runs(gone):
            if not node.flow_style:
                self._indentation(node, first)
                start, end = self._line_start(items[first][0]), self._line_end(items[last][1])
                self._cut(start, self._next_line(end), "")
            elif first:
                self._must_be_comma(items[first - 1][1], items[first][0])
                self._cut(items[first - 1][1], items[last][1], "")
            else:
                self._must_be_comma(items[last][1], items[last + 1][0])
                self._cut(items[0][0], items[last + 1][0], "")
            for one, other in pairwise(range(first, last + 1)):
                if node.flow_style:
                    self._must_be_comma(items[one][1], items[other][0])

    def insert(self, node: Collected, after: int, blocks: Sequence[Lines], flows: Sequence[str]) -> None:
        """Put items or pairs behind that of index `after`, -1 being before the first; as lines, or in flow style."""
        items = spans(node)
        if node.flow_style:
            if after < 0:
                self._cut(items[0][0], items[0][0], "".join(f"{flow}, " for flow in flows))
            else:
                self._cut(items[after][1], items[after][1], "".join(f", {flow}" for flow in flows))
            return
        indent = self._indentation(node, max(after, 0))
        lines = [f"{indent}{line}" for block in blocks for line in block]
        if after < 0:
            at = self._line_start(items[0][0])
            self._cut(at, at, "".join(line + self._break(at) for line in lines))
        else:
            at = self._line_end(items[after][1])
            self._cut(at, at, "".join(self._break(at) + line for line in lines))

    def wrap(self, key: yaml.Node, value: yaml.ScalarNode, name: str, lines: Lines, flow: str | None) -> None:
        """Make of `key: value` a mapping `key: {name: value}`, with further lines, or `flow`, behind it."""
        start, end = value.start_mark.index, end_of(value)
        if flow is not None:
            self._cut(start, start, f"{{{name}: ")
            self._cut(end, end, f", {flow}}}")
            return
        colon = self._colon(key, value)
        first, *others = self._below(key, (f"{name}: ", *lines))
        self._cut(colon, start, self._break(colon) + first)
        at = self._line_end(end)
        self._cut(at, at, "".join(self._break(at) + line for line in others))

    def _colon(self, key: yaml.Node, value: yaml.Node) -> int:
        """The place behind the colon of a key; its value stands in the same line."""
        if _COLON.fullmatch(self._text, key.end_mark.index, value.start_mark.index) is None:
            raise NotEditableError("something stands between the key and its value")
        return self._text.index(":", key.end_mark.index) + 1

    def _below(self, key: yaml.Node, lines: Lines) -> list[str]:
        """Lines of a block below a key, indented."""
        prefix = self._text[self._line_start(key.start_mark.index) : key.start_mark.index]
        if prefix.strip(" "):
            raise NotEditableError("something other than spaces stands before the key")
        return [f"{prefix}  {line}" for line in lines]

    def _indentation(self, node: Collected, index: int) -> str:
        """What stands before an item of a block: spaces, to which the dash of a sequence is still to be added."""
        start = spans(node)[index][0]
        prefix = self._text[self._line_start(start) : start]
        if isinstance(node, yaml.SequenceNode):
            if _DASH.fullmatch(prefix) is None:
                raise NotEditableError("an item that does not stand in a line of its own")
            return prefix[: prefix.index("-")]
        if prefix.strip(" "):
            raise NotEditableError("a key that does not stand in a line of its own")
        return prefix

    def _must_be_comma(self, start: int, end: int) -> None:
        if _COMMA.fullmatch(self._text, start, end) is None:
            raise NotEditableError("something other than a comma stands between two items")

    def _cut(self, start: int, end: int, new: str) -> None:
        self._cuts.append((start, end, new))

    def _line_start(self, at: int) -> int:
        while at and self._text[at - 1] not in BREAKS:
            at -= 1
        return at

    def _line_end(self, at: int) -> int:
        while at < len(self._text) and self._text[at] not in BREAKS:
            at += 1
        return at

    def _next_line(self, end: int) -> int:
        return end + len(self._break_at(end))

    def _break_at(self, end: int) -> str:
        return self._text[end : end + (2 if self._text.startswith("\r\n", end) else 1)]

    def _break(self, at: int) -> str:
        """How lines end here."""
        return self._break_at(self._line_end(at)) or self._break_at(self._line_end(0)) or "\n"


def end_of(node: yaml.Node) -> int:
    """Where the text of a node ends; PyYAML has a block end where the next token begins, behind its comments."""
    if isinstance(node, yaml.ScalarNode):
        if node.style in {"|", ">"}:
            raise NotEditableError("a text of several lines (`|` or `>`)")
        return int(node.end_mark.index)
    if not isinstance(node, yaml.MappingNode | yaml.SequenceNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return end_of(last[1] if isinstance(node, yaml.MappingNode) else last)


def spans(node: Collected) -> list[tuple[int, int]]:
    """Where each item, or pair of key and value, begins and ends."""
    if isinstance(node, yaml.MappingNode):
        return [(key.start_mark.index, end_of(value)) for key, value in node.value]
    return [(item.start_mark.index, end_of(item)) for item in node.value]


def pairs_of(node: yaml.Node) -> Mapping[str, tuple[int, yaml.ScalarNode, yaml.Node]]:
    """The pairs of a mapping by name, each with its index."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {
        key.value: (index, key, value)
        for index, (key, value) in enumerate(node.value)
        if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge")
    }


def shared(root: yaml.Node) -> set[int]:
    """The ids of nodes that stand in more than one place: those that an alias names."""
    seen: set[int] = set()
    twice: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            twice.add(id(node))
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            waiting += [each for pair in node.value for each in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
    return twice


def below(node: yaml.Node) -> list[yaml.Node]:
    """A node and all below it, once each."""
    found: dict[int, yaml.Node] = {}
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if id(each) in found:
            continue
        found[id(each)] = each
        if isinstance(each, yaml.MappingNode):
            waiting += [part for pair in each.value for part in pair]
        elif isinstance(each, yaml.SequenceNode):
            waiting += each.value
    return list(found.values())


def aliases(text: str) -> list[tuple[int, int]]:
    """Where each alias (`*name`) begins and ends in a text that is YAML."""
    events = yaml.parse(text, Loader=yaml.SafeLoader) if "*" in text else ()
    return [
        (each.start_mark.index, each.end_mark.index)
        for each in events
        if isinstance(each, yaml.AliasEvent) and each.start_mark and each.end_mark
    ]


def _runs(indices: Collection[int]) -> list[tuple[int, int]]:
    """Neighbouring indices together, as first and last."""
    runs: list[tuple[int, int]] = []
    for index in sorted(indices):
        if runs and runs[-1][1] == index - 1:
            runs[-1] = runs[-1][0], index
        else:
            runs.append((index, index))
    return runs
