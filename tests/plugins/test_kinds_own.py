"""Our own kinds: each is where its table says, by its name, and says what it is."""

import re

import pytest

from blikk_edge.app.plugins import GROUPS
from blikk_edge.kinds.kind import PORT

OURS = [(group, name) for group in GROUPS for name in group.own]


@pytest.mark.parametrize(("group", "name"), OURS, ids=[f"{group.word} {name}" for group, name in OURS])
def test_each_is_where_its_table_says(group, name: str) -> None:
    kind = group.get(name)
    assert (kind.name, kind.port) == (name, PORT)
    assert re.fullmatch(r"[A-Z].*\.", kind.meaning)


def test_there_are_some() -> None:
    assert {group.word for group, _ in OURS} >= {"source", "sink", "enricher", "input", "language model"}


def test_no_two_groups_have_the_same_word_or_entry_points() -> None:
    assert len({group.word for group in GROUPS}) == len({group.group for group in GROUPS}) == len(GROUPS)
