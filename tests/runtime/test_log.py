"""Log lines hold no credentials, whoever wrote them."""

import json
import logging
import sys

import pytest

from blikk_edge.runtime import log
from blikk_edge.runtime.log import _Line, _Object


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


def test_a_line_of_json_names_site_node_and_camera_and_hides_credentials() -> None:
    record = logging.LogRecord(
        "blikk.camera.yard.reader", logging.WARNING, "file", 1, "rtsp://a:hunter2@b\nx", (), None
    )
    text = _Object({"site": "hall", "node": "one"}).format(record)
    assert "\n" not in text
    found = json.loads(text)
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "warning",
        "part": "camera.yard.reader",
        "message": "rtsp://***@b\nx",
        "site": "hall",
        "node": "one",
        "camera": "yard",
    }


def test_a_line_of_json_names_the_camera_that_it_gives() -> None:
    record = logging.LogRecord("blikk.fleet", logging.INFO, "file", 1, "watched here", (), None)
    record.camera = "yard"
    assert json.loads(_Object({}).format(record))["camera"] == "yard"


def test_a_traceback_in_json_is_one_line_without_credentials() -> None:
    record = logging.LogRecord("blikk.node", logging.ERROR, "file", 1, "it failed", (), None)
    try:
        raise ValueError("rtsp://user:hunter2@cam/1")
    except ValueError:
        record.exc_info = sys.exc_info()
    text = _Object({}).format(record)
    assert "hunter2" not in text
    assert "ValueError" in json.loads(text)["error"]


def test_lines_of_a_site_begin_with_who_wrote_them(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        log.set_up("info", node="one", site="hall")
        log.part("camera.yard").info("here")
    finally:
        root.handlers[:], _ = handlers, root.setLevel(level)
    assert capfd.readouterr().err.endswith(" INFO    hall/one blikk.camera.yard: here\n")
