"""The reader of the contract, with golden messages and with whatever a broker may carry."""

import json

import pytest
from stage import EXAMPLES, GOLDEN_EVENT, GOLDEN_JPEG, JPEG, announce, golden, jpeg_of

from custom_components.blikk import reader
from custom_components.blikk.contract import ContractError, ProtocolError

READERS = {
    "announce": reader.read_announce,
    "answer": reader.read_answer,
    "event": reader.read_event,
    "health": reader.read_health,
    "observation": reader.read_alert,
    "reply": reader.read_reply,
    "ring": reader.read_ring,
    "state": reader.read_state,
    "summary": reader.read_summary,
}
MESSAGES = [path for path in sorted(EXAMPLES.glob("*.json")) if path.stem.partition("-")[0] in READERS]
OBJECTS = list(READERS.values())


def raw(content) -> bytes:
    return json.dumps(content).encode()


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_every_golden_message_is_read(path):
    kind = path.stem.partition("-")[0]
    read = READERS[kind](path.read_bytes())
    assert read or kind == "observation"  # of these only alerts are of interest


def test_no_kind_of_golden_message_is_forgotten():
    kinds = {path.stem.partition("-")[0] for path in EXAMPLES.glob("*.json")}
    of_the_websocket = {"envelope", "hello"}
    assert kinds - READERS.keys() - of_the_websocket <= {"ask", "claim", "discovery"}


def test_what_is_measured_is_read():
    (camera,) = reader.read_announce(raw(golden("announce-measures"))).cameras
    assert [(m.name, m.unit, m.device_class, m.alerts) for m in camera.measures] == [
        ("pressure", "bar", "pressure", ("too_high", "too_low")), ("needle_angle", "°", None, ()),
    ]  # fmt: skip
    assert camera.alerts == ["pressure_too_high", "pressure_too_low"]
    state = reader.read_state(raw(golden("state-measures")))
    assert {name: (r.value, r.alert) for name, r in state.measures.items()} == {
        "needle_angle": (41.5, None), "pressure": (2.6, "too_high"),
    }  # fmt: skip
    alert = reader.read_alert(raw(golden("observation-alert")))
    assert (alert.event_type, alert.value, alert.unit) == ("pressure_too_high", 2.6, "bar")
    others = ("observation", "observation-bare", "observation-measure", "observation-alert-ended")
    assert [reader.read_alert(raw(golden(name))) for name in others] == [None] * 4


def test_everything_the_announce_reports_is_read():
    read = reader.read_announce(raw(golden("announce")))
    assert (read.id, read.name, read.version) == ("porch-pi", "Porch Pi", "0.1.0")
    assert [camera.id for camera in read.cameras] == ["front_door", "yard"]
    assert read.cameras[0].questions[0].question == "Is the gate open?"
    assert read.cameras[0].labels == ("person", "package")
    assert read.media_url == "http://127.0.0.1:8428"
    assert read.has_model
    assert reader.announce_of(read.content) == read


def test_an_event_keeps_what_it_was_reported():
    event = reader.read_event(raw(golden("event-loitering")))
    assert (event.event_type, event.label, event.phase, event.revision) == ("loitering", "person", "updated", 3)
    assert event.is_news
    assert event.content["zones"] == ["porch", "path"]


def test_an_answer_and_a_summary_keep_times_and_tokens():
    assert reader.read_answer(raw(golden("answer"))).confidence == 0.8
    summary = reader.read_summary(raw(golden("summary")))
    assert summary.tokens == {"input": 214, "output": 58}
    assert summary.time.isoformat() == "2026-11-21T12:00:31.450000+00:00"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b'{"v":1,"id":"a',
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"v":NaN}',
        b'{"v":' + b"9" * 5000 + b"}",
        b"x" * (5 * 1024 * 1024),
        b'{"v":true}',
        b'{"v":0}',
        b'{"v":"1"}',
    ],
    ids=lambda payload: repr(payload[:12]),
)
@pytest.mark.parametrize("read", OBJECTS, ids=lambda read: read.__name__)
def test_what_is_no_message_is_a_contract_error(read, payload):
    with pytest.raises(ContractError):
        read(payload)


@pytest.mark.parametrize("read", OBJECTS, ids=lambda read: read.__name__)
def test_a_newer_protocol_is_reported_apart(read):
    with pytest.raises(ProtocolError) as caught:
        read(b'{"v":2,"protocol":3,"id":"a"}')
    assert caught.value.protocol in (2, 3)


@pytest.mark.parametrize("value", [None, True, -1, 1.5, "x", [], {}, [1], {"a": []}, "\ud800", 10**30])
@pytest.mark.parametrize("name", ["announce", "state", "health", "event-started", "ring", "summary", "answer"])
def test_a_field_of_another_kind_never_breaks_the_reader(name, value):
    read = READERS[name.partition("-")[0]]
    for key in golden(name):
        try:
            read(raw({**golden(name), key: value}))
        except ContractError:
            assert key in {
                "v", "protocol", "id", "event_type", "phase", "revision", "time", "title", "answer",
            }  # fmt: skip


