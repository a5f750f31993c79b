"""The budget: whatever the order of calls, no limit is exceeded, and no clock and no restart changes that."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blikk_edge.core.locale import Locale
from blikk_edge.llm.queue.budget import DAYS_KEPT, Budget, Limits, NoRoomError, Reservation

NOON = 1795262400.0  # 2026-11-21 12:00 UTC
HOUR, DAY = 3600.0, 86400.0
FREE = Limits(calls_per_minute=600, calls_per_day=10**6, tokens_per_minute=10**9, tokens_per_day=10**9)


class TwoHands:
    """A clock whose wall time is set without its monotonic time noticing."""

    def __init__(self, now: float = NOON) -> None:
        self.wall = now
        self.ticks = 0.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("a budget does not wait")

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.ticks += seconds


def budget(limits: Limits, clock: TwoHands) -> Budget:
    return Budget(limits, clock, locale=lambda: Locale(timezone=UTC))


def limits(**of: object) -> Limits:
    values = {"calls_per_minute": 600, "calls_per_day": 10**6, "tokens_per_minute": 10**9, "tokens_per_day": 10**9}
    return Limits(**{**values, **of})  # type: ignore[arg-type]


def call(book: Budget, camera: str | None = None, size: int = 10) -> Reservation:
    return book.reserve(camera, input_tokens=size, output_tokens=0)


STEPS = st.one_of(
    st.tuples(st.just("pass"), st.sampled_from([0.0, 0.3, 0.9, 1.1, 7.0, 30.0, 59.5, 60.0, 61.0, 5 * HOUR])),
    st.tuples(st.just("set"), st.sampled_from([-3 * DAY, -HOUR, -1.0, 1.0, HOUR, DAY, 400 * DAY])),
    st.tuples(st.just("reserve"), st.sampled_from([None, "door", "yard"]), st.integers(0, 60), st.integers(0, 60)),
    st.tuples(st.just("settle"), st.integers(0, 9), st.floats(0, 1)),
    st.tuples(st.just("release"), st.integers(0, 9)),
    st.tuples(
        st.just("restart"),
    ),
)


class Ledger:
    """Every granted call as seen from outside: when, on which date, for whom, and its tokens by now."""

    def __init__(self) -> None:
        self.rows: list[list[object]] = []

    def check(self, most: Limits, ticks: float) -> None:
        within = [row for row in self.rows if ticks - row[0] < 60.0]  # type: ignore[operator]
        assert len(within) <= most.calls_per_minute
        assert sum(row[3] for row in within) <= most.tokens_per_minute  # type: ignore[misc]
        calls: dict[object, int] = defaultdict(int)
        tokens: dict[object, int] = defaultdict(int)
        for _, date, camera, size, counts in self.rows:
            for whose in {None, camera}:
                calls[date, whose] += int(counts)  # type: ignore[call-overload]
                tokens[date, whose] += size  # type: ignore[operator]
        for (_, whose), count in calls.items():  # type: ignore[misc]
            assert count <= (most.calls_per_day if whose is None else most.camera_calls_per_day)  # type: ignore[operator]
        for (_, whose), count in tokens.items():  # type: ignore[misc]
            assert count <= (most.tokens_per_day if whose is None else most.camera_tokens_per_day)  # type: ignore[operator]


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=60))
def test_no_limit_is_exceeded_whatever_the_order(steps: list[tuple]) -> None:
    most = Limits(
        calls_per_minute=3,
        calls_per_day=9,
        tokens_per_minute=200,
        tokens_per_day=500,
        camera_calls_per_day=5,
        camera_tokens_per_day=300,
        price_input=1e6,
        price_output=2e6,
        cost_per_day=900.0,
    )
    clock, ledger = TwoHands(), Ledger()
    book = budget(most, clock)
    going: list[tuple[Reservation, list[object], int, int]] = []
    dates: list[str] = []
    for step in steps:
        match step:
            case ("pass", seconds):
                clock.pass_time(seconds)
            case ("set", seconds):
                clock.wall += seconds
            case ("reserve", camera, into, out):
                date = datetime.fromtimestamp(clock.wall, UTC).date().isoformat()
                dates = [date, *(each for each in dates if each != date)]
                if len(dates) > DAYS_KEPT:  # more different dates than are remembered: another test's matter
                    return
                try:
                    taken = book.reserve(camera, input_tokens=into, output_tokens=out)
                except NoRoomError:
                    continue
                row: list[object] = [clock.ticks, date, camera, into + out, True]
                ledger.rows.append(row)
                going.append((taken, row, into, out))
                assert book.today().cost <= 900.0  # type: ignore[operator]
            case ("settle", which, part) if which < len(going):
                taken, row, into, out = going.pop(which)
                row[3] = int(into * part) + int(out * part)
                taken.settle(input_tokens=int(into * part), output_tokens=int(out * part))
            case ("release", which) if which < len(going):
                taken, row, _, _ = going.pop(which)
                row[3], row[4] = 0, False
                taken.release()
            case ("restart",):
                for _, row, _, _ in going:  # what goes on when the power fails stays spent by its estimate
                    assert row[4]
                text = book.to_text()
                book = budget(most, clock)
                book.restore(text)
                clock.ticks += 61.0  # minutes are not kept over a restart
                going = []
        ledger.check(most, clock.ticks)


def test_room_comes_when_the_error_says() -> None:
    clock = TwoHands()
    book = budget(limits(calls_per_minute=2, tokens_per_minute=100), clock)
    call(book, size=60)
    clock.pass_time(20.0)
    with pytest.raises(NoRoomError) as refused:
        call(book, size=60)
    assert (refused.value.limit, refused.value.wait_s) == ("tokens_per_minute", 40.0)
    call(book, size=40)
    with pytest.raises(NoRoomError) as refused:
        call(book, size=0)
    assert (refused.value.limit, refused.value.wait_s) == ("calls_per_minute", 40.0)
    clock.pass_time(40.0)
    call(book, size=60)


def test_no_minute_is_exceeded_by_calls_of_the_same_second() -> None:
    clock = TwoHands()
    book = budget(limits(calls_per_minute=2), clock)
    call(book)
    clock.pass_time(0.9)
    call(book)
    clock.pass_time(59.5)
    with pytest.raises(NoRoomError):
        book.reserve(None, input_tokens=0, output_tokens=0)
    clock.pass_time(0.5)
    call(book)


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("calls_per_day", {"calls_per_day": 2}),
        ("tokens_per_day", {"tokens_per_day": 29}),
        ("cost_per_day", {"price_input": 1e6, "cost_per_day": 29.0}),
        ("camera_calls_per_day", {"camera_calls_per_day": 2}),
        ("camera_tokens_per_day", {"camera_tokens_per_day": 29}),
    ],
)
def test_each_limit_of_the_day_stops_the_third_call_until_midnight(name: str, of: dict[str, float]) -> None:
    clock = TwoHands()
    book = budget(limits(**of), clock)
    call(book, "door")
    call(book, "door")
    clock.pass_time(11.9 * HOUR)
    with pytest.raises(NoRoomError, match=f"summary.limits.{name} is") as refused:
        call(book, "door")
    assert refused.value.wait_s == float("inf")
    assert refused.value.camera is name.startswith("camera_")
    assert refused.value.day_over is not refused.value.camera
    clock.pass_time(0.2 * HOUR)
    call(book, "door")
    assert book.today().calls == 1


def test_a_camera_over_its_limit_leaves_the_others_theirs() -> None:
    book = budget(limits(camera_calls_per_day=1), TwoHands())
    call(book, "door")
    with pytest.raises(NoRoomError):
        call(book, "door")
    call(book, "yard")
    call(book, None)


@pytest.mark.parametrize("name", ["camera_calls_per_minute", "camera_tokens_per_minute"])
def test_a_camera_has_a_minute_of_its_own(name: str) -> None:
    clock = TwoHands()
    book = budget(limits(**{name: 2 if "calls" in name else 25}), clock)
    call(book, "door")
    clock.pass_time(10.0)
    call(book, "door")
    with pytest.raises(NoRoomError) as full:
        call(book, "door")
    assert (full.value.limit, full.value.camera, full.value.wait_s) == (name, True, 50.0)
    call(book, "yard")
    call(book)
    clock.pass_time(50.0)
    call(book, "door")


def test_a_call_larger_than_a_minute_is_never_promised() -> None:
    with pytest.raises(NoRoomError) as refused:
        call(budget(limits(tokens_per_minute=100), TwoHands()), size=101)
    assert refused.value.wait_s == float("inf")
    assert not refused.value.day_over


def test_usage_replaces_the_estimate_also_where_it_was_too_low() -> None:
    clock = TwoHands()
    book = budget(limits(tokens_per_minute=100, tokens_per_day=150), clock)
    call(book, size=50).settle(input_tokens=70, output_tokens=50)
    assert book.today().tokens == 120
    with pytest.raises(NoRoomError) as refused:
        call(book, size=0)
    assert refused.value.limit == "tokens_per_minute"
    clock.pass_time(61.0)
    with pytest.raises(NoRoomError) as refused:
        call(book, size=31)
    assert refused.value.limit == "tokens_per_day"


def test_a_call_that_came_to_nothing_counts_in_its_minute_only() -> None:
    book = budget(limits(calls_per_minute=1), TwoHands())
    call(book, "door").release()
    assert (book.today().calls, book.today().tokens) == (0, 0)
    with pytest.raises(NoRoomError) as refused:
        call(book)
    assert refused.value.limit == "calls_per_minute"


def test_costs_are_those_of_the_prices() -> None:
    book = budget(limits(price_input=0.15, price_output=0.6, currency="EUR"), TwoHands())
    book.reserve(None, input_tokens=0, output_tokens=0).settle(input_tokens=1_000_000, output_tokens=500_000)
    assert book.today().cost == pytest.approx(0.15 + 0.30)
    assert budget(FREE, TwoHands()).today().cost is None


def test_a_day_is_a_local_one() -> None:
    clock = TwoHands()
    book = Budget(limits(), clock, locale=lambda: Locale(timezone=timezone(timedelta(hours=10))))  # 22:00 there
    call(book)
    clock.pass_time(1.9 * HOUR)
    assert book.today().calls == 1
    clock.pass_time(0.2 * HOUR)
    assert (book.today().date, book.today().calls) == ("2026-11-22", 0)


def test_a_clock_set_forward_and_back_gives_nothing_away_and_takes_nothing() -> None:
    clock = TwoHands()
    book = budget(limits(calls_per_day=2), clock)
    call(book)
    for days in range(1, 10):
        for jump in (400 * days * DAY, -400 * days * DAY, -days * DAY, days * DAY):
            clock.wall += jump
            book.today()
    assert book.today().calls_left == 1


def test_minutes_do_not_care_what_the_clock_is_set_to() -> None:
    clock = TwoHands()
    book = budget(limits(calls_per_minute=1), clock)
    call(book)
    clock.wall += 2 * HOUR
    with pytest.raises(NoRoomError):
        call(book)
    clock.ticks += 60.0
    clock.wall -= 3 * HOUR
    call(book)


def test_a_call_over_midnight_counts_on_the_day_it_began() -> None:
    clock = TwoHands()
    book = budget(limits(), clock)
    taken = call(book, size=100)
    clock.pass_time(12.5 * HOUR)
    taken.settle(input_tokens=40, output_tokens=0)
    assert book.today().tokens == 0
    clock.wall -= 12.5 * HOUR
    assert book.today().tokens == 40


def test_counters_go_on_after_a_restart_and_start_at_0_on_a_new_day() -> None:
    clock = TwoHands()
    most = limits(camera_calls_per_day=2)
    before = budget(most, clock)
    call(before, "door", size=30)
    after = budget(most, clock)
    after.restore(before.to_text())
    assert (after.today().calls, after.today().tokens) == (1, 30)
    call(after, "door")
    with pytest.raises(NoRoomError):
        call(after, "door")
    clock.pass_time(DAY)
    late = budget(most, clock)
    late.restore(after.to_text())
    assert late.today().calls == 0


@pytest.mark.parametrize(
    "text",
    [
        *("", "nonsense", "[]", "7", '{"2026-11-21": 3}', '{"2026-11-21": {"node": [1, 2], "cameras": {}}}'),
        '{"2026-11-21": {"node": [1, -2, 3], "cameras": {}}}',
        '{"2026-11-21": {"node": [1, 2.5, 3], "cameras": {}}}',
        '{"2026-11-21": {"node": [1, true, 3], "cameras": {}}}',
        '{"2026-11-21": {"node": [1, 2, 3], "cameras": []}}',
        '{"tomorrow": {"node": [1, 2, 3], "cameras": {}}}',
    ],
)
def test_damaged_counters_are_refused_and_change_nothing(text: str) -> None:
    book = budget(FREE, TwoHands())
    with pytest.raises(ValueError):  # noqa: PT011 - what json says is json's
        book.restore(text)
    assert book.today().calls == 0


def test_what_is_kept_is_bounded() -> None:
    clock = TwoHands()
    book = budget(limits(calls_per_minute=10**9), clock)
    for _ in range(5000):
        call(book, "door")
        clock.pass_time(0.05)
    assert len(book._minute._slices) <= 62
    for _ in range(40):
        clock.pass_time(DAY)
        call(book, "door")
    assert len(book.to_text()) < 1000
