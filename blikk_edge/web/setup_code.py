"""The code that lets somebody set a node up: whoever can read its console, or its card."""

import hmac
import ipaddress
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from blikk_edge.core.allowance import Allowance
from blikk_edge.core.clock import Clock

LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: none that is taken for another."""

LENGTH: Final = 8
VALID_S: Final = 3600.0
WRONG_MAX: Final = 1000
"""So many wrong ones in the time of one code: somebody tries from many addresses."""

TRIES: Final = 5
TRIES_PER_S: Final = 1 / 30
"""From one address."""

ALL_TRIES: Final = 100
ALL_TRIES_PER_S: Final = 10.0
"""From all addresses together."""

ADDRESSES: Final = 1024
"""Of which is known how often they have tried."""

_MEANT: Final = str.maketrans("OIL", "011")


def new_code() -> str:
    """A code: 40 bits."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def read_code(text: str) -> str:
    """A code as somebody has typed it: small letters, spaces and dashes are all the same."""
    return "".join(each for each in text.upper() if each.isalnum()).translate(_MEANT)


class Tries:
    """How often codes may be tried, so that none can be guessed and nobody keeps others from trying.

    Each address has its own allowance, of which others can take nothing. That of all together is far above it: only who
    has hundreds of addresses in this network uses it up.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all = Allowance(clock, at_once=ALL_TRIES, per_s=ALL_TRIES_PER_S)
        self._each: OrderedDict[str, Allowance] = OrderedDict()

    def allowed(self, address: str) -> bool:
        """Whether this address may try one now; it counts if it may."""
        place = _place(address)
        own = self._each.pop(place, None) or Allowance(self._clock, at_once=TRIES, per_s=TRIES_PER_S)
        self._each[place] = own
        if len(self._each) > ADDRESSES:
            self._each.popitem(last=False)
        return own.take(place) and self._all.take("")


def _place(address: str) -> str:
    """Who has an address of IPv6 has its whole network, but for those of the link, which all devices here share."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        if not found.is_link_local:
            return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


class SetupCode:
    """The code of the hour. It is a new one after VALID_S, and after WRONG_MAX wrong ones; `tell` is called with each.

    `warn` is called where wrong ones are the reason.
    """

    def __init__(
        self,
        clock: Clock,
        tell: Callable[[str], None],
        first: str = "",
        warn: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._clock = clock
        self._tell = tell
        self._warn = warn
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
        if self._wrong >= WRONG_MAX:
            self._warn(f"Somebody has tried {WRONG_MAX} wrong codes from this network: the code before is void.")
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
