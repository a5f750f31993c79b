"""What the libraries that serve us may log: never what a peer sent, and no more than a line in ten seconds."""

import logging

from blikk_edge.core.clock import Clock
from blikk_edge.core.rate_limited_log import RateLimitedLog
from blikk_edge.core.trouble import place_of


class _Said(logging.Handler):
    """Turns a library's lines, which quote requests with the tokens in them, into plain ones of ours."""

    def __init__(self, log: logging.Logger, clock: Clock, bad_requests: tuple[type[BaseException], ...]) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._bad_requests = bad_requests
        self._said = RateLimitedLog(clock)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        refused = error is None or isinstance(error, self._bad_requests)
        if (more := self._said.turn(refused)) is None:
            return
        if error is None or refused:
            self._log.warning("what a client sent could not be read, and was refused%s", more)
        else:
            self._log.error("a request failed: %s%s", place_of(error), more)


def library_log(
    name: str, log: logging.Logger, clock: Clock, *, bad_requests: tuple[type[BaseException], ...] = ()
) -> logging.Logger:
    """A logger to hand to a library in place of its own.

    Exceptions of the kinds `bad_requests` are a peer's fault and logged as such; of all others the type and the place
    are logged, for their words may quote what was sent.
    """
    logger = logging.Logger(name, logging.WARNING)  # noqa: LOG001  # each server has its own, and nothing reaches the root
    logger.addHandler(_Said(log, clock, bad_requests))
    return logger


def no_log(name: str) -> logging.Logger:
    """A logger that drops everything, for a library whose debugging lines hold tokens."""
    logger = logging.Logger(name, logging.CRITICAL + 1)  # noqa: LOG001  # see library_log
    logger.addHandler(logging.NullHandler())
    return logger
