"""Log lines hold no credentials, whoever wrote them."""

import logging
import sys

import pytest

from blikk_edge.runtime.log import _Line


def line(message: str, error: Exception | None = None) -> str:
    record = logging.LogRecord("part", logging.ERROR, "file", 1, message, (), None)
    if error is not None:
        try:
            raise error
        except Exception:  # noqa: BLE001  # any of them, for its traceback
            record.exc_info = sys.exc_info()
    return _Line().format(record)


@pytest.mark.parametrize(
    "message",
    [
        "rtsp://user:hunter2@cam/1 is away",
        "> Authorization: Bearer hunter2",
        "b'Authorization: bearer hunter2\\x00'",
        "Invalid header: b'Authorization: Bearer\\\\r\\\\n hunter2'",
        "'Authorization': 'Bearer\thunter2'",
        "'Authorization': 'Bearer\x0bhunter2'",
    ],
)
def test_credentials_do_not_show_in_a_line_or_its_traceback(message: str) -> None:
    assert "hunter2" not in line(message)
    assert "hunter2" not in line("it failed", ValueError(message))


@pytest.mark.parametrize("control", ["\n", "\r", "\x1b[2J", "\x9b", "\u202e", "\u2028"])
def test_a_message_is_one_line_whatever_is_in_it(control: str) -> None:
    reported = line(f"camera {control}2026-11-29T00:00:00.000Z ERROR forged", ValueError("why"))
    first, *traceback = reported.split("\n")
    assert control not in first
    assert "ERROR forged" in first
    assert traceback[-1] == "ValueError: why"


def test_other_words_stay() -> None:
    assert line("send `Authorization: Bearer` with the token").endswith("send `Authorization: Bearer` with the token")
