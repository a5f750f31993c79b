"""The locale of a node: as configured, else as Home Assistant claimed it last, else the machine's zone and English."""

import asyncio
import json
import logging
from collections.abc import Collection
from dataclasses import asdict
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.locale import Claim, Locale, zone_named
from blikk_edge.core.ports import Memory
from blikk_edge.core.rate_limited_log import RateLimitedLog
from blikk_edge.runtime import log

KEY: Final = "locale"
AGAIN_S: Final = 60.0
"""From a memory that failed to the next try."""

CALM_S: Final = 10.0
"""From one writing to the next: whoever may claim may claim another zone every second."""


class HouseholdLocale:
    """Is called for the locale as it is now. `timezone` and `language` are what is configured, None where nothing is.

    A claimed language counts where it is one of `languages`, those that there are texts in: nobody shall read two.
    What a component claims is kept in `memory` and outlives the process; a claim that is taken back changes nothing,
    for the people still live where they did. Works from the first call on; `run` only writes.
    """

    name = "locale"

    def __init__(
        self, *, timezone: str | None, language: str | None, languages: Collection[str], memory: Memory, clock: Clock
    ) -> None:
        self._timezone = timezone
        self._language = language
        self._languages = languages
        self._memory = memory
        self._clock = clock
        self._claim = _recalled(memory)
        self._changed = asyncio.Event()
        self._limited = RateLimitedLog(clock)
        self._now = self._locale()

    def __call__(self) -> Locale:
        """The locale now."""
        return self._now

    def claimed(self, claim: Claim) -> None:
        """A component claims its household's; runs in the loop."""
        known = Claim(timezone=claim.timezone or self._claim.timezone, language=claim.language or self._claim.language)
        if known == self._claim:
            return
        self._claim = known
        self._changed.set()
        before, self._now = self._now, self._locale()
        named = claim.timezone
        if self._timezone is None and named is not None and zone_named(named) is None:
            text = (
                f"Home Assistant is in the time zone {named}, which this machine does not know: times in texts are "
                "this machine's until `timezone` is set, or tzdata is installed"
            )
            self._log(logging.WARNING, "unknown", text)
        elif self._now.timezone != before.timezone:
            text = f"times in texts are those of {self._now.timezone}, as in Home Assistant"
            self._log(logging.INFO, "zone", text)
        if self._now.language != before.language:
            self._log(logging.INFO, "language", f"texts are in the language of Home Assistant: {self._now.language}")

    async def run(self) -> None:
        """Keep in memory what was claimed, until cancelled; a failure is logged once and tried again."""
        ill = False
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await asyncio.to_thread(self._memory.remember, KEY, json.dumps(asdict(self._claim)))
                ill = False
                await self._clock.sleep(CALM_S)
            except StoreError as error:
                if not ill:
                    log.part(self.name).warning("what Home Assistant set is forgotten at the next restart: %s", error)
                ill = True
                self._changed.set()
                await self._clock.sleep(AGAIN_S)

    def _log(self, level: int, key: str, text: str) -> None:
        if (more := self._limited.turn(key)) is not None:
            log.part(self.name).log(level, "%s%s", text, more)

    def _locale(self) -> Locale:
        name = self._timezone or self._claim.timezone
        claimed = self._claim.language if self._claim.language in self._languages else None
        language = self._language or claimed or Locale().language
        return Locale(timezone=None if name is None else zone_named(name), language=language)


def _recalled(memory: Memory) -> Claim:
    """What was claimed last; nothing where the memory has none that can be read. Blocking."""
    try:
        kept = json.loads(memory.recall(KEY) or "{}")
        return Claim(**{name: value for name, value in kept.items() if isinstance(value, str)})
    except StoreError:  # the store logs it itself
        return Claim()
    except (ValueError, TypeError, AttributeError, RecursionError):
        return Claim()
