"""Progress bars: on a terminal only, on standard error, gone when they are done. NO_COLOR has nothing to take away."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from blikk_edge.cli.output import is_terminal

NARROW_COLUMNS = 60
_WIDE = "{desc} {percentage:3.0f} % |{bar}| {n_fmt} of {total_fmt}{unit}, {remaining} left"
_SMALL = "{desc} {percentage:3.0f} % |{bar}| {remaining}"
_ENDLESS = "{desc} {n_fmt}{unit}, {elapsed}"


class Bar:
    """One bar at a time; `done` may become smaller, and the total may never be known."""

    def __init__(self, what: str, *, unit: str, scaled: bool) -> None:
        self._what = what
        self._unit = unit
        self._scaled = scaled
        self._bar: Any = None

    def __call__(self, done: float, total: float | None, /) -> None:
        """So much is done."""
        if not self._scaled:
            done, total = int(done), total and max(1, round(total))
        if self._bar is None:
            self._bar = self._made(total)
        if total is not None and done >= total and self._scaled:
            self.close()
            return
        self._bar.update(done - self._bar.n)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Takes the bar away while something else is printed."""
        if self._bar is not None:
            self._bar.clear()
        yield
        if self._bar is not None:
            self._bar.refresh()

    def close(self) -> None:
        """Take it away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _made(self, total: float | None) -> Any:
        from tqdm import tqdm

        tqdm.monitor_interval = 0  # else it starts a thread
        form = _ENDLESS if total is None else _SMALL if shutil.get_terminal_size().columns < NARROW_COLUMNS else _WIDE
        return tqdm(
            desc=self._what,
            total=total,
            unit=self._unit,
            unit_scale=self._scaled,
            bar_format=form,
            file=sys.stderr,
            dynamic_ncols=True,
            leave=False,
            colour=None,
            ascii=None if "UTF" in (sys.stderr.encoding or "").upper() else True,
        )


def downloads() -> Callable[[str], Bar | None]:
    """Gives a bar for each model that is fetched, by its name; None where nobody would see one."""
    if not _wanted():
        return lambda _name: None
    return lambda name: Bar(f"fetching {name}", unit="B", scaled=True)


def clip_bar() -> Bar | None:
    """A bar for the seconds of a clip; None where nobody would see one."""
    return Bar("replaying", unit=" s", scaled=False) if _wanted() else None


def _wanted() -> bool:
    return is_terminal(sys.stderr) and os.environ.get("TQDM_DISABLE", "") in {"", "0"}
