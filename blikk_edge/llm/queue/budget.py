"""What a language model may cost, and what it has cost."""

import json
import math
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.locale import Locale, LocaleNow
from blikk_edge.llm.queue.port import NotNowError

MINUTE_S: Final = 60.0
SLICE_S: Final = 1.0
DAYS_KEPT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a language model may cost; None is no limit.

    Attributes:
        calls_per_minute: Calls of the model in any minute.
        calls_per_day: Calls in a day of local time.
        tokens_per_minute: Tokens, sent and written, in any minute.
        tokens_per_day: Tokens, sent and written, in a day.
        camera_calls_per_minute: Calls for one camera in any minute.
        camera_tokens_per_minute: Tokens for one camera in any minute.
        camera_calls_per_day: Calls for one camera in a day.
        camera_tokens_per_day: Tokens for one camera in a day.
        cooldown_s: The least time between two calls for one camera.
        concurrency: Calls at the same time.
        timeout_s: How long one call may take in all.
        queue: How many jobs may wait.
        price_input: The price of a million tokens sent.
        price_output: The price of a million tokens written.
        currency: That of the prices, as it is shown.
        cost_per_day: What a day may cost; needs both prices.
    """

    calls_per_minute: int = 6
    calls_per_day: int = 500
    tokens_per_minute: int = 4000
    tokens_per_day: int = 100_000
    camera_calls_per_minute: int | None = None
    camera_tokens_per_minute: int | None = None
    camera_calls_per_day: int | None = None
    camera_tokens_per_day: int | None = None
    cooldown_s: float = 10.0
    concurrency: int = 1
    timeout_s: float = 30.0
    queue: int = 50
    price_input: float | None = None
    price_output: float | None = None
    currency: str | None = None
    cost_per_day: float | None = None


class NoRoomError(NotNowError):
    """The limit named `limit` leaves no room for this call.

    It does in `wait_s` seconds, infinity where waiting does not help; `day_over` says that the node has used up its
    day. `camera` says that the limit is the camera's own, so that work for others may go on.
    """

    def __init__(self, limit: str, most: float, *, wait_s: float = math.inf, day_over: bool = False) -> None:
        super().__init__(f"over budget: summary.limits.{limit} is {most:g}")
        self.limit = limit
        self.wait_s = wait_s
        self.day_over = day_over
        self.camera = limit.startswith("camera_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """What this local day has cost so far, and what is left of it.

    Attributes:
        date: The day, as `2026-05-31`.
        calls: Those made, and those under way.
        tokens: Sent and written; of calls under way the estimate.
        calls_left: What `calls_per_day` leaves, at least 0.
        tokens_left: What `tokens_per_day` leaves, at least 0.
        cost: In the currency of the prices; None without prices.
        over: Which limit of the day leaves no room even for the smallest call, in words; None: there is room.
    """

    date: str
    calls: int
    tokens: int
    calls_left: int
    tokens_left: int
    cost: float | None
    over: str | None


@dataclass(slots=True)
class _Tally:
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def add(self, calls: int, input_tokens: int, output_tokens: int) -> None:
        self.calls += calls
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens


@dataclass(slots=True)
class _Day:
    node: _Tally = field(default_factory=_Tally)
    cameras: dict[str, _Tally] = field(default_factory=dict)

    def of(self, camera: str | None) -> tuple[_Tally, ...]:
        """The tallies that a call for `camera` counts in."""
        return (self.node,) if camera is None else (self.node, self.cameras.setdefault(camera, _Tally()))


@dataclass(slots=True)
class _Slice:
    first: float
    last: float
    calls: int = 0
    tokens: int = 0


class _Minute:
    """Calls and tokens of the last 60 s. What fell into the same second counts as of its end, so it is bounded."""

    def __init__(self) -> None:
        self._slices: deque[_Slice] = deque()

    def add(self, now: float, tokens: int) -> _Slice:
        """Count a call; tokens may be corrected later in the slice that is given back."""
        if not self._slices or now - self._slices[-1].first >= SLICE_S:
            self._slices.append(_Slice(now, now))
        newest = self._slices[-1]
        newest.last = now
        newest.calls += 1
        newest.tokens += tokens
        return newest

    def wait_s(self, now: float, *, calls: int, tokens: int) -> float:
        """Seconds until no more than so many calls and tokens are within the last minute."""
        while self._slices and self._slices[0].last + MINUTE_S <= now:
            self._slices.popleft()
        if calls < 0 or tokens < 0:
            return math.inf
        over_calls = sum(each.calls for each in self._slices) - calls
        over_tokens = sum(each.tokens for each in self._slices) - tokens
        wait = 0.0
        for each in self._slices:
            if over_calls <= 0 and over_tokens <= 0:
                break
            over_calls -= each.calls
            over_tokens -= each.tokens
            wait = each.last + MINUTE_S - now
        return wait


class Reservation:
    """A call's share of the budget, by its estimate until it is settled or released; left alone, the estimate stays."""

    def __init__(
        self, tallies: tuple[_Tally, ...], minutes: tuple[_Slice, ...], *, input_tokens: int, output_tokens: int
    ) -> None:
        self._tallies = tallies
        self._minutes = minutes
        self._input_tokens = input_tokens
        self._output_tokens = output_tokens
        self._calls = 1

    def settle(self, *, input_tokens: int, output_tokens: int) -> None:
        """The call has cost this much."""
        more_in = max(0, input_tokens) - self._input_tokens
        more_out = max(0, output_tokens) - self._output_tokens
        for tally in self._tallies:
            tally.add(0, more_in, more_out)
        for minute in self._minutes:
            minute.tokens += more_in + more_out
        self._input_tokens += more_in
        self._output_tokens += more_out

    def release(self) -> None:
        """The call came to nothing and has cost nothing; it still counts within its minute, as it does over there."""
        self.settle(input_tokens=0, output_tokens=0)
        for tally in self._tallies:
            tally.add(-self._calls, 0, 0)
        self._calls = 0


