"""Cameras that speak ONVIF: found, asked, and watched; with the faults that real ones have."""

import contextlib
import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pytest
from onvif_device import OnvifDevice, Stream
from rtsp_server import RtspServer

from blikk_edge.app.discovering import Discovered, discover, secret_lines, yaml_lines
from blikk_edge.config import load
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SourceError
from blikk_edge.demo.clip import make
from blikk_edge.sources.address import parse
from blikk_edge.sources.catalog import open_source
from blikk_edge.sources.onvif.current_address import CurrentAddress
from blikk_edge.sources.onvif.device import ANSWER_BYTES, Described, Profile, described, largest, nearest
from blikk_edge.sources.onvif.search import Found
from blikk_edge.sources.onvif.source import OnvifSource
from blikk_edge.sources.terms import Terms
from blikk_edge.store.store import Store

MAIN = Stream(token="main", width=2560, height=1440, url="rtsp://10.99.99.99:554/main", encoding="H265")
SUB = Stream(token="sub", width=640, height=480, url="rtsp://10.99.99.99:554/sub")


def profile(height: int, encoding: str = "H264") -> Profile:
    return Profile(
        token=f"{encoding}{height}",
        name="",
        width_px=height * 16 // 9,
        height_px=height,
        encoding=encoding,
        url=f"rtsp://cam/{height}",
    )


def asked(device: OnvifDevice, address: str | None = None) -> tuple[Profile, ...]:
    return described(parse(address or device.address), shown="onvif://cam", timeout_s=5.0).profiles


