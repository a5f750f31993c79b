"""What is known of vendors: the table itself, whose an address is, and the words where it fails."""

import re
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import cast

import jsonschema
import pytest
from http_answers import still
from raw_web import raw_web
from reading import read, terms
from test_source_rtsp_odd import answering

from blikk_edge.core.errors import SourceError
from blikk_edge.sources.address import parse
from blikk_edge.sources.mjpeg import open_mjpeg
from blikk_edge.sources.rtsp import open_rtsp
from blikk_edge.sources.vendors.advice import before, meant, opened, when_failed
from blikk_edge.sources.vendors.table import When, vendor_of, vendors

TEXTS = {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}
SMALL = {"type": "array", "items": {"type": "string", "pattern": "^[^A-Z]+$"}, "minItems": 1}
ADDRESS = {"type": "string", "pattern": r"^(rtsps?|https?)://HOST(:\d+)?/"}
SCHEMA = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "documents"],
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "makers": SMALL,
            "realms": SMALL,
            "servers": SMALL,
            "ports": {"type": "array", "items": {"type": "integer"}},
            "onvif_port": {"type": "integer"},
            "documents": {"type": "array", "items": {"type": "string", "pattern": "^https?://"}, "minItems": 1},
            "drop": TEXTS,
            "schemes": {"type": "object", "additionalProperties": {"enum": ["rtsp", "rtsps", "http", "https"]}},
            "streams": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["main"],
                    "properties": {"main": ADDRESS, "sub": ADDRESS, "tells": {"const": False}},
                },
            },
            "stills": {"type": "array", "items": ADDRESS},
            "faults": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["when", "says"],
                    "properties": {
                        "when": {"type": "array", "items": {"enum": [*When]}, "minItems": 1},
                        "says": {"type": "string", "pattern": "[^. ]$"},
                        "sure": {"const": False},
                    },
                },
            },
            "answers": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["has", "means"],
                    "properties": {"has": {"type": "string", "minLength": 5}, "means": {"enum": ["401", "403", "404"]}},
                },
            },
        },
    },
}
ADDRESSES = [(each.id, part.text) for each in vendors().values() for one in each.streams if one.tells
             for part in (one.main, one.sub) if part]  # fmt: skip
STILLS = [(each.id, still.text) for each in vendors().values() for still in each.stills if each.id != "esp32"]


def named(text: str) -> str:
    """A template's address as a user writes it."""
    return re.sub(r"\{channel:(\d+)\}", r"\1", text).replace("{name}", "porch").replace("HOST", "u:p@192.168.1.20")


def test_table_is_as_it_is_described() -> None:
    content = tomllib.loads(files("blikk_edge.sources.vendors").joinpath("vendors.toml").read_text("utf-8"))

    jsonschema.validate(content, SCHEMA)
    for name, vendor in vendors().items():
        for each in vendor.streams:
            parse(each.main.filled())
            assert (
                each.sub is None or each.sub.filled().partition("://")[0] == each.main.filled().partition("://")[0]
            ), name


@pytest.mark.parametrize(("vendor", "text"), [*ADDRESSES, *STILLS])
def test_a_vendor_is_known_by_each_of_its_addresses(vendor: str, text: str) -> None:
    found = vendor_of(parse(named(text)))

    assert found is not None
    assert found.id == vendor


@pytest.mark.parametrize(
    ("text", "sub"),
    [
        ("rtsp://u:p@cam/h264Preview_02_main", "rtsp://HOST/h264Preview_02_sub"),
        ("rtsp://cam:5554/h265preview_01_MAIN", "rtsp://HOST/h264Preview_01_sub"),
        ("http://cam/flv?port=1935&app=bcs&stream=channel3_main.bcs&user=a&password=b", "stream=channel3_ext.bcs"),
        ("rtsp://cam/Streaming/Channels/1601/", "rtsp://HOST/Streaming/Channels/1602"),
        ("rtsp://cam/cam/realmonitor?channel=4&subtype=0&unicast=true&proto=Onvif", "channel=4&subtype=1"),
        ("rtsp://cam/stream1#backchannel=0", "rtsp://HOST/stream2"),
        ("rtsp://cam/axis-media/media.amp?fps=5", "media.amp?resolution=640x480"),
        ("rtsp://cam:88/videoMain", "rtsp://HOST:88/videoSub"),
    ],
)
def test_a_main_stream_is_called_one_with_the_sub_stream_of_its_channel(text: str, sub: str) -> None:
    notes = [note for note in before(text) if "main stream" in note]

    assert len(notes) == 1
    assert sub in notes[0]
    assert sub in when_failed(parse(text), When.NOT_FOUND)


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://cam/Streaming/Channels/102",
        "rtsp://cam/stream2",
        "rtsp://cam/axis-media/media.amp?resolution=640x480&fps=5",
        "rtsp://cam/my/own",
        "rtsp://cam:8554/porch",
        "http://cam/snap.jpg",
        "onvif://u:p@cam",
        "/dev/video0",
        "clip.mp4",
        "rtsp://[broken",
    ],
)
def test_nothing_is_said_of_a_sub_stream_or_of_what_nobody_knows(text: str) -> None:
    assert list(before(text)) == []


