"""What tests allow for machines that are slow and do much at once."""

import functools
from collections.abc import Callable
from typing import ParamSpec

PATIENCE = 4
"""Limits are this many times what a quiet machine needs: a test that waits for a state loses nothing by it."""

TRIES = 5

P = ParamSpec("P")


def in_time(test: Callable[P, None]) -> Callable[P, None]:
    """A test of when something comes, by the clock of the machine: it holds when one of TRIES finds it in time."""

    @functools.wraps(test)
    def tried(*args: P.args, **kwargs: P.kwargs) -> None:
        for _ in range(TRIES - 1):
            try:
                return test(*args, **kwargs)
            except AssertionError:
                continue
        return test(*args, **kwargs)

    return tried
