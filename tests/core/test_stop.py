"""The event that calls."""

from blikk_edge.core.stop import Stop


def test_listener_is_called_when_the_stop_is_set():
    stop, heard = Stop(), []
    stop.listen(lambda: heard.append(stop.is_set()))
    assert heard == []
    stop.set()
    assert heard == [True]


def test_listener_that_comes_late_is_called_at_once():
    stop, heard = Stop(), []
    stop.set()
    stop.listen(lambda: heard.append(stop.is_set()))
    assert heard == [True]