class Budget:
    """Calls, tokens and money of one node and its cameras.

    A call reserves its estimate first and settles what it really took, so that calls at the same time cannot exceed a
    limit together. A day begins with each new local date and at 0; a date that was seen before goes on where it
    was, so that a clock set forward or back gives nothing away and takes nothing. Minutes go by the monotonic clock.
    `locale` says which day it is.
    """

    def __init__(self, limits: Limits, clock: Clock, *, locale: LocaleNow = Locale) -> None:
        self._limits = limits
        self._clock = clock
        self._locale = locale
        self._minute = _Minute()
        self._cameras: dict[str, _Minute] = {}
        self._days: OrderedDict[str, _Day] = OrderedDict()

    def reserve(self, camera: str | None, *, input_tokens: int, output_tokens: int) -> Reservation:
        """Take a call's share, `camera` being None for work of the whole node; raises NoRoomError."""
        _, day = self._day()
        full = self._full(day, camera, input_tokens, output_tokens)
        if full is not None:
            raise full
        tokens = input_tokens + output_tokens
        now = self._clock.monotonic()
        own = None if camera is None else self._cameras.setdefault(camera, _Minute())
        waits = _waits(self._minute, "", self._limits, now, tokens)
        if own is not None:
            waits |= _waits(own, "camera_", self._limits, now, tokens)
        name, wait_s = max(waits.items(), key=lambda item: item[1])
        if wait_s > 0:
            raise NoRoomError(name, getattr(self._limits, name), wait_s=wait_s)
        tallies = day.of(camera)
        for tally in tallies:
            tally.add(1, input_tokens, output_tokens)
        minutes = tuple(minute.add(now, tokens) for minute in (self._minute, own) if minute is not None)
        return Reservation(tallies, minutes, input_tokens=input_tokens, output_tokens=output_tokens)

    def today(self) -> Today:
        """How this day stands."""
        date, day = self._day()
        spent = day.node
        priced = self._limits.price_input is not None or self._limits.price_output is not None
        full = self._full(day, None, 1, 0)
        return Today(
            date=date,
            calls=spent.calls,
            tokens=spent.tokens,
            calls_left=max(0, self._limits.calls_per_day - spent.calls),
            tokens_left=max(0, self._limits.tokens_per_day - spent.tokens),
            cost=self._cost(spent.input_tokens, spent.output_tokens) if priced else None,
            over=None if full is None else str(full),
        )

    def to_text(self) -> str:
        """The counters of the days, as JSON; estimates of calls that go on count as spent."""
        return json.dumps(
            {
                date: {"node": _row(day.node), "cameras": {name: _row(tally) for name, tally in day.cameras.items()}}
                for date, day in self._days.items()
            }
        )

    def restore(self, text: str) -> None:
        """Add what `to_text` gave in an earlier process; raises ValueError, and changes nothing, if damaged."""
        for date, day in list(_read(text))[-DAYS_KEPT:]:
            here = self._days.setdefault(date, _Day())
            here.node.add(*_row(day.node))
            for camera, tally in day.cameras.items():
                here.cameras.setdefault(camera, _Tally()).add(*_row(tally))
        self._day()

    def _day(self) -> tuple[str, _Day]:
        date = datetime.fromtimestamp(self._clock.now(), UTC).astimezone(self._locale().timezone).date().isoformat()
        day = self._days.setdefault(date, _Day())
        self._days.move_to_end(date)
        while len(self._days) > DAYS_KEPT:
            self._days.popitem(last=False)
        return date, day

    def _full(self, day: _Day, camera: str | None, input_tokens: int, output_tokens: int) -> NoRoomError | None:
        for name, most, needed in self._day_needs(day, camera, input_tokens, output_tokens):
            if most is not None and needed > most:
                return NoRoomError(name, most, day_over=not name.startswith("camera_"))
        return None

    def _day_needs(
        self, day: _Day, camera: str | None, input_tokens: int, output_tokens: int
    ) -> Iterator[tuple[str, float | None, float]]:
        """Each limit of a day: its name, its value, and what would be used of it with this call."""
        limits, node = self._limits, day.node
        tokens = input_tokens + output_tokens
        yield "calls_per_day", limits.calls_per_day, node.calls + 1
        yield "tokens_per_day", limits.tokens_per_day, node.tokens + tokens
        cost = self._cost(node.input_tokens + input_tokens, node.output_tokens + output_tokens)
        yield "cost_per_day", limits.cost_per_day, cost
        if camera is not None:
            own = day.cameras.get(camera, _Tally())
            yield "camera_calls_per_day", limits.camera_calls_per_day, own.calls + 1
            yield "camera_tokens_per_day", limits.camera_tokens_per_day, own.tokens + tokens

    def _cost(self, input_tokens: int, output_tokens: int) -> float:
        prices = (self._limits.price_input or 0.0), (self._limits.price_output or 0.0)
        return (input_tokens * prices[0] + output_tokens * prices[1]) / 1e6