@pytest.fixture(scope="module")
def stream(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    clip = tmp_path_factory.mktemp("onvif") / "clip.mp4"
    make(clip, seconds=8)
    server = RtspServer(clip, user="admin", password="p@ss word/1")
    server.start()
    yield server
    server.kill()


@pytest.mark.parametrize(
    ("heights", "chosen"),
    [
        ((1440, 480, 240), 480),
        ((1440, 360), 360),
        ((2160, 1080), 1080),
        ((2160, 720, 180), 720),  # nobody is found in a stream as small as that
        ((180,), 180),
        ((0, 720), 720),  # one does not say how large it is
    ],
)
def test_the_stream_nearest_to_480p_is_watched(heights: tuple[int, ...], chosen: int) -> None:
    found = nearest([profile(height) for height in heights], 480)
    assert found is not None
    assert found.height_px == chosen


def test_a_stream_that_cannot_be_decoded_is_not_watched() -> None:
    assert nearest([profile(480, "SVAC"), profile(1080)], 480) == profile(1080)
    assert nearest([profile(480, "SVAC")], 480) is None
    assert largest([profile(480), profile(1440, "H265")]) == profile(1440, "H265")


def test_the_address_of_a_stream_is_that_by_which_the_camera_was_reached() -> None:
    with OnvifDevice([MAIN, SUB], user="admin", password="secret") as device:
        found = {each.token: each for each in asked(device)}
    assert found["sub"].url == "rtsp://127.0.0.1:554/sub"
    assert (found["main"].width_px, found["main"].height_px, found["main"].fps) == (2560, 1440, 15.0)
    assert found["main"].encoding == "H265"


def test_a_camera_whose_clock_is_a_year_behind_takes_the_login() -> None:
    with OnvifDevice([SUB], user="admin", password="secret", clock=timedelta(days=-365)) as device:
        assert [each.token for each in asked(device)] == ["sub"]


def test_a_wrong_password_is_named_and_never_shown() -> None:
    with OnvifDevice([SUB], user="admin", password="secret") as device:
        for login, words in (("admin:wrong-one@", "user or password is wrong"), ("", "asks for a user")):
            with pytest.raises(SourceError, match=words) as raised:
                asked(device, f"onvif://{login}127.0.0.1:{device.port}")
            assert "wrong-one" not in str(raised.value)


@pytest.mark.parametrize("body", ["<html>It works!</html>", "", "<s:Envelope", "\x00\xff" * 50])
def test_what_is_no_onvif_is_an_error_in_words(body: str) -> None:
    with OnvifDevice([SUB], body=body or " ") as device:
        camera = Terms(camera="cam", shown="onvif://cam", clock=SystemClock())
        with pytest.raises(SourceError, match="onvif://cam: "):
            next(iter(open_source(device.address, camera).frames(threading.Event())))


def test_a_login_that_is_refused_again_and_again_is_tried_seldom() -> None:
    with OnvifDevice([SUB], user="admin", password="secret") as device:
        address = f"onvif://admin:wrong-one@127.0.0.1:{device.port}"
        source = OnvifSource(parse(address), Terms(camera="door", shown="onvif://cam", clock=SystemClock()))
        pauses = []
        for _ in range(4):
            with pytest.raises(SourceError) as caught:
                list(source.frames(threading.Event()))
            pauses.append(caught.value.retry_s)
        assert pauses == [0.0, 0.0, 0.0, 600.0]
        assert "every 10 minutes" in str(caught.value)
        assert "wrong-one" not in str(caught.value)


def test_a_port_where_nobody_listens_is_an_error_in_words(free_port: int) -> None:
    with pytest.raises(SourceError, match=r"check host and port \(80, 8000"):
        described(parse(f"onvif://127.0.0.1:{free_port}"), shown="onvif://cam", timeout_s=5.0)


def test_frames_come_from_the_stream_that_the_camera_names(stream: RtspServer) -> None:
    named = Stream(token="sub", width=480, height=480, url=f"rtsp://10.99.99.99:{stream.port}/cam")
    with OnvifDevice([MAIN, named], user="admin", password="p@ss word/1") as device:
        address = f"onvif://admin:p%40ss%20word%2F1@127.0.0.1:{device.port}"
        source = open_source(address, Terms(camera="cam", shown="onvif://cam", clock=SystemClock()))
        got = list(islice(source.frames(threading.Event()), 3))
        assert [frame.luma.shape for frame in got] == [(480, 640)] * 3
    # the camera's ONVIF does not answer any more; its stream goes on
    again = list(islice(source.frames(threading.Event()), 2))
    assert again[0].time > got[-1].time


def test_a_camera_that_has_another_address_is_found_again(stream: RtspServer, monkeypatch: pytest.MonkeyPatch) -> None:
    named = Stream(token="sub", width=480, height=480, url=f"rtsp://10.99.99.99:{stream.port}/cam")
    camera = OnvifDevice([named], user="admin", password="p@ss word/1")
    with camera:
        address = f"onvif://admin:p%40ss%20word%2F1@127.0.0.1:{camera.port}"
        source = open_source(address, Terms(camera="cam", shown="onvif://cam", clock=SystemClock()))
        next(iter(source.frames(threading.Event())))
        before = camera.port
    camera.port = 0
    with camera:
        assert camera.port != before
        found = Found(host="127.0.0.1", port=camera.port, path="", endpoint=camera.endpoint)
        monkeypatch.setattr("blikk_edge.sources.onvif.source.on_network", lambda: (found,))
        camera.asked.clear()
        next(iter(source.frames(threading.Event())))
        assert "GetStreamUri" in camera.asked


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> list[Found]:
    """What a search of this network finds."""
    there: list[Found] = []
    monkeypatch.setattr("blikk_edge.sources.onvif.source.on_network", lambda: tuple(there))
    return there


def at(device: OnvifDevice) -> Found:
    # by WS-Discovery some cameras write the same name in another way
    return Found(host="127.0.0.1", port=device.port, path="", endpoint=device.endpoint.upper())


def node(address: str, store: Store) -> tuple[OnvifSource, CurrentAddress]:
    """The source of a camera in a node that has just been started."""
    current = CurrentAddress(parse(address), camera="cam", memory=store)
    terms = Terms(camera="cam", shown="onvif://cam", clock=SystemClock(), current_address=current)
    return OnvifSource(parse(address), terms), current


def test_an_address_at_which_a_camera_was_found_again_outlives_the_node(
    stream: RtspServer, network: list[Found], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "blikk.onvif")
    named = Stream(token="sub", width=480, height=480, url=f"rtsp://10.99.99.99:{stream.port}/cam")
    store = Store(tmp_path / "blikk.db")
    store.open()
    with contextlib.closing(store):
        camera = OnvifDevice([named], user="admin", password="p@ss word/1")
        with camera:
            written = f"onvif://admin:p%40ss%20word%2F1@127.0.0.1:{camera.port}"
            source, current = node(written, store)
            next(iter(source.frames(threading.Event())))
            assert current.moved_to is None
        camera.port = 0
        with camera:  # it got another address while the node did not run
            network.append(at(camera))
            source, current = node(written, store)
            next(iter(source.frames(threading.Event())))
            assert current.moved_to == f"127.0.0.1:{camera.port}"
            assert "cam has another address now" in caplog.text
            network.clear()
            source, current = node(written, store)
            next(iter(source.frames(threading.Event())))
            assert f"looked for at 127.0.0.1:{camera.port}, where it was found last" in caplog.text
            assert current.now.password == "p%40ss%20word%2F1"
            # another address was written since
            source, current = node(written.replace("127.0.0.1", "localhost"), store)
            current.recall()
            assert current.moved_to is None
        assert "p%40ss" not in (store.recall("onvif/cam") or "p%40ss")


def test_another_camera_at_the_old_address_is_not_taken_for_the_one_that_moved(
    network: list[Found], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(tmp_path / "blikk.db")
    store.open()
    with contextlib.closing(store), OnvifDevice([SUB]) as mine:
        written, port = mine.address, mine.port
        source, current = node(written, store)
        assert source._asked()
        mine.__exit__()
        mine.port = 0
        mine.__enter__()
        with OnvifDevice([SUB], port=port):
            network.append(at(mine))
            source, current = node(written, store)
            assert source._asked()
            assert current.moved_to == f"127.0.0.1:{mine.port}"
            # it is thrown away, and the other one is in its place for good
            network.clear()
            mine.__exit__()
            assert source._asked()
            assert current.moved_to is None
            assert "is where it is written to be again" in caplog.text
            assert source._asked()
            mine.__enter__()


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (OnvifDevice([]), "no profile with video; make one in its web page"),
        (OnvifDevice([Stream(token="a", width=1, height=1, url="rtsp://cam/a", encoding="SVAC")]), "but SVAC; set one"),
        (OnvifDevice([Stream(token="a", width=1, height=1, url="")]), "H264 without an address"),
        (OnvifDevice([Stream(token="a", width=1, height=1, url="rtsp://[::1/a")]), "stream a cannot be read"),
        (OnvifDevice([SUB], redirects=True), "redirects to another address, which is not followed; name that one"),
        (OnvifDevice([SUB], body="<a>" * 5_000 + "</a>" * 5_000), "onvif://cam: "),
        (OnvifDevice([SUB], body="x" * (ANSWER_BYTES + 1)), "onvif://cam: "),
    ],
    ids=["no profile", "no codec", "no address", "odd address", "redirects", "deep", "giant"],
)
def test_what_cannot_be_watched_is_said_with_the_way_out(device: OnvifDevice, words: str) -> None:
    with device:
        source = open_source(device.address, Terms(camera="cam", shown="onvif://cam", clock=SystemClock()))
        frames = iter(source.frames(threading.Event()))
        with pytest.raises(SourceError, match=re.escape(words)) as raised:
            next(frames)
    assert str(raised.value).startswith("onvif://cam: ")


