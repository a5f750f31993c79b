"""What may be wrong with one part: logged once when it starts, once when it ends."""

import logging


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