def _waits(minute: _Minute, whose: str, limits: Limits, now: float, tokens: int) -> dict[str, float]:
    """By the name of each limit of a minute: seconds until it leaves room for one more call of so many tokens."""
    most_tokens: int | None = getattr(limits, f"{whose}tokens_per_minute")
    most_calls: int | None = getattr(limits, f"{whose}calls_per_minute")
    left = 10**12 if most_tokens is None else most_tokens - tokens
    free = 10**9 if most_calls is None else most_calls - 1
    return {
        f"{whose}tokens_per_minute": minute.wait_s(now, calls=10**9, tokens=left),
        f"{whose}calls_per_minute": minute.wait_s(now, calls=free, tokens=10**12),
    }


def _row(tally: _Tally) -> tuple[int, int, int]:
    return tally.calls, tally.input_tokens, tally.output_tokens


def _read(text: str) -> Iterator[tuple[str, _Day]]:
    """The days in `text`; raises ValueError."""
    found = json.loads(text)
    try:
        for date, day in found.items():
            datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC)
            cameras = {str(name): _tally(row) for name, row in day["cameras"].items()}
            yield date, _Day(_tally(day["node"]), cameras)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no counters: {error!r}") from error


def _tally(row: Any) -> _Tally:
    calls, input_tokens, output_tokens = row
    for value in (calls, input_tokens, output_tokens):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"{value!r} is no count")
    return _Tally(calls, input_tokens, output_tokens)
