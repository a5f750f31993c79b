"""Memory that is free is given back to the operating system."""

import ctypes
from functools import cache
from typing import Any


def give_back() -> None:
    """Give back what is free between blocks that are used; a millisecond. Does nothing where the C library cannot.

    The C library keeps what was freed below the topmost block in use: after a model has been opened or closed that is
    more than ten megabytes.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
