"""A trouble is in the log once when it starts, or becomes another, and once when it ends."""

import logging

import pytest

from blikk_edge.core.trouble import Trouble


def test_it_is_logged_at_its_start_at_each_change_and_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    trouble = Trouble(logging.getLogger("blikk.x"))
    trouble.end("well")
    for text in ("full", "full", "gone", "gone"):
        trouble.start(text)
        assert trouble.now == text
    trouble.end("well")
    trouble.end("well")
    assert trouble.now is None
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "full"),
        ("WARNING", "gone"),
        ("INFO", "well"),
    ]


def test_what_somebody_else_logs_is_not_logged_again_but_its_end_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    trouble = Trouble(logging.getLogger("blikk.x"), level=logging.ERROR)
    trouble.start("a bug", quietly=True)
    trouble.start("a bug")
    trouble.start("full: 100 %s")
    trouble.end("well")
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [("ERROR", "full: 100 %s"), ("INFO", "well")]
