"""What the broker does not take from us: said once when it starts and once when it ends, listed while it lasts."""

import logging
from dataclasses import dataclass, replace
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import some_of

LOG = logging.getLogger("blikk.mqtt")

AGAIN_S: Final = 3600.0
"""A trouble that comes and goes is said again after this time at the earliest."""

EVERY_S: Final = 10.0
"""Between two log lines about one kind of trouble; the later one names all the topics that were added."""

NAMED: Final = 2
LOGGED: Final = 10
"""So many topics of one kind are named in a problem, and in a log line; of the others the number."""

MOST: Final = 500
"""Topics remembered at most: ours are few, but names of cameras and questions change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerTrouble:
    """Something that the broker does not take.

    Attributes:
        kind: What is wrong, and how to mend it.
        where: The topic or filter.
        detail: What is special there; empty where nothing is.
        lasts_s: How long it is listed at least: what is too large, say, is not mended by a smaller message that is
            taken.
    """

    kind: str
    where: str
    detail: str = ""
    lasts_s: float = 0.0

    @property
    def place(self) -> str:
        """The topic, with what is special there."""
        return f"{self.where} ({self.detail})" if self.detail else self.where


class BrokerTroubles:
    """The troubles of one sink, by topic, over all its connections.

    Topics that begin with `together` count as one: others choose how they end.
    """

    def __init__(self, clock: Clock, *, together: str | None = None) -> None:
        self._clock = clock
        self._together = together
        self._now: dict[str, BrokerTrouble] = {}
        self._seen_at: dict[str, float] = {}
        self._unsaid: dict[str, BrokerTrouble] = {}
        self._kind_said_at: dict[str, float] = {}
        self._said_at: dict[str, float] = {}

    def start(self, trouble: BrokerTrouble) -> None:
        """It is so, whether it was already or not; another kind takes the place of the one before."""
        trouble = replace(trouble, where=self._place(trouble.where))
        before = self._now.get(trouble.where)
        if before is not None or len(self._now) < MOST:
            self._seen_at[trouble.where] = self._clock.monotonic()
        if (before is None or before.kind != trouble.kind) and len(self._now) < MOST:
            self._now[trouble.where] = trouble
            now = self._clock.monotonic()
            if now - self._said_at.get(_key(trouble), -AGAIN_S) >= AGAIN_S:
                self._unsaid[trouble.where] = trouble
        self.say()

    def say(self) -> None:
        """Log what is new; what came too soon after the last line is left for the next call."""
        now = self._clock.monotonic()
        for kind in {trouble.kind for trouble in self._unsaid.values()}:
            if now - self._kind_said_at.get(kind, -EVERY_S) < EVERY_S:
                continue
            new = [trouble for trouble in self._unsaid.values() if trouble.kind == kind]
            if len(self._said_at) >= MOST:
                self._said_at.clear()
            self._kind_said_at[kind] = now
            self._said_at.update((_key(trouble), now) for trouble in new)
            self._unsaid = {where: each for where, each in self._unsaid.items() if each.kind != kind}
            LOG.warning("%s: %s", some_of([trouble.place for trouble in new], LOGGED), kind)

    def end(self, where: str) -> None:
        """It works there; passed over where nothing was wrong."""
        if not self._now:
            return
        where = self._place(where)
        if where in self._now and self._clock.monotonic() - self._seen_at[where] >= self._now[where].lasts_s:
            del self._now[where], self._seen_at[where]
            if self._unsaid.pop(where, None) is None:
                LOG.info("%s: works again", where)

    def forget(self, kind: str) -> None:
        """This kind is over everywhere; nothing is said."""
        self._now = {where: trouble for where, trouble in self._now.items() if trouble.kind != kind}

    def _place(self, where: str) -> str:
        return f"{self._together}..." if self._together and where.startswith(self._together) else where

    def __str__(self) -> str:
        """All troubles in one line; empty without any."""
        kinds: dict[str, list[str]] = {}
        for trouble in self._now.values():
            kinds.setdefault(trouble.kind, []).append(trouble.place)
        return "; ".join(f"{some_of(places, NAMED)}: {kind}" for kind, places in kinds.items())


def _key(trouble: BrokerTrouble) -> str:
    return f"{trouble.where} {trouble.kind}"
