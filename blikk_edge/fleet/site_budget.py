"""What a site's language models may cost in a day, counted together by all of its workers."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from blikk_edge.core.clock import Clock
from blikk_edge.llm.queue.port import NotNowError

if TYPE_CHECKING:
    from nats.js.kv import KeyValue

TRIES: Final = 30
PAUSE_S: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLimits:
    """What a site may use of its shared models in a day (UTC); None is no limit.

    Attributes:
        calls_per_day: Calls of the models.
        tokens_per_day: Tokens, sent and written.
    """

    calls_per_day: int | None = None
    tokens_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a day has cost so far; of calls under way the estimate.

    Attributes:
        calls: Of the models.
        tokens: Sent and written.
    """

    calls: int = 0
    tokens: int = 0

    def plus(self, calls: int, tokens: int) -> "Spent":
        """With so much more; never below nothing."""
        return Spent(max(0, self.calls + calls), max(0, self.tokens + tokens))


@dataclass(frozen=True, slots=True)
class Share:
    """What one call has reserved.

    Attributes:
        day: On which day, in UTC.
        tokens: How many tokens.
    """

    day: str
    tokens: int


class SiteBudget:
    """Counters in a key-value bucket, changed by compare-and-set: workers cannot exceed a limit together.

    A call reserves its estimate first and settles what it really took. One that dies meanwhile leaves the estimate.
    """

    def __init__(self, bucket: "KeyValue", limits: SiteLimits, clock: Clock) -> None:
        self._bucket = bucket
        self._limits = limits
        self._clock = clock

    async def reserve(self, tokens: int) -> Share:
        """Take the share of a call; raises NotNowError where a limit of the day leaves no room, and NATS's errors."""
        share = Share(self._day(), tokens)
        await self._change(share.day, lambda spent: self._allowed(spent.plus(1, tokens)))
        return share

    async def settle(self, share: Share, tokens: int | None) -> None:
        """The call has cost so many tokens; None: it came to nothing and has cost nothing."""
        calls, more = (-1, -share.tokens) if tokens is None else (0, tokens - share.tokens)
        if calls or more:
            await self._change(share.day, lambda spent: spent.plus(calls, more))

    async def today(self) -> Spent:
        """What this day has cost."""
        return (await self._read(self._day()))[0]

    def _day(self) -> str:
        return datetime.fromtimestamp(self._clock.now(), UTC).date().isoformat()

    def _allowed(self, spent: Spent) -> Spent:
        for name, most, needed in (
            ("calls_per_day", self._limits.calls_per_day, spent.calls),
            ("tokens_per_day", self._limits.tokens_per_day, spent.tokens),
        ):
            if most is not None and needed > most:
                raise NotNowError(f"over the budget of the site: limits.{name} of its workers is {most}")
        return spent

    async def _change(self, day: str, change: Callable[[Spent], Spent]) -> None:
        from nats.js.errors import KeyWrongLastSequenceError  # noqa: PLC0415  # only a worker needs it

        for _ in range(TRIES):
            spent, revision = await self._read(day)
            now = change(spent)
            content = json.dumps({"calls": now.calls, "tokens": now.tokens}).encode()
            try:
                if revision is None:
                    await self._bucket.create(day, content)
                else:
                    await self._bucket.update(day, content, last=revision)
            except KeyWrongLastSequenceError:  # another worker was faster
                await asyncio.sleep(random.uniform(0, PAUSE_S))  # noqa: S311 - spreads them
            else:
                return
        raise NotNowError("the budget of the site is changed by too many workers at once")

    async def _read(self, day: str) -> tuple[Spent, int | None]:
        from nats.js.errors import KeyNotFoundError  # noqa: PLC0415  # only a worker needs it

        try:
            entry = await self._bucket.get(day)
        except KeyNotFoundError:
            return Spent(), None
        try:
            content = json.loads(entry.value or b"{}")
            return Spent(int(content["calls"]), int(content["tokens"])), entry.revision
        except (ValueError, TypeError, KeyError):
            return Spent(), entry.revision
