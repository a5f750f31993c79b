"""What tests allow for machines that are slow and do much at once."""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

PATIENCE = 4
"""Limits are this many times what a quiet machine needs: a test that waits for a state loses nothing by it."""

TRIES = 5

P = ParamSpec("P")
R = TypeVar("R", None, Awaitable[None])


def in_time(test: Callable[P, R]) -> Callable[P, R]:
    """A test of when something comes, by the clock of the machine: it holds when one of TRIES finds it in time."""

    @functools.wraps(test)
    def tried(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(TRIES - 1):
            try:
                return test(*args, **kwargs)
            except AssertionError:
                continue
        return test(*args, **kwargs)

    @functools.wraps(test)
    async def tried_later(*args: P.args, **kwargs: P.kwargs) -> None:
        for _ in range(TRIES - 1):
            try:
                return await test(*args, **kwargs)  # type: ignore[misc]
            except AssertionError:
                continue
        return await test(*args, **kwargs)  # type: ignore[misc]

    return tried_later if inspect.iscoroutinefunction(test) else tried  # type: ignore[return-value]
