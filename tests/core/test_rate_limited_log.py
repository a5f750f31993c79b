"""One of many in ten seconds."""

from blikk_edge.core.rate_limited_log import EVERY_S, RateLimitedLog


class Watch:
    """A clock that is set by hand."""

    time = 0.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


def test_first_is_let_through_and_the_next_after_a_while_counts_those_between():
    clock = Watch()
    log = RateLimitedLog(clock)
    assert [log.turn(), log.turn(), log.turn()] == ["", None, None]
    clock.time = EVERY_S
    assert [log.turn(), log.turn()] == [" (and 2 more before)", None]
    assert log.turn("other") == ""
    clock.time = 2 * EVERY_S
    assert log.turn() == " (and 1 more before)"
