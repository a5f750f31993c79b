"""What a language model may cost, and what it has cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a language model may cost; None is no limit.

    Prices are for a million tokens, in `currency`; `queue` is how many jobs may wait.
    """

    calls_per_minute: int = 6
    calls_per_day: int = 500
    tokens_per_minute: int = 4000
    tokens_per_day: int = 100_000
    camera_calls_per_day: int | None = None
    cooldown_s: float = 10.0
    concurrency: int = 1
    timeout_s: float = 30.0
    queue: int = 50
    price_input: float | None = None
    price_output: float | None = None
    currency: str | None = None
    cost_per_day: float | None = None
