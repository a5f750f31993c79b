"""What a node publishes is read back as it was: written again, it gives the same bytes."""

import json

import pytest
import wire_samples as s
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.core.errors import WireError
from blikk_edge.core.picture import Picture
from blikk_edge.wire.inquiries import reply_content
from blikk_edge.wire.messages import announce, encode
from blikk_edge.wire.reader import read_cameras, read_item, read_reply
from blikk_edge.wire.topics import Topics

ITEMS = (
    s.APPEARED, s.OTHER_SCENE, s.CONCEPT_STATE,
    s.OBSERVATION, s.STARTED, s.LOITERING, s.ENDED, s.INTERRUPTED, s.RING, s.STATE, s.GONE, s.SUMMARY, s.DIGEST,
    s.ANSWER, s.MEASURED, s.ALERT, s.ALERT_ENDED, s.MEASURED_STATE, s.NOT_MEASURED,
)  # fmt: skip


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: type(item).__name__)
def test_what_is_read_gives_the_same_bytes_again(item):
    message = encode(item, s.TOPICS)
    read = read_item(message.topic, message.payload, s.TOPICS, now=0.0)
    assert type(read) is type(item)
    assert encode(read, s.TOPICS) == message


@pytest.mark.parametrize("node", [s.NODE, s.MEASURING, s.SEARCHED], ids=["plain", "measuring", "searched"])
def test_cameras_are_those_that_were_announced(node):
    read = read_cameras(announce(node, s.TOPICS).payload)
    again = announce(type(node)(**{f: getattr(node, f) for f in node.__slots__} | {"cameras": read}), s.TOPICS)
    assert again == announce(node, s.TOPICS)


@pytest.mark.parametrize("name", s.REPLIES)
def test_a_reply_is_read_back(name):
    content = reply_content(s.REPLIES[name])
    left_out = {"query", "gaps"}  # how a question was understood, and what was not watched, are not read
    again = reply_content(read_reply(json.loads(json.dumps(content))))
    assert {k: v for k, v in again.items() if k not in left_out} == {
        k: v for k, v in content.items() if k not in left_out
    }


def test_a_picture_is_its_bytes():
    message = encode(s.PICTURE, s.TOPICS)
    read = read_item(message.topic, message.payload, s.TOPICS, now=7.0)
    assert isinstance(read, Picture)
    assert (read.camera, read.name, read.time, read.jpeg) == ("front_door", "person", 7.0, message.payload)


KINDS = ("observation", "event", "ring", "summary", "state", "answer/open", "digest", "health", "set/detect")


@given(
    st.sampled_from(KINDS),
    st.one_of(
        st.binary(max_size=40),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                st.sampled_from(("id", "camera", "time", "objects", "counts", "kind", "zones")), inner, max_size=4
            ),
            max_leaves=10,
        ).map(lambda value: json.dumps(value).encode()),
    ),
)  # fmt: skip
def test_rubbish_is_an_error_of_ours_or_nothing(kind, payload):
    topics = Topics("blikk", "n")
    for read in (
        lambda: read_item(f"blikk/n/door/{kind}", payload, topics, now=0.0),
        lambda: read_cameras(payload),
        lambda: read_reply(json.loads(payload) if payload[:1] == b"{" and payload[-1:] == b"}" else {}),
    ):
        try:
            assert read() is None or payload
        except (WireError, json.JSONDecodeError, UnicodeDecodeError):
            continue
