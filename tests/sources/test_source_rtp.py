"""Streams over RTSP as bad cameras send them: timestamps of all kinds, slow ones, what breaks off in the middle."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterable

import pytest
from patience import in_time
from reading import read, terms
from rtp_server import SDP, Played, encoded, rtp_server

from blikk_edge.core.errors import SourceError
from blikk_edge.sources import limits, pace
from blikk_edge.sources.rtsp import open_rtsp

UNITS = encoded(50)
TICK = 3600  # of one picture at 25 a second


def paced(
    ticks: Callable[[int], int], every_s: float = 0.04, units: Iterable[bytes] = UNITS
) -> Callable[[Played], None]:
    """Pictures at even distances, each with the timestamp of its number."""

    def play(played: Played) -> None:
        began = time.monotonic()
        for n, unit in enumerate(itertools.cycle(units) if isinstance(units, list) else units):
            if played.closing.wait(max(0.0, began + n * every_s - time.monotonic())):
                return
            played.picture(unit, ticks(n))

    return play


CLOCKS: dict[str, Callable[[int], int]] = {
    "good": lambda n: n * TICK,
    "wrap": lambda n: 2**32 + (n - 60) * TICK,
    "stands still": lambda n: 12_345,
    "stands still later": lambda n: min(n, 60) * TICK,
    "an hour ahead, again and again": lambda n: n * TICK + n // 40 * 3600 * 90_000,
    "back to 0, again and again": lambda n: n % 40 * TICK,
    "backwards": lambda n: -n * TICK,
    "anything": lambda n: random.Random(n).randrange(2**32),
    "milliseconds": lambda n: n * 40,
    "half as fast": lambda n: n * TICK // 2,
    "twice as fast": lambda n: n * TICK * 2,
    "off by a second": lambda n: n * TICK + random.Random(n).randrange(-90_000, 90_000),
}


@pytest.mark.parametrize("clock", CLOCKS)
@in_time
def test_camera_is_watched_evenly_whatever_its_timestamps_are(clock: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "WINDOW_S", 0.4)
    came: list[tuple[float, float]] = []
    with rtp_server(paced(CLOCKS[clock])) as url:
        frames = open_rtsp(url, terms(), transport="tcp").frames(threading.Event())
        began = time.monotonic()
        for frame in frames:
            came.append((frame.time, time.time()))
            if time.monotonic() - began > 5.0:
                break
        frames.close()

    late = [reported for reported, seen in came if seen > came[-1][1] - 2.5]
    assert len(late) == pytest.approx(12.5, abs=4)
    assert max(later - earlier for earlier, later in itertools.pairwise(late)) < 0.8
    assert all(-0.1 < seen - reported < 0.8 for reported, seen in came[-10:])
    assert all(later[0] > earlier[0] for earlier, later in itertools.pairwise(came))


def test_camera_of_a_picture_a_second_is_opened_again_after_it_was_slow_to_open() -> None:
    """What ran out of time while it was opened made PyAV raise in whatever it was asked for next."""
    with rtp_server(paced(lambda n: n * 90_000, every_s=1.0, units=encoded(4, every=1))) as url:
        for _ in range(3):
            stop = threading.Event()
            threading.Timer(4.5, stop.set).start()
            assert len(read(open_rtsp(url, terms(connect_timeout_s=1.5), transport="tcp"), stop=stop)) >= 2


@in_time
def test_stream_that_breaks_off_in_a_picture_is_a_source_error_at_once() -> None:
    def play(played: Played) -> None:
        for n, unit in enumerate(UNITS):
            if played.closing.wait(0.04):
                return
            played.picture(unit, n * TICK)
        played.write(b"$\0\5\xdc\x80\x60half")
        raise ConnectionError

    began = time.monotonic()
    with rtp_server(play) as url, pytest.raises(SourceError, match=r"ended|broke"):
        read(open_rtsp(url, terms(), transport="tcp"))

    assert time.monotonic() - began < 8.0


def test_camera_that_takes_no_more_watchers_is_named() -> None:
    with (
        rtp_server(lambda _: None, setup="453 Not Enough Bandwidth") as url,
        pytest.raises(SourceError, match=r"\(4xx\).* no more watch it than it allows"),
    ):
        read(open_rtsp(url, terms(), transport="tcp"))


HEAD = SDP.partition("m=video")[0]
UNUSABLE = {
    "sound alone": ("m=audio 0 RTP/AVP 0\r\na=control:audio\r\n", "there is no video in it"),
    "metadata alone": ("m=application 0 RTP/AVP 107\r\na=control:meta\r\n", "there is no video in it"),
    "nothing": ("", "there is no video in it"),
    "a codec without a decoder": (
        "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H266/90000\r\na=control:video\r\n",
        "no decoder for its video; set the camera to H.264",
    ),
}


@pytest.mark.parametrize("offer", UNUSABLE)
def test_a_stream_that_cannot_be_watched_is_named(offer: str) -> None:
    media, said = UNUSABLE[offer]

    with rtp_server(lambda played: None, sdp=HEAD + media) as url, pytest.raises(SourceError, match=said):
        read(open_rtsp(url, terms(connect_timeout_s=3.0, read_timeout_s=3.0)), 1)


def test_a_camera_that_changes_from_h264_to_h265_is_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on in the same session with what it had not announced, as after a change in its web page."""
    monkeypatch.setattr(limits, "BARREN_S", 0.5)
    connections: list[str] = []
    before, after = encoded(20, size=(96, 64), every=5), encoded(20, size=(96, 64), every=5, codec="libx265")

    def sdp() -> str:
        connections.append("described")
        return SDP if len(connections) == 1 else SDP.replace("H264", "H265")

    def play(played: Played) -> None:
        units = itertools.cycle(after) if len(connections) > 1 else itertools.chain(before, itertools.cycle(after))
        paced(lambda n: n * TICK, units=units)(played)

    with rtp_server(play, sdp=sdp) as url:
        source = open_rtsp(url, terms(read_timeout_s=2.0, fps=25.0), transport="tcp")
        with pytest.raises(SourceError, match="no picture can be decoded"):
            read(source)
        seen = source.counts.decoded
        assert len(read(source, 5)) == 5

    assert seen >= 15


def test_a_stream_that_is_encrypted_is_named_after_nothing_could_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BARREN_S", 0.5)
    ciphered = [b"\0\0\0\1" + random.Random(n).randbytes(500).replace(b"\0", b"x") for n in range(50)]
    with rtp_server(paced(lambda n: n * TICK, units=ciphered), sdp=SDP.replace("RTP/AVP", "RTP/SAVP")) as url:
        source = open_rtsp(url, terms(connect_timeout_s=2.0, read_timeout_s=1.0), transport="tcp")
        with pytest.raises(SourceError):
            read(source, 1)
        with pytest.raises(SourceError, match="its stream is encrypted"):
            read(source, 1)