def test_cameras_that_cannot_be_addressed_are_left_out_and_named():
    odd = ["a/b", "+", "#", "", "x" * 65, "tab\t", "front_door", 7, None]
    cameras = [golden("announce")["cameras"][0], *({"id": camera} for camera in odd)]
    read = reader.read_announce(raw(announce(cameras=cameras)))
    assert [camera.id for camera in read.cameras] == ["front_door"]
    assert read.left_out[:2] == ("a/b", "+")
    assert len(read.left_out) == len(odd)


def test_a_camera_of_which_only_the_id_is_known_is_a_camera():
    read = reader.read_announce(raw(announce(cameras=[{"id": "Größe 1"}])))
    assert (read.cameras[0].id, read.cameras[0].name, read.cameras[0].labels) == ("Größe 1", "Größe 1", ())


def test_a_node_that_cannot_be_addressed_is_refused():
    with pytest.raises(ContractError):
        reader.read_announce(raw(announce(id="a/b")))


def test_a_media_address_that_is_none_is_passed_over():
    assert reader.read_announce(raw(announce(urls={"media": "file:///etc/passwd"}))).media_url is None


def test_lone_surrogates_become_question_marks():
    state = reader.read_state(b'{"v":1,"problem":"\\ud800","zones":{"\\udfff":1}}')
    assert (state.problem, dict(state.zones)) == ("?", {"?": 1})


def test_long_texts_are_cut_to_what_home_assistant_takes():
    assert len(reader.read_summary(raw({**golden("summary"), "title": "t" * 300, "text": "x" * 9999})).text) == 2000
    assert len(reader.read_answer(raw({**golden("answer"), "answer": "a" * 300})).answer) == 255


def test_figures_that_are_no_numbers_are_not_reported():
    state = reader.read_state(b'{"v":1,"fps":1e999,"restarts":1.5,"threshold":true,"counts":{"person":-1,"x":true}}')
    assert (state.fps, state.restarts, state.threshold, dict(state.counts)) == (None, None, None, {})


@pytest.mark.parametrize("text", ["2026-11-21T12:00:00", "2026-11-21T12:00:00Z", "2026-11-21T13:00:00+01:00"])
def test_times_are_utc(text):
    ring = reader.read_ring(raw({**golden("ring"), "time": text}))
    assert ring.time.isoformat() == "2026-11-21T12:00:00+00:00"


@pytest.mark.parametrize("text", ["yesterday", "0001-01-01T00:00:00+23:00", 7, ""])
def test_what_is_no_time_is_refused_where_a_time_is_needed(text):
    with pytest.raises(ContractError):
        reader.read_ring(raw({**golden("ring"), "time": text}))


@pytest.mark.parametrize("payload", [b"", b"ONLINE", b"on", b"\xff", b"online" * 1000])
def test_a_status_that_is_neither_word_is_refused(payload):
    with pytest.raises(ContractError):
        reader.read_status(payload)


def test_a_status_is_one_of_two_words():
    assert reader.read_status(b"online")
    assert not reader.read_status(b"offline\n")


@pytest.mark.parametrize("payload", [b"<html>", b"\x89PNG", JPEG[:-2], b"", JPEG + b"\xff\xd9" * 3_000_000])
def test_images_that_are_no_pictures_are_refused(payload):
    with pytest.raises(ContractError):
        reader.read_picture(payload)


def test_a_picture_is_passed_on_byte_for_byte():
    assert reader.read_picture(JPEG) == JPEG


def test_a_picture_says_which_event_it_shows():
    assert reader.picture_event(GOLDEN_JPEG) == GOLDEN_EVENT
    assert reader.picture_event(jpeg_of("front_door-ring-7")) == "front_door-ring-7"


@pytest.mark.parametrize(
    "comment",
    [
        b"",
        b"\xff\xfe\x00\x0bby camera",
        b'\xff\xfe\x00\x0ablikk {"',
        b"\xff\xfe\x00\x09blikk 7",
        b"\xff\xfe\x00\x0ablikk {}",
        b"\xff\xfe\x00\x01",
        b"\xff\xfe\xff\xffblikk {}",
        b'\xff\xda\x00\x02\xff\xfe\x00\x11blikk {"id":"x"}',
    ],
)
def test_a_picture_with_another_comment_or_none_says_of_no_event(comment):
    assert reader.picture_event(JPEG[:2] + comment + JPEG[2:]) is None


def test_no_picture_is_cut_so_badly_that_it_cannot_be_looked_through():
    for at in range(len(GOLDEN_JPEG)):
        assert reader.picture_event(GOLDEN_JPEG[:at]) in (None, GOLDEN_EVENT)
        reader.picture_event(GOLDEN_JPEG[:at] + b"\x00" + GOLDEN_JPEG[at + 1 :])


def test_events_of_a_reply_are_those_that_are_objects():
    content = {"v": 1, "ok": True, "events": [{"id": "a"}, 7, None]}
    assert reader.read_reply(raw(content)).events == [{"id": "a"}]
    assert reader.read_reply(raw({"v": 1, "ok": True, "events": 7})).events == []


def test_a_reply_that_does_not_say_whether_it_is_one_is_refused():
    with pytest.raises(ContractError):
        reader.read_reply(raw({"v": 1, "ok": "yes"}))
