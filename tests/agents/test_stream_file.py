"""A stream of a file: everything in it once, from its beginning to its end."""

from collections.abc import Callable
from pathlib import Path

import pytest
from agent_props import MOVES

from blikk_edge import Stream
from blikk_edge.core.observation import Observation, Observed

pytestmark = pytest.mark.usefixtures("no_thread_left")


def test_iteration_gives_all_of_a_file_and_ends(plain: Callable[..., Stream], squares: Path) -> None:
    with plain(squares) as stream:
        began = stream.now
        found = list(stream.subscribe())
        assert stream.latest == found[-1]
    assert all(isinstance(each, Observation) and each.kind is Observed.MOTION for each in found)
    firsts = [each.time for n, each in enumerate(found) if n == 0 or each.time - found[n - 1].until > 5]
    assert len(firsts) == len(MOVES)
    assert found[-1].until - began < 60
