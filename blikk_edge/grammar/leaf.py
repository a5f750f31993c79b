"""What a YAML file is to the grammar: texts, secrets, lists and mappings, and the places of keys in it."""

from typing import TypeAlias

from blikk_edge.grammar.secrets import Secret

Leaf: TypeAlias = "str | Secret | list[Leaf] | dict[str, Leaf] | None"
"""A value as it was written: scalars stay text, a mapping keeps its order, None is a key without a value."""

Where: TypeAlias = tuple[str | int, ...]
"""The steps to a value: keys of mappings, indices of lists."""
