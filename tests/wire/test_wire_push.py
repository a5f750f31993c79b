"""What edge client and node say to each other."""

import base64
import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.core.errors import WireError
from blikk_edge.core.geometry import Box
from blikk_edge.core.push_queue import Pushed
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.wire.push import (
    BAD_MESSAGE,
    MAX_JPEG_BYTES,
    NO_JPEG,
    TOO_LARGE,
    PushRefusedError,
    answer_message,
    frame_message,
    jpeg_size,
    read_answer,
    read_frame,
)


def jpeg(width: int = 64, height: int = 48, *options: int) -> bytes:
    return cv2.imencode(".jpg", np.full((height, width, 3), 90, np.uint8), options)[1].tobytes()


FOUND = {"label": "person", "score": 0.8, "box": [0.1, 0.2, 0.3, 0.9]}
FRAME = {"v": 1, "seq": 7, "time": 1795262400.25, "jpeg": base64.b64encode(jpeg()).decode()}


def test_a_frame_arrives_as_it_was_sent() -> None:
    person = Detection(label=Label.PERSON, sub_label="person", score=0.8125, box=Box(0.1, 0.2, 0.3, 0.9))
    pushed = Pushed(seq=7, time=1795262400.25, jpeg=jpeg(), found=(person,))
    assert read_frame(frame_message(pushed)) == pushed


def test_a_client_that_does_not_say_what_it_found_is_no_client_that_found_nothing() -> None:
    assert read_frame(json.dumps(FRAME)).found is None
    assert read_frame(json.dumps({**FRAME, "found": []})).found == ()
    silent = Pushed(seq=7, time=1795262400.25, jpeg=jpeg(), found=None)
    assert read_frame(frame_message(silent)) == silent


def test_an_answer_arrives_as_it_was_sent() -> None:
    assert read_answer(answer_message(7, 2.5)) == (7, 2.5)


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)])
def test_size_is_read_from_every_kind_of_jpeg(options: tuple[int, ...]) -> None:
    assert jpeg_size(jpeg(123, 45, *options)) == (123, 45)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"v": 2}, BAD_MESSAGE),
        ({"seq": -1}, BAD_MESSAGE),
        ({"seq": True}, BAD_MESSAGE),
        ({"seq": 2**60}, BAD_MESSAGE),
        ({"time": "now"}, BAD_MESSAGE),
        ({"time": -5}, BAD_MESSAGE),
        ({"time": 1e300}, BAD_MESSAGE),
        ({"found": {}}, BAD_MESSAGE),
        ({"found": [1]}, BAD_MESSAGE),
        ({"found": [FOUND] * 51}, BAD_MESSAGE),
        ({"found": [{**FOUND, "label": "ghost"}]}, BAD_MESSAGE),
        ({"found": [{**FOUND, "score": 2}]}, BAD_MESSAGE),
        ({"found": [{**FOUND, "score": 10**400}]}, BAD_MESSAGE),
        ({"found": [{**FOUND, "box": [0, 0, 10**400, 1]}]}, BAD_MESSAGE),
        ({"found": [{**FOUND, "box": [0, 0, 1]}]}, BAD_MESSAGE),
        ({"found": [{**FOUND, "box": [0.5, 0, 0.5, 1]}]}, BAD_MESSAGE),
        ({"found": [{**FOUND, "box": [float("nan"), 0, 1, 1]}]}, BAD_MESSAGE),
        ({"jpeg": None}, BAD_MESSAGE),
        ({"jpeg": "*" * 40}, BAD_MESSAGE),
        ({"jpeg": ""}, NO_JPEG),
        ({"jpeg": base64.b64encode(b"\x89PNG\r\n").decode()}, NO_JPEG),
        ({"jpeg": base64.b64encode(jpeg()[:-40]).decode()}, NO_JPEG),
        ({"jpeg": base64.b64encode(jpeg(2050, 8)).decode()}, TOO_LARGE),
        ({"jpeg": base64.b64encode(jpeg()[:-2] + bytes(MAX_JPEG_BYTES) + b"\xff\xd9").decode()}, TOO_LARGE),
    ],
)
def test_what_is_no_frame_is_refused_with_its_code(change: dict[str, object], code: int) -> None:
    with pytest.raises(PushRefusedError) as refused:
        read_frame(json.dumps({**FRAME, **change}))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ("cat", "cat"),
        ("traffic light", "traffic light"),
        ("tir\u00e9_2", "tir\u00e9_2"),
        ("c" * 40, "c" * 40),
        ("c" * 41, "animal"),
        ("cat\n", "animal"),
        ("cat\x1b[2J", "animal"),
        ("\u202ecat", "animal"),
        ("<script>", "animal"),
        ("**cat**", "animal"),
        ("{{ states }}", "animal"),
        (" ", "animal"),
        ("", "animal"),
        (None, "animal"),
        (7, "animal"),
        ({"a": 1}, "animal"),
    ],
)
def test_of_a_class_words_alone_are_taken(sent: object, taken: str) -> None:
    (found,) = read_frame(json.dumps({**FRAME, "found": [{**FOUND, "label": "animal", "sub_label": sent}]})).found or ()
    assert found.sub_label == taken


def test_a_frame_whose_time_is_no_number_is_refused() -> None:
    with pytest.raises(PushRefusedError):
        read_frame(json.dumps(FRAME).replace("1795262400.25", "NaN"))


@given(st.text() | st.binary())
def test_any_message_is_a_frame_or_refused(message: str | bytes) -> None:
    for read in (read_frame, read_answer):
        with pytest.raises(WireError):
            read(message)


@given(st.binary().map(lambda data: b"\xff\xd8" + data + b"\xff\xd9"))
def test_no_bytes_make_the_size_reader_stumble(data: bytes) -> None:
    size = jpeg_size(data)
    assert size is None or min(size) > 0


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"v":1,"seq":1}',
        '{"v":1,"seq":1,"gap_s":1e999}',
        '{"v":1,"seq":1,"gap_s":1' + "0" * 400 + "}",
        '{"v":1,"seq":1,"gap_s":NaN}',
        '{"v":1,"seq":1,"gap_s":-1}',
        '{"v":1,"seq":"1","gap_s":1}',
    ],
)
def test_other_answers_are_refused(text: str) -> None:
    with pytest.raises(WireError):
        read_answer(text)