def test_a_profile_that_the_camera_cannot_stream_does_not_cost_the_others() -> None:
    with OnvifDevice([MAIN, SUB], broken=("main",)) as device:
        assert [(each.token, bool(each.url)) for each in asked(device)] == [("main", False), ("sub", True)]


def test_a_search_finds_the_camera_and_its_lines_watch_it(tmp_path: Path) -> None:
    with OnvifDevice([MAIN, SUB], user="admin", password="secret", discovered=True) as device:
        found = [
            each
            for each in discover(user="admin", password="secret", wait_s=1.0, interfaces=["127.0.0.1"])
            if each.found.endpoint == device.endpoint
        ]
        assert [each.what for each in found] == ["Acme Eye 2"]
        assert found[0].found.address == f"onvif://127.0.0.1:{device.port}"
        lines = yaml_lines(found)
        assert "    # watched: sub, 640x480 H264, rtsp://127.0.0.1:554/sub" in lines
        assert any(
            line.startswith("    # its largest: main, 2560x1440 H265, rtsp://127.0.0.1:554/main;") for line in lines
        )
        secrets = [line.replace("USER:PASSWORD", "admin:secret") for line in secret_lines(found)]
    (tmp_path / "secrets.yaml").write_text("\n".join(secrets))
    config = tmp_path / "blikk.yaml"
    config.write_text("\n".join(["node: porch", "mqtt: false", *lines]))
    assert load(config, environ={}).cameras[0].record is None
    recorded = [line.replace("# archive:", "archive:").replace("# record:", "record:") for line in lines]
    config.write_text("\n".join(["node: porch", "mqtt: false", *recorded]))
    settings = load(config, environ={})
    assert [camera.id for camera in settings.cameras] == ["porch_camera"]
    assert settings.cameras[0].source.reveal() == f"onvif://admin:secret@127.0.0.1:{device.port}"
    assert settings.cameras[0].archive is not None
    assert settings.cameras[0].archive.reveal() == "rtsp://admin:secret@127.0.0.1:554/main"


def test_lines_say_what_is_known_of_the_maker() -> None:
    camera = Discovered(
        found=Found(host="192.168.1.20", port=2020, path=""), described=Described(maker="TP-Link", model="C210")
    )

    assert "camera account" in " ".join(yaml_lines([camera]))
    assert replace(camera, described=Described(maker="Acme")).known == ()


def test_a_host_that_answers_no_search_is_asked_all_the_same() -> None:
    with OnvifDevice([SUB]) as device:
        (camera,) = discover([f"127.0.0.1:{device.port}"], wait_s=0.2)
        assert camera.described is not None
        assert [each.token for each in camera.described.profiles] == ["sub"]
