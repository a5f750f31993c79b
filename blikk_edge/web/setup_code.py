"""The code that lets somebody set a node up: whoever can read its console, or its card."""

import hmac
import secrets
from collections.abc import Callable
from typing import Final

from blikk_edge.core.clock import Clock

LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: none that is taken for another."""

LENGTH: Final = 8
VALID_S: Final = 3600.0
TRIES: Final = 5

_MEANT: Final = str.maketrans("OIL", "011")


def new_code() -> str:
    """A code: 40 bits."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def read_code(text: str) -> str:
    """A code as somebody has typed it: small letters, spaces and dashes are all the same."""
    return "".join(each for each in text.upper() if each.isalnum()).translate(_MEANT)


class SetupCode:
    """The code of the hour. It is a new one after TRIES wrong ones, and after VALID_S; `tell` is called with each."""

    def __init__(self, clock: Clock, tell: Callable[[str], None], first: str = "") -> None:
        self._clock = clock
        self._tell = tell
        self._begin(first or new_code())

    def knows(self, text: str) -> bool:
        """Whether this is the code; compared in constant time. A wrong one counts."""
        if self._clock.monotonic() - self._since >= VALID_S:
            self._begin(new_code())
            return False
        given = read_code(text[:100]).encode("utf-8", "replace")
        if hmac.compare_digest(given, self._code.encode()):
            return True
        self._wrong += 1
        if self._wrong >= TRIES:
            self._begin(new_code())
        return False

    def refresh(self) -> None:
        """Have a new code where the time of this one is over."""
        if self._clock.monotonic() - self._since >= VALID_S:
            self._begin(new_code())

    def _begin(self, code: str) -> None:
        self._code = code
        self._since = self._clock.monotonic()
        self._wrong = 0
        self._tell(f"{code[:4]}-{code[4:]}")
