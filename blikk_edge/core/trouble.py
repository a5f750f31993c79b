"""What may be wrong with one part: logged once when it starts, once when it ends."""

import logging
import traceback
from pathlib import Path


def place_of(error: BaseException) -> str:
    """The type of an error and where it was raised, without its words: they may quote a password."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    return type(error).__name__ + "".join(f" in {Path(frame.filename).name}:{frame.lineno}" for frame in last)


class Trouble:
    """`now` is what is wrong, in a sentence; None while all is well. `says` is the line in the log, with `%s` for it.

    Not shared between threads.
    """

    def __init__(self, log: logging.Logger, says: str = "%s", *, level: int = logging.WARNING) -> None:
        self.now: str | None = None
        self._log = log
        self._says = says
        self._level = level

    def start(self, text: str, *, quietly: bool = False) -> None:
        """This is wrong; logged unless it was so already, or somebody else logs it (`quietly`)."""
        if self.now != text and not quietly:
            self._log.log(self._level, self._says, text)
        self.now = text

    def end(self, text: str) -> None:
        """All is well; where it was not, the log says `text`."""
        if self.now is not None:
            self._log.info("%s", text)
        self.now = None
