"""From one slot to another, and back where the new one is not healthy.

Each step leaves what `recover` can finish or undo, whatever ended the process or the machine after it: the link names a
whole slot at every moment, and the database of the old slot is copied before the new one can have started.
"""

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from blikk_update import databases, service, slots
from blikk_update.errors import StoppedError, UnhealthyError, UpdateError
from blikk_update.index import order
from blikk_update.places import Limits, Places
from blikk_update.state import Change, State, load, save, stamp

STOPPING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that end an update on its old slot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """All changes of slots on one card. The caller holds the lock."""

    places: Places
    limits: Limits
    say: Callable[[str], None]
    """What happens now, in one line."""

    def change_to(self, new: str, *, leave: str | None = None) -> None:
        """Run the slot `new`, which is whole, in place of the one that runs. Raises UpdateError; the old one runs then.

        `leave` says why the old one is not to come back by itself.
        """
        state = load(self.places.own)
        old = slots.current(self.places.slots)
        running = service.is_wanted()
        healthy = running and service.is_healthy(self.places.slots / old, self.limits)
        change = Change(old=old, new=new, stage="copying", running=running)
        state = replace(state, change=change)
        save(self.places.own, state)
        try:
            self._try(state, leave)
        except StoppedError as error:
            self._back(str(error), blame=False, boot=False)
            raise
        except UnhealthyError as error:
            self._back(str(error), blame=healthy or self._tried(new), boot=False)
            raise UpdateError(f"{new} is {error}; {old} is back, with its database") from error
        except (UpdateError, OSError) as error:
            self._back(str(error), blame=False, boot=False)
            raise UpdateError(f"{new} could not be started: {error}; {old} is back") from error

    def recover(self, *, boot: bool) -> str | None:
        """Undo a change that was cut off; None where there was none. At `boot` systemd starts the node afterwards.

        Raises UpdateError where that is not possible either.
        """
        state = load(self.places.own)
        change = state.change
        if change is None:
            self._mend_link(state)
            return None
        blame = False
        if change.stage == "copying":
            reason = "the update was cut off before the new version started"
        elif change.stage == "switched":
            blame = self._tried(change.new)
            reason = "the update was cut off while the new version was on trial"
        else:
            reason = state.bad.get(change.new, "the update was cut off on the way back")
        self._back(reason, blame=blame, boot=boot)
        return f"{change.new}: {reason}; {change.old} is back, with its database"

    def tidy(self) -> None:
        """Remove slots and copies that nobody needs any more."""
        state = load(self.places.own)
        keep = {slots.current(self.places.slots)} | ({state.previous} if state.previous else set())
        slots.tidy(self.places.slots, keep)
        if state.copied is not None and _is_over(state.copied, self.limits.copy_days):
            state = replace(state, copied=None)
            save(self.places.own, state)
        kept = state.previous if state.copied is not None else None
        folder = self.copy_of("")
        for path in list(folder.iterdir()) if folder.is_dir() else []:
            if path.name != kept:
                databases.remove(path.with_name(path.name.removesuffix(".new")))

    def previous(self) -> str:
        """The version to which one can go back. Raises UpdateError where there is none."""
        state = load(self.places.own)
        if state.previous is None or state.previous not in slots.installed(self.places.slots):
            raise UpdateError("there is no previous version on this card")
        if self._needs_copy(state) and not self.copy_of(state.previous).is_dir():
            raise UpdateError(
                f"{state.previous} cannot read the database of today, and its own is not kept "
                f"longer than {self.limits.copy_days} days"
            )
        return state.previous

    def copy_of(self, version: str) -> Path:
        """Where the databases are as a version left them."""
        return self.places.own / "databases" / version

    def _needs_copy(self, state: State) -> bool:
        return databases.newer(databases.layouts(self.places.data), state.layouts)

    def _tried(self, version: str) -> bool:
        """Count a failure that may have another cause; whether it was one too many."""
        state = load(self.places.own)
        count = state.tries.get(version, 0) + 1
        with contextlib.suppress(OSError):
            save(self.places.own, replace(state, tries={**state.tries, version: count}))
        return count >= self.limits.tries

    def _try(self, state: State, leave: str | None) -> None:
        change = state.change
        assert change is not None
        copied = self.copy_of(change.old)
        service.stop()
        self.say(f"copying the database of {change.old}")
        databases.copy(self.places.data, copied)
        # from here on the new slot may have started, and have changed the database
        state = replace(state, change=replace(change, stage="switched"))
        save(self.places.own, state)
        replaced = change.new == state.previous and self._needs_copy(state)
        if replaced:
            self.say(f"the database of {change.old} is too new for {change.new}, which gets its own from before")
            databases.restore(self.places.data, self.copy_of(change.new), spend=False)
        slots.switch(self.places.slots, change.new)
        if change.running:
            self.say(f"starting {change.new}; it has {self.limits.health_s:.0f} s to be healthy")
            service.start()
            problem = service.wait_until_healthy(self.places.slots / change.new, self.limits)
            if problem is not None:
                raise UnhealthyError(f"not healthy ({problem})")
        before = databases.layouts(copied)
        # a node that was not started has its database still to change
        changed = not change.running or databases.newer(databases.layouts(self.places.data), before)
        bad = {version: why for version, why in state.bad.items() if version != change.new}
        done = replace(
            state,
            change=None,
            previous=change.old,
            layouts=before,
            copied=stamp(datetime.now(UTC)) if changed or replaced else None,
            bad=bad if leave is None else {**bad, change.old: leave},
            tries={},
            last=f"{stamp(datetime.now(UTC))}: {change.old} was replaced by {change.new}",
        )
        with _no_signals():
            save(self.places.own, done)

    def _back(self, reason: str, *, blame: bool, boot: bool) -> None:
        try:
            self._undo(reason, blame=blame, boot=boot)
        except (UpdateError, OSError) as error:
            raise UpdateError(f"the way back failed: {error}; it is tried again at the next start") from error

    def _undo(self, reason: str, *, blame: bool, boot: bool) -> None:
        """Go back to the old slot and its database; done again from its start when it was cut off."""
        with _no_signals():
            state = load(self.places.own)
            change = state.change
            if change is None:  # it was done before the signal came
                return
            last = f"{stamp(datetime.now(UTC))}: {change.new}: {reason}; back to {change.old}"
            state = replace(state, last=last)
            if blame:
                state = replace(state, bad={**state.bad, change.new: reason})
            if change.stage != "copying":
                state = replace(state, change=replace(change, stage="undoing"))
                with contextlib.suppress(OSError):  # a full disk; as `switched` it is undone as well
                    save(self.places.own, state)
                self._go_back(change, keep=state.previous, boot=boot)
            databases.remove(self.copy_of(change.old))
            if change.running and not boot:
                service.start()  # before the disk is written to, which may be full; done again it changes nothing
            save(self.places.own, replace(state, change=None))

    def _go_back(self, change: Change, *, keep: str | None, boot: bool) -> None:
        slots.switch(self.places.slots, change.old)
        if not boot:
            service.stop()
        if change.new != keep:
            slots.remove(self.places.slots, change.new)  # first: the disk may be full
        copied = self.copy_of(change.old)
        if copied.is_dir():
            databases.restore(self.places.data, copied, spend=True)

    def _mend_link(self, state: State) -> None:
        try:
            slots.current(self.places.slots)
        except UpdateError as error:
            whole = slots.installed(self.places.slots) if self.places.slots.is_dir() else []
            if not whole:
                raise
            version = state.previous if state.previous in whole else max(whole, key=order)
            self.say(f"{error}; it names {version} now")
            slots.switch(self.places.slots, version)


def _is_over(since: str, days: int) -> bool:
    return datetime.now(UTC) - datetime.fromisoformat(since) > timedelta(days=days)


@contextlib.contextmanager
def _no_signals() -> Iterator[None]:
    """Nobody ends this by a signal that can be held back until it is done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
