"""Which device may send a camera's picture: links that work once, and the device that has opened the newest."""

import asyncio
import hmac
import json
import secrets
from hashlib import sha256
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.ports import Memory

VALID_S: Final = 600.0
"""For so long a link may be opened."""

OPEN_MOST: Final = 8
"""Links that nobody has opened yet; one more ends the oldest."""

_KEPT: Final = "phone/{camera}"


class PhoneLinks:
    """Links and devices. A camera has one device: who opens a newer link takes its place.

    Of tokens and secrets only hashes are kept; those of devices in `memory`, so that they outlive a restart.
    """

    def __init__(self, memory: Memory, clock: Clock) -> None:
        self._memory = memory
        self._clock = clock
        self._open: dict[str, tuple[str, float]] = {}  # by hash: camera, and until when; the oldest first
        self._devices: dict[str, str] = {}  # the hash of its secret by camera; empty: none

    def new(self, camera: str) -> str:
        """The token of a new link."""
        token = secrets.token_urlsafe(24)
        self._drop_old()
        while len(self._open) >= OPEN_MOST:
            del self._open[next(iter(self._open))]
        self._open[_hash(token)] = camera, self._clock.monotonic() + VALID_S
        return token

    async def redeem(self, token: str) -> tuple[str, str] | None:
        """The camera of a link and the secret of its device from now on; None for one that is old, used or made up.

        Raises StoreError.
        """
        self._drop_old()
        if (found := self._open.pop(_hash(token), None)) is None:
            return None
        camera, _ = found
        secret = secrets.token_urlsafe(24)
        await self._keep(camera, _hash(secret))
        return camera, secret

    async def knows(self, camera: str, secret: str) -> bool:
        """Whether this is the secret of the camera's device; raises StoreError."""
        if camera not in self._devices:
            kept = await asyncio.to_thread(self._memory.recall, _KEPT.format(camera=camera))
            self._devices[camera] = _read(kept)
        known = self._devices[camera]
        return bool(known) and hmac.compare_digest(known, _hash(secret))

    async def forget(self, camera: str) -> None:
        """No device, and no link that is open, is the camera's any more; raises StoreError."""
        self._open = {key: found for key, found in self._open.items() if found[0] != camera}
        await self._keep(camera, "")

    async def _keep(self, camera: str, hashed: str) -> None:
        await asyncio.to_thread(self._memory.remember, _KEPT.format(camera=camera), json.dumps({"sha256": hashed}))
        self._devices[camera] = hashed

    def _drop_old(self) -> None:
        now = self._clock.monotonic()
        self._open = {key: found for key, found in self._open.items() if found[1] > now}


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _read(kept: str | None) -> str:
    try:
        content = json.loads(kept or "{}")
    except ValueError:
        return ""
    found = content.get("sha256") if isinstance(content, dict) else None
    return found if isinstance(found, str) else ""