@pytest.mark.parametrize(
    ("vendor", "given"),
    [
        ("reolink", {"realm": "BC Streaming Media"}),
        ("hikvision", {"realm": "IP Camera(C2183)"}),
        ("dahua", {"realm": "Login to 4K049EBPAG1D7E7"}),
        ("tapo", {"realm": "TP-LINK IP-Camera"}),
        ("mediamtx", {"server": "gortsplib"}),
        ("unifi", {"server": "EvoStream Media Server (www.evostream.com)"}),
        ("hikvision", {"maker": "HIKVISION"}),
        ("dahua", {"maker": "Amcrest"}),
        (None, {"maker": "Acme", "realm": "cam", "server": "GStreamer RTSP server"}),
    ],
)
def test_a_vendor_is_known_by_what_its_server_says(vendor: str | None, given: dict[str, str]) -> None:
    found = vendor_of(**given)

    assert (found and found.id) == vendor


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("rtsps://10.0.0.1:7441/t0ken?enableSrtp", "rtsps://10.0.0.1:7441/t0ken"),
        ("rtsps://10.0.0.1:7441/t0ken?enableSrtp&x=1", "rtsps://10.0.0.1:7441/t0ken?x=1"),
        ("rtsp://u:p%23w@cam/stream1#backchannel=0", "rtsp://u:p%23w@cam/stream1"),
        ("rtsp://cam/cam/realmonitor?channel=1&subtype=1#backchannel=0#media=video",
         "rtsp://cam/cam/realmonitor?channel=1&subtype=1"),
        ("rtsp://cam/live?enableSrtp", None),  # of another vendor it may mean something
        ("rtsp://cam/a#b", None),
        ("rtsp://u:p#backchannel@cam/a", None),
        ("rtsp://[broken?enableSrtp", None),
    ],
)  # fmt: skip
def test_what_a_vendor_put_into_its_address_for_itself_is_left_out(text: str, instead: str | None) -> None:
    assert opened(text) == (instead or text)


def test_what_a_camera_says_instead_of_a_picture_is_understood_from_its_own_vendor_alone() -> None:
    refusal = (
        b'[\n {\n "cmd" : "Snap",\n "code" : 1,\n "error" : {\n "detail" : "login failed",\n "rspCode" : -7\n }\n }\n]'
    )

    assert meant(parse("http://cam/cgi-bin/api.cgi?cmd=Snap&channel=0"), refusal) is When.UNAUTHORIZED
    assert meant(parse("http://cam:88/cgi-bin/CGIProxy.fcgi?cmd=snapPicture2"), b"<result>-2</result>")
    assert meant(parse("http://cam/snap.jpg"), refusal) is None


def test_words_never_hold_what_is_secret_in_an_address() -> None:
    for _, text in ADDRESSES:
        address = named(text).replace("porch", "t0ken").replace("u:p@", "u53r:p455@")
        words = "".join([*before(address), *(when_failed(parse(address), when) for when in When)])
        assert not re.search("t0ken|u53r|p455|192", words)


def failing(url: str) -> SourceError:
    """What opening an RTSP address raises."""
    with pytest.raises(SourceError) as raised:
        read(open_rtsp(url, terms(connect_timeout_s=5.0, read_timeout_s=5.0), transport="tcp"), 1)
    return raised.value


