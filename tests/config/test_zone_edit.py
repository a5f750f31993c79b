"""Zones and private areas are written into a configuration, and every other byte of it stays."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blikk_edge.config.loading import read
from blikk_edge.config.yaml_edit import NotEditableError, end_of, pairs_of
from blikk_edge.config.yaml_nodes import compose
from blikk_edge.config.zone_edit import (
    KEYS,
    drawn_of,
    edited,
    keys_of,
    only_these_changed,
    part,
    says,
    to_paste,
)
from blikk_edge.core.drawn import Drawn, DrawnZone, Points

FILE = Path("/nowhere/blikk.yaml")
HEAD = "node: hallway\nmqtt: false\ncameras:\n"
SOURCE = "rtsp://ann:pa#ss@10.0.0.9/1"
TRIANGLE: Points = ((0.0, 0.0), (1.0, 0.0), (0.5, 0.75))
SQUARE: Points = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
TEXT_OF_SQUARE = "[[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]"

COMMENTED = """\
# kept: the house of Ann   \t
node: {id: hallway,   name: "Hallway"}   # kept
mqtt: false

cameras:  # kept
    garden: 'rtsp://10.0.0.8/1'
    door:      # the door
        # before the source
        source: "rtsp://ann:pass@10.0.0.9/1"   # its address
        labels: [person,   animal]

        zones:   # where people walk
            # the path
            path:       # to the door
                polygon: [[0.20, 1], [.4, 0.50],[0.6,0.5], [0.80, 1.0]]   # a trapeze
                loiter_s: 20s    # as long as the post takes
            # the drive
            drive: {polygon: [[0, 0], [1, 0], [1, 0.5]], labels: [vehicle]}
        # between zones and private
        private:
            # the neighbours
            - [[0, 0], [0.3, 0], [0.3, 0.25]]  # window
            - - [0.5, 0.5]   # corner
              - [0.6, 0.5]
              - [0.6, 0.6]
        fps: 4     # enough
    # behind the door
    yard: {source: 'rtsp://10.0.0.7/1', fps: 2}
# the end
language: en"""

BLOCK_POINTS = (
    HEAD
    + """\
  door:
    source: rtsp://10.0.0.9/1
    zones:
      path:
        loiter_s: 5
        polygon:
          - [0.2, 1]   # near
          - [0.4, 0.5]
          -   [0.6, 0.5]  # far
          - [0.8, 1]
