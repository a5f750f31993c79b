import json
from dataclasses import replace

import pytest
import wire_samples as s

from blikk_edge.core.observation import Observed, Shown, Withdrawn
from blikk_edge.wire.messages import PICTURE_EXPIRY_S, announce, availability, encode
from blikk_edge.wire.values import iso_time


@pytest.mark.parametrize(
    ("item", "topic", "qos", "retain"),
    [
        (s.OBSERVATION, "blikk/porch-pi/front_door/observation", 1, False),
        (s.STARTED, "blikk/porch-pi/front_door/event", 1, False),
        (s.RING, "blikk/porch-pi/front_door/ring", 1, False),
        (s.PICTURE, "blikk/porch-pi/front_door/picture/person", 1, True),
        (s.STATE, "blikk/porch-pi/front_door/state", 0, True),
        (s.HEALTH, "blikk/porch-pi/health", 0, True),
        (s.GONE, "blikk/porch-pi/yard/status", 1, True),
    ],
)
def test_each_item_goes_where_the_table_says(item, topic, qos, retain):
    message = encode(item, s.TOPICS)

    assert (message.topic, message.qos, message.retain) == (topic, qos, retain)


@pytest.mark.parametrize(
    ("withdrawn", "topic"),
    [
        (Withdrawn(camera="yard", what=Shown.SUMMARY), "yard/summary"),
        (Withdrawn(camera="yard", what=Shown.DIGEST), "yard/digest"),
        (Withdrawn(camera=None, what=Shown.DIGEST), "digest"),
        (Withdrawn(camera="yard", what=Shown.ANSWER, name="gate_open"), "yard/answer/gate_open"),
        (Withdrawn(camera="yard", what=Shown.PICTURE, name="ring"), "yard/picture/ring"),
    ],
)
def test_what_is_withdrawn_empties_its_topic(withdrawn, topic):
    message = encode(withdrawn, s.TOPICS, replayed=True)

    assert (message.topic, message.payload, message.retain) == (f"blikk/porch-pi/{topic}", b"", True)
    assert (message.qos, message.expiry_s) == (1, None)


def test_only_pictures_expire_and_carry_jpeg():
    message = encode(s.PICTURE, s.TOPICS)

    assert (message.content_type, message.expiry_s) == ("image/jpeg", PICTURE_EXPIRY_S)
    assert encode(s.STATE, s.TOPICS).expiry_s is None


def test_bytes_of_a_picture_stay_out_of_repr():
    assert "JFIF" not in repr(encode(s.PICTURE, s.TOPICS))


def test_a_picture_names_what_it_shows_in_a_comment_behind_the_header_of_the_jpeg():
    reported = encode(s.PICTURE, s.TOPICS).payload
    start, comment, rest = reported[:20], reported[20:-139], reported[-139:]

    assert (start, rest) == (s.JPEG[:20], s.JPEG[20:])
    assert comment[:4] == b"\xff\xfe" + (len(comment) - 2).to_bytes(2, "big")
    assert comment[4:10] == b"blikk "
    assert json.loads(comment[10:]) == {"id": "front_door-1795262400250", "time": "2026-11-21T12:00:00.250Z"}


def test_a_picture_without_jfifs_header_has_its_comment_first():
    bare = s.JPEG[:2] + s.JPEG[20:]
    reported = encode(replace(s.PICTURE, jpeg=bare), s.TOPICS).payload

    assert (reported[:4], reported[-139:]) == (b"\xff\xd8\xff\xfe", s.JPEG[20:])


@pytest.mark.parametrize("picture", [s.STILL, replace(s.PICTURE, jpeg=b"none")])
def test_a_picture_of_nothing_in_particular_stays_as_it_is(picture):
    assert encode(picture, s.TOPICS).payload == picture.jpeg


def test_replayed_is_said_only_of_what_was_replayed():
    assert "replayed" not in json.loads(encode(s.STARTED, s.TOPICS).payload)
    assert json.loads(encode(s.STARTED, s.TOPICS, replayed=True).payload)["replayed"] is True


def test_availability_is_retained_and_says_one_word():
    assert availability(s.TOPICS, online=False).payload == b"offline"
    message = availability(s.TOPICS, online=True)
    assert (message.topic, message.payload, message.qos, message.retain) == (
        "blikk/porch-pi/status",
        b"online",
        1,
        True,
    )
    assert encode(s.GONE, s.TOPICS).payload == b"offline"


def test_event_type_is_the_label_except_for_the_revision_that_reports_loitering():
    types = [json.loads(encode(e, s.TOPICS).payload)["event_type"] for e in (s.STARTED, s.LOITERING, s.ENDED)]

    assert types == ["person", "loitering", "person"]


def test_event_attributes_do_not_clash_with_those_of_home_assistant():
    taken = {"entity_id", "friendly_name", "icon", "device_class", "entity_picture", "attribution", "restored"}

    assert not taken & json.loads(encode(s.STARTED, s.TOPICS).payload).keys()


def test_event_in_a_crowd_stays_below_the_attribute_limit_of_the_recorder():
    crowd = replace(s.STARTED, objects=(replace(s.PERSON, zones=("a zone with a longish name",) * 8),) * 200, peak=200)

    payload = encode(crowd, s.TOPICS).payload

    assert len(payload) < 16_384
    assert json.loads(payload)["counts"] == {"person": 200}


def test_problems_fit_into_a_state():
    state = json.loads(encode(replace(s.STATE, problem="x" * 400), s.TOPICS).payload)

    assert len(state["problem"]) == 255


def test_figure_that_json_cannot_say_blocks_no_record():
    content = json.loads(encode(replace(s.OBSERVATION, score=float("nan")), s.TOPICS).payload)

    assert content["score"] is None


def test_text_that_utf8_cannot_say_blocks_no_record():
    sighting = replace(s.PERSON, sub_label="broken \ud800 label")

    content = json.loads(encode(replace(s.OBSERVATION, objects=(sighting,)), s.TOPICS).payload)

    assert content["objects"][0]["sub_label"] == "broken ? label"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (s.T0, "2026-11-21T12:00:00.250Z"),
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1.9996, "1970-01-01T00:00:02.000Z"),
        (-5.0, "1970-01-01T00:00:00.000Z"),
        (float("inf"), "9999-12-31T23:59:59.000Z"),
        (float("nan"), "1970-01-01T00:00:00.000Z"),
    ],
)
def test_times_are_utc_with_milliseconds(seconds, text):
    assert iso_time(seconds) == text


def test_embedding_goes_along_when_there_is_one():
    content = json.loads(encode(replace(s.OBSERVATION, embedding=(0.123456, -1.0)), s.TOPICS).payload)

    assert content["embedding"] == [0.1235, -1.0]


def test_announce_names_cameras_and_no_more():
    message = announce(s.NODE, s.TOPICS)
    content = json.loads(message.payload)

    assert (message.topic, message.retain, message.qos) == ("blikk/porch-pi/announce", True, 1)
    assert [camera["id"] for camera in content["cameras"]] == ["front_door", "yard"]
    assert content["protocol"] == 1


@pytest.mark.parametrize("kind", list(Observed))
def test_every_kind_has_a_message(kind):
    assert json.loads(encode(replace(s.OBSERVATION, kind=kind), s.TOPICS).payload)["kind"] == kind
