"""A camera's switches stand after a restart as they stood before, unless they were configured anew."""

import pytest

from blikk_edge.core.status import CameraState, SummaryMode
from blikk_edge.runtime.switches import Switches


class Kept:
    """A memory of one text."""

    problem = None

    def __init__(self, text: str | None = None) -> None:
        self.text = text

    def recall(self, key: str) -> str | None:
        assert key == "switches/door"
        return self.text

    def remember(self, key: str, text: str) -> None:
        assert key == "switches/door"
        self.text = text


def switches(threshold: float = 0.3, summary: SummaryMode = SummaryMode.TEXT) -> Switches:
    return Switches("door", threshold=threshold, summary=summary)


def standing(of: Switches) -> tuple[bool, float, SummaryMode]:
    return of.detect, of.threshold, of.summary


@pytest.fixture
def kept() -> Kept:
    """As somebody has set them."""
    kept = Kept()
    before = switches()
    before.detect, before.threshold, before.summary = False, 0.55, SummaryMode.TEMPLATE
    before.keep(kept)
    return kept


def test_they_outlive_the_process(kept: Kept) -> None:
    after = switches()
    after.load(kept)
    assert standing(after) == (False, 0.55, SummaryMode.TEMPLATE)
    state = after.shown_in(CameraState(camera="door", online=True))
    assert (state.detect, state.threshold, state.summary) == (False, 0.55, SummaryMode.TEMPLATE)


def test_what_is_configured_anew_counts_more(kept: Kept) -> None:
    after = switches(threshold=0.2)
    after.load(kept)
    assert standing(after) == (False, 0.2, SummaryMode.TEMPLATE)
    after = switches(summary=SummaryMode.VISION)
    after.load(kept)
    assert standing(after) == (False, 0.55, SummaryMode.VISION)


def test_a_way_of_writing_that_is_not_there_any_more_is_not_taken_up(kept: Kept) -> None:
    after = switches()
    after.load(kept, (SummaryMode.TEXT, SummaryMode.OFF))
    assert after.summary is SummaryMode.TEXT


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "[]", "{", "[" * 5000, '{"detect": 3, "threshold": "high", "configured": 0.3}'),
        *('{"threshold": 7, "configured": 0.3}', '{"summary": 1, "configured_summary": "text"}'),
        '{"summary": [], "configured_summary": "text"}',
    ],
)
def test_nonsense_changes_nothing(text: str | None) -> None:
    after = switches()
    after.load(Kept(text))
    assert standing(after) == (True, 0.3, SummaryMode.TEXT)