"""
)

FLOW = """\
{node: hallway, mqtt: false, cameras: {door: {source: "rtsp://10.0.0.9/1",
   zones: {path: {polygon: [[0.2, 1], [0.4, 0.5], [0.8, 1]], loiter_s: 20}}, fps: 3}, yard: rtsp://10.0.0.7/1}}
"""

PLAIN = HEAD + "  door: rtsp://10.0.0.9/1  # the door\n  yard: rtsp://10.0.0.8/1\n"
IN_FLOW = HEAD + "  door: {source: rtsp://10.0.0.9/1}   # the door\n"
EMPTY_KEYS = HEAD + "  door:\n    zones:\n    private: []  # none yet\n    source: rtsp://10.0.0.9/1\n"
NO_NEWLINE = HEAD + "  door:\n    source: rtsp://10.0.0.9/1"
ANCHORED_ELSEWHERE = """\
node: hallway
mqtt: false
cameras:
  door: {source: rtsp://10.0.0.9/1, <<: &common {fps: 3}}
  yard: {source: rtsp://10.0.0.8/1, <<: *common}
"""
UNICODE = (
    HEAD.replace("hallway", "{id: a, name: 'Küche ☕ \U0001f9a9'}  # Grüße")
    + "  door:\n    source: rtsp://10.0.0.9/1 # für\n"
)
TEXTS = {
    "commented": COMMENTED,
    "block points": BLOCK_POINTS,
    "flow": FLOW,
    "plain": PLAIN,
    "camera in flow": IN_FLOW,
    "empty keys": EMPTY_KEYS,
    "no newline": NO_NEWLINE,
    "anchored elsewhere": ANCHORED_ELSEWHERE,
    "letters": UNICODE,
    "CRLF": COMMENTED.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + COMMENTED,
    "document marks": "---\n" + BLOCK_POINTS + "...\n",
    "quoted keys": COMMENTED.replace("zones:", '"zones":').replace("path:", "'path' :"),
}


def now_of(raw: bytes, camera: str = "door") -> Drawn:
    reading = read(FILE, {}, raw)
    assert reading.problems == ()
    assert reading.settings is not None
    found = next(each for each in reading.settings.cameras if each.id == camera)
    return drawn_of(found, keys_of(reading.tree.value, camera))


def changed(raw: bytes, change: Callable[[Drawn], Drawn], camera: str = "door") -> bytes:
    """The file with a change; what must hold for every change is checked."""
    before = now_of(raw, camera)
    after = change(before)
    new = edited(raw, FILE, camera, before, after)
    assert only_these_changed(raw, new, FILE, camera, {})
    assert says(new, FILE, camera, after, {})
    assert now_of(new, camera).private == after.private
    return new


def outside(raw: bytes, camera: str = "door") -> list[str]:
    """The lines without the camera's zones and private areas, each without spaces and commas at its ends.

    Of keys in blocks whole lines go, with the comments in them.
    """
    text = raw.decode("utf-8-sig")
    root = compose(FILE, [], raw)
    assert root is not None
    camera_node = pairs_of(pairs_of(root)["cameras"][2])[camera][2]
    own = pairs_of(camera_node)
    for _, key, value in sorted(
        (own[name] for name in KEYS if name in own), key=lambda each: -each[1].start_mark.index
    ):
        start, end = key.start_mark.index, end_of(value)
        if not camera_node.flow_style:
            end = next(iter(re.compile("$", re.MULTILINE).finditer(text, end))).start()
        before, after = text[:start].rstrip(" ,"), text[end:]
        text = before + (
            after.lstrip(" ") if after.lstrip().startswith("}") else after.removeprefix(", ").join(("  ", ""))
        )
    if camera_node.flow_style:  # spaces and commas around the keys are not told apart
        return [re.sub(r"[,\s]+", " ", text).replace(" }", "}")]
    lines = (re.sub(r"  +", " ", line).replace("{ ", "{").strip(" \r,") for line in text.split("\n"))
    return [line for line in lines if line]


def check_outside(raw: bytes, new: bytes) -> None:
    """All that stood outside stands there, in its order; what else is there are comments that stood between zones."""
    was, now = outside(raw), outside(new)
    rest = iter(now)
    assert all(line in rest for line in was), (was, now)
    left = list(now)
    for line in was:
        left.remove(line)
    assert all(line.startswith("#") and line.encode() in raw for line in left), left


def between(points: Points) -> tuple[float, float]:
    """The middle of the side that closes a polygon."""
    (x1, y1), (x2, y2) = points[-1], points[0]
    return round((x1 + x2) / 2, 3), round((y1 + y2) / 2, 3)


EDITS: dict[str, Callable[[Drawn], Drawn]] = {
    "nothing": lambda d: d,
    "a zone more": lambda d: replace(d, zones=(*d.zones, DrawnZone(name="new", points=TRIANGLE, loiter_s=90.0))),
    "a zone before": lambda d: replace(d, zones=(DrawnZone(name="new", points=SQUARE, labels=("person",)), *d.zones)),
    "no zones": lambda d: replace(d, zones=()),
    "other zones": lambda d: replace(
        d, zones=(DrawnZone(name="a", points=SQUARE), DrawnZone(name="b", points=TRIANGLE))
    ),
    "first zone gone": lambda d: replace(d, zones=d.zones[1:]),
    "last zone gone": lambda d: replace(d, zones=d.zones[:-1]),
    "renamed": lambda d: replace(d, zones=tuple(replace(z, name=f"x_{z.name}", was=z.name) for z in d.zones)),
    "all keys": lambda d: replace(
        d, zones=tuple(replace(z, labels=("animal", "person"), loiter_s=7200.5, points=SQUARE) for z in d.zones)
    ),
    "no keys": lambda d: replace(d, zones=tuple(replace(z, labels=None, loiter_s=None) for z in d.zones)),
    "a corner moved": lambda d: replace(
        d, zones=tuple(replace(z, points=((0.101, 0.99), *z.points[1:])) for z in d.zones)
    ),
    "a corner more": lambda d: replace(
        d, zones=tuple(replace(z, points=(*z.points, between(z.points))) for z in d.zones)
    ),
    "a corner first": lambda d: replace(
        d, zones=tuple(replace(z, points=(between(z.points), *z.points)) for z in d.zones)
    ),
    "a corner less": lambda d: replace(
        d, zones=tuple(replace(z, points=z.points[1:]) if len(z.points) > 3 else z for z in d.zones)
    ),
    "a private area more": lambda d: replace(d, private=(*d.private, SQUARE)),
    "a private area first": lambda d: replace(d, private=(SQUARE, *d.private)),
    "no private areas": lambda d: replace(d, private=()),
    "private areas turned round": lambda d: replace(d, private=d.private[::-1]),
    "private corners": lambda d: replace(d, private=tuple((*p[:-1], (0.9, 0.9), (0.1, 0.95)) for p in d.private)),
    "all gone": lambda _: Drawn(),
    "all new": lambda _: Drawn(zones=(DrawnZone(name="a", points=SQUARE),), private=(TRIANGLE, SQUARE)),
}


@pytest.mark.parametrize("name", TEXTS)
def test_only_what_was_drawn_changes(name: str) -> None:
    raw = TEXTS[name].encode()
    first = now_of(raw)
    some = {"all new", "a zone more", "all gone", "no zones", "a private area first"}
    for edit in EDITS if name in {"commented", "block points", "flow"} else some:
        new = changed(raw, EDITS[edit])
        if name != "plain":
            check_outside(raw, new)
        assert (b"\r\n" in new) == (b"\r\n" in raw)
        assert b"\n" not in new.replace(b"\r\n", b"") or b"\r\n" not in raw
        assert new.startswith(b"\xef\xbb\xbf") == raw.startswith(b"\xef\xbb\xbf")
    assert changed(raw, EDITS["nothing"]) == raw
    assert now_of(changed(new, lambda _: first)).private == first.private


def test_one_corner_that_moved_is_all_that_changes_in_its_polygon() -> None:
    new = changed(
        COMMENTED.encode(),
        lambda d: replace(
            d,
            zones=(replace(d.zones[0], points=(*d.zones[0].points[:2], (0.7, 0.5), d.zones[0].points[3])), d.zones[1]),
        ),
    )
    assert new.decode() == COMMENTED.replace("[0.6,0.5]", "[0.7, 0.5]")


def test_a_block_of_corners_keeps_its_form_and_its_comments() -> None:
    new = changed(
        BLOCK_POINTS.encode(),
        lambda d: replace(
            d, zones=(replace(d.zones[0], points=((0.2, 1.0), (0.5, 0.4), (0.6, 0.5), (0.7, 0.7), (0.8, 1.0))),)
        ),
    )
    assert new.decode() == BLOCK_POINTS.replace("[0.4, 0.5]", "[0.5, 0.4]").replace(
        "  # far\n", "  # far\n          - [0.7, 0.7]\n"
    )


def test_a_new_key_stands_behind_the_others_of_the_camera() -> None:
    new = changed(
        NO_NEWLINE.encode(), lambda d: replace(d, zones=(DrawnZone(name="path", points=SQUARE, loiter_s=20.0),))
    )
    assert (
        new.decode()
        == f"""{NO_NEWLINE}
    zones:
      path:
        polygon: {TEXT_OF_SQUARE}
        loiter_s: 20s"""
    )


def test_a_camera_that_was_no_more_than_its_address_keeps_it() -> None:
    new = changed(PLAIN.encode(), lambda d: replace(d, private=(SQUARE,)))
    assert new.decode() == PLAIN.replace(
        "  door: rtsp://10.0.0.9/1  # the door\n",
        f"  door:\n    source: rtsp://10.0.0.9/1  # the door\n    private:\n      - {TEXT_OF_SQUARE}\n",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "  yard: &one {source: rtsp://10.0.0.9/1}\n  door: *one\n", "anchor"),
        (HEAD + "  door: &one {source: rtsp://10.0.0.9/1}\n  yard: {<<: *one, fps: 2}\n", "anchor"),
        (HEAD + "  door: {source: rtsp://10.0.0.9/1, private: &p [[[0, 0], [1, 0], [1, 1]]]}\n"
                "  yard: {source: rtsp://10.0.0.8/1, private: *p}\n", "anchor"),
        (HEAD + "  yard: &one {source: rtsp://10.0.0.8/1, private: [[[0, 0], [1, 0], [1, 1]]]}\n"
                "  door: {<<: *one, source: rtsp://10.0.0.9/1}\n", "<<"),
        ("node: hallway\nmqtt: false\n<<: {cameras: {door: rtsp://10.0.0.9/1}}\n", "does not stand below"),
        (HEAD + "  door:\n    source: |-\n      rtsp://10.0.0.9/1\n", "several lines"),
        (HEAD + "  ? door\n  : rtsp://10.0.0.9/1\n", "stands"),
    ],
)  # fmt: skip
def test_where_an_edit_would_touch_more_it_is_refused_in_words(text: str, said: str) -> None:
    raw = text.encode()
    before = now_of(raw)
    with pytest.raises(NotEditableError, match=said):
        edited(raw, FILE, "door", before, replace(before, private=(SQUARE,)))
    assert edited(raw, FILE, "door", before, before) == raw


@pytest.mark.parametrize(
    "name",
    ["null", "true", "1", "0x10", "~", "a: b", "a #b", "{", "<<", "]", "\n  fps: 1", "<b>", "*x", "'", '"', "\\", "ü"],
)
def test_a_name_cannot_write_more_than_a_name(name: str) -> None:
    raw = COMMENTED.encode()
    before = now_of(raw)
    new = edited(raw, FILE, "door", before, replace(before, zones=(*before.zones, DrawnZone(name=name, points=SQUARE))))
    assert only_these_changed(raw, new, FILE, "door", {})
    problems = read(FILE, {}, new).problems
    if not re.fullmatch("[a-z0-9_]+", name):
        assert [problem.text for problem in problems] == ["not an id"]


def test_the_part_that_is_shown_holds_nothing_but_these_keys() -> None:
    for text in (COMMENTED, FLOW, IN_FLOW, PLAIN):
        shown = part(changed(text.encode(), EDITS["a private area more"]), FILE, "door")
        assert "private:" in shown
        assert "rtsp" not in shown
        assert "pass" not in shown


SHARED = """\
  yard: {source: rtsp://u:secret@10.0.0.8/1, zones: {a: &a {polygon: &p [[0, 0], [1, 0], [1, 1]]}}, private: &q [*p]}
"""
AREA = "polygon: [[0, 0], [1, 0], [1, 1]]"


@pytest.mark.parametrize(
    ("camera", "shown"),
    [
        ("    zones:\n      a: *a # the same\n    private: *q\n    fps: 3\n", "zones:\n  a: *a\nprivate: *q\n"),
        ("    private: *q\n", "private: *q\n"),
        ("    private:\n    - *p\n    - *p\n", "private:\n- *p\n- *p\n"),
        (f"    zones:\n      b: &b {{{AREA}}}\n      c: *b\n", f"zones:\n  b: &b {{{AREA}}}\n  c: *b\n"),
        (f"    zones: {{b: {{{AREA}, loiter_s: 5s}}}}\n", f"zones: {{b: {{{AREA}, loiter_s: 5s}}}}\n"),
        (f"    zones:\n      b:\n        {AREA}\n        loiter_s: |-\n          5s\n    fps: 3\n",
         f"zones:\n  b:\n    {AREA}\n    loiter_s: |-\n      5s\n"),
    ],
)  # fmt: skip
def test_what_other_places_share_is_shown_as_it_is_written(camera: str, shown: str) -> None:
    raw = f"{HEAD}{SHARED}  door:\n    source: rtsp://u:secret@10.0.0.9/1\n{camera}  gate: rtsp://u:secret@10.0.0.7/\n"
    assert read(FILE, {}, raw.encode()).problems == ()
    assert part(raw.encode(), FILE, "door") == shown
    in_flow = f"{HEAD}{SHARED}  door: {{private: *q, source: rtsp://u:secret@10.0.0.9/1}}\n"
    assert part(in_flow.encode(), FILE, "door") == "private: *q\n"


NUMBERS = st.integers(0, 1000).map(lambda n: n / 1000)
POINTS = st.tuples(NUMBERS, NUMBERS)


def fans(seed: list[tuple[float, float]]) -> Points:
    """A polygon that does not cross itself: corners on a circle, by their angle."""
    from math import cos, pi, sin

    angles = sorted({round(x + y, 3) for x, y in seed})
    return tuple((round(0.5 + 0.4 * cos(pi * a), 4), round(0.5 + 0.4 * sin(pi * a), 4)) for a in angles)


POLYGONS = st.lists(POINTS, min_size=5, max_size=9).map(fans).filter(lambda p: len(set(p)) >= 4)
ZONES = st.builds(
    DrawnZone,
    name=st.from_regex("[a-z0-9_]{1,8}", fullmatch=True),
    points=POLYGONS,
    labels=st.none() | st.lists(st.sampled_from(["person", "vehicle", "animal"]), min_size=1, unique=True).map(tuple),
    loiter_s=st.none() | st.integers(1, 86400).map(float) | st.floats(1, 86400).map(lambda v: round(v, 3)),
)
DRAWINGS = st.builds(
    Drawn,
    zones=st.lists(ZONES, max_size=4, unique_by=lambda zone: zone.name).map(tuple),
    private=st.lists(POLYGONS, max_size=4).map(tuple),
)


@settings(max_examples=12)
@given(name=st.sampled_from(sorted(TEXTS)), one=DRAWINGS, other=DRAWINGS)
def test_whatever_is_drawn_is_what_is_read_and_the_rest_stays(name: str, one: Drawn, other: Drawn) -> None:
    raw = TEXTS[name].encode()
    first = changed(raw, lambda _: one)
    second = changed(first, lambda _: other)
    if name != "plain":
        check_outside(raw, first)
        check_outside(first, second)


@settings(max_examples=12)
@given(drawn=DRAWINGS)
def test_what_is_to_be_pasted_reads_as_it_was_drawn(drawn: Drawn) -> None:
    text = HEAD + "  door:\n    source: rtsp://10.0.0.9/1\n"
    text += "".join(f"    {line}\n" for line in to_paste(drawn).splitlines())
    assert says(text.encode(), FILE, "door", drawn, {})