def test_a_path_that_is_not_there_is_answered_with_the_sub_stream_of_the_vendor() -> None:
    with answering(lambda method, _: f"RTSP/1.0 {'404 Not Found' if method == 'DESCRIBE' else '200 OK'}") as server:
        said = str(failing(f"rtsp://viewer:s3cret@127.0.0.1:{server.port}/Streaming/Channels/301"))
        unknown = str(failing(f"rtsp://viewer:s3cret@127.0.0.1:{server.port}/t0ken"))

    assert "does not know this path (404)" in said
    assert "Hikvision: its sub-stream is `rtsp://HOST/Streaming/Channels/302`" in said
    assert "blikk discover" in unknown
    assert not re.search("viewer|s3cret|t0ken", said + unknown)


REFUSALS = {When.NOT_FOUND: "404 Not Found", When.UNAUTHORIZED: "401 Unauthorized"}
REFUSED = [
    (when, vendor, text)
    for when in REFUSALS
    for vendor, text in dict(reversed([each for each in ADDRESSES if each[1].startswith("rtsp://HOST/")])).items()
    if vendors()[vendor].said(when)
]


@pytest.mark.parametrize(("when", "vendor", "text"), REFUSED)
def test_each_fault_that_can_be_played_is_answered_in_the_words_of_the_table(
    when: When, vendor: str, text: str
) -> None:
    def answer(method: str, _path: str) -> str:
        return f"RTSP/1.0 {REFUSALS[when] if method == 'DESCRIBE' else '200 OK'}"

    with answering(answer) as server:
        failed = failing(named(text).replace("192.168.1.20", f"127.0.0.1:{server.port}"))

    assert all(said in str(failed) for said in vendors()[vendor].said(when))
    assert failed.retry_s == 0  # a camera that sleeps is asked again soon


def test_a_vendor_is_asked_for_without_a_login_and_known_by_its_realm() -> None:
    logins: list[str] = []

    def refuse(_method: str, _path: str) -> str:
        logins.append("asked")
        return 'RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="BC Streaming Media", nonce="1"'

    with answering(refuse) as server:
        url = f"rtsp://viewer:s3cret@127.0.0.1:{server.port}/live"
        source = open_rtsp(url, terms(connect_timeout_s=5.0, read_timeout_s=5.0), transport="tcp")
        said, asked = [], []
        for _ in range(5):
            before_ = len(logins)
            with pytest.raises(SourceError, match=r"\(401\).*Reolink: ") as raised:
                read(source, 1)
            said.append(raised.value)
            asked.append(len(logins) - before_)

    assert asked[0] > asked[1] == asked[2]  # who it is is asked once
    assert [each.retry_s for each in said] == [0, 0, 0, 600, 600]
    assert "every 10 minutes" in str(said[3])


def test_what_makes_a_stream_unreadable_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = []

    def answer(_method: str, path: str) -> str:
        paths.append(path)
        return "RTSP/1.0 404 Not Found"

    with answering(answer) as server:
        unifi = replace(vendors()["unifi"], ports=(server.port,))
        monkeypatch.setitem(cast("dict[str, object]", vendors()), "unifi", unifi)
        failing(f"rtsp://127.0.0.1:{server.port}/t0ken?enableSrtp")
        failing(f"rtsp://127.0.0.1:{server.port}/cam#backchannel=0")

    assert {*paths} == {"/t0ken", "/cam"}


def test_a_refused_login_that_comes_with_success_is_called_one() -> None:
    refusal = b'[\n {\n "cmd" : "Snap",\n "error" : {\n "detail" : "login failed",\n "rspCode" : -7\n }\n }\n]'
    path = "/cgi-bin/api.cgi?cmd=Snap&channel=0&user=admin&password=s3cret"

    with raw_web(still(refusal, "text/html")) as web:
        source = open_mjpeg(web.url(path), terms())
        said = []
        for _ in range(4):
            with pytest.raises(SourceError, match=r"refuses user or password; .*Reolink: signs like #") as raised:
                read(source, 1)
            said.append(raised.value)
    assert [each.retry_s for each in said] == [0, 0, 0, 600]
    assert len(web.asked) == 4
    assert "s3cret" not in str(said)


def test_guide_shows_the_table() -> None:
    from blikk_edge.sources.vendors.reference import table

    guide = Path(__file__).parents[2] / "docs/guide/cameras.md"
    assert table() in guide.read_text("utf-8"), "run scripts/docs"
