"""Where a camera is now that may get another address: kept by what it calls itself, over restarts too."""

import json
from dataclasses import replace

from blikk_edge.core.errors import StoreError
from blikk_edge.core.ports import Memory
from blikk_edge.sources.address import Address, parse


class CurrentAddress:
    """The address of one camera that speaks ONVIF; `configured` is the one that was written.

    With a `memory` it is known again after a restart (`recall`), until another one is written. Set by the camera's
    reader, read from anywhere.
    """

    def __init__(self, configured: Address, *, camera: str, memory: Memory | None = None) -> None:
        self._configured = configured
        self._memory = memory
        self._key = f"onvif/{camera}"
        self._now = configured
        self._identity = ""
        self._recalled = memory is None

    @property
    def configured(self) -> Address:
        """As it was written."""
        return self._configured

    @property
    def now(self) -> Address:
        """Where it was last, with the login that was written."""
        return self._now

    @property
    def identity(self) -> str:
        """What it calls itself on the network; empty before it has said so."""
        return self._identity

    @property
    def moved_to(self) -> str | None:
        """Host and port, where it is elsewhere than was written."""
        if self._place(self._now) == self._place(self._configured):
            return None
        return replace(self._now, user=None, password=None, target="").url.partition("://")[2]

    def recall(self) -> None:
        """See where it was before the restart, the first time this is called. Blocking."""
        if self._recalled or self._memory is None:
            return
        try:
            kept = json.loads(self._memory.recall(self._key) or "{}")
            if kept.get("written") == self._place(self._configured):
                now = parse(kept["now"])
                self._identity = same_form(str(kept["identity"]))
                self._now = replace(self._configured, host=now.host, port=now.port, target=now.target)
        except StoreError:
            return
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # what an older or damaged store has is found anew
        self._recalled = True

    def found(self, address: Address, identity: str) -> None:
        """It answered at this address, under this name (empty: it does not say). Blocking."""
        identity = same_form(identity) or self._identity
        if (address, identity) == (self._now, self._identity):
            return
        self._recalled = True
        self._now, self._identity = address, identity
        if self._memory is None or not identity:
            return
        now = self._place(address)
        kept = {"written": self._place(self._configured), "now": now, "identity": identity}
        try:
            self._memory.remember(self._key, json.dumps(kept))
        except StoreError:
            return  # the store says itself what is wrong with it

    @staticmethod
    def _place(address: Address) -> str:
        return replace(address, user=None, password=None, port=address.port_number).url


def same_form(identity: str) -> str:
    """What a camera calls itself, in one form: it is written with and without `urn:uuid:`, in both cases."""
    return identity.strip().lower().rpartition(":")[2][:200]
