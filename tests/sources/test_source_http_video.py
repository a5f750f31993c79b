"""Video over HTTP: live containers that come in lumps, playlists whose segments are called anything, files."""

import itertools
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from patience import in_time
from raw_web import Asked, raw_web
from reading import read, terms
from web import Web, serving

from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.errors import SourceError
from blikk_edge.core.scene import Frame
from blikk_edge.sources.catalog import open_source
from blikk_edge.sources.hls import open_hls
from blikk_edge.sources.mjpeg import open_mjpeg
from blikk_edge.sources.playout import LumpTime
from blikk_edge.sources.terms import Terms

FPS = 25


class Pieces:
    """A file that keeps what is written to it in lumps, one for each flush."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, content: bytes) -> int:
        self.pieces.append(bytes(content))
        return len(content)


def container_pieces(kind: str, seconds: int = 8) -> list[bytes]:
    """A live container as its muxer hands it out."""
    options = {
        "mp4": {"movflags": "empty_moov+default_base_moof+frag_keyframe"},
        "matroska": {"cluster_time_limit": "1000", "live": "1"},
        "webm": {"cluster_time_limit": "1000", "live": "1"},
        "flv": {"flvflags": "no_duration_filesize"},
    }.get(kind, {})
    out = Pieces()
    codec, more = ("libvpx", {"deadline": "realtime", "cpu-used": "8"}) if kind == "webm" else ("libx264", {})
    with av.open(out, "w", format=kind, options=options) as container:
        stream = container.add_stream(codec, rate=FPS, options={"g": str(FPS), "bf": "0", "preset": "ultrafast"} | more)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.thread_count = 1
        for n in range(seconds * FPS):
            image = np.roll(np.tile(np.arange(320, dtype=np.uint8), (240, 1)), 3 * n, 1)
            picture = av.VideoFrame.from_ndarray(np.dstack([image] * 3), format="rgb24")
            picture.pts, picture.time_base = n, Fraction(1, FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return out.pieces


def live(
    kind: str, *, lump_s: float = 1.0, head: str = "HTTP/1.1 200 OK\r\n", chunked: bool = False
) -> Callable[[Asked], None]:
    """What a live server sends of 8 s of video: as much every `lump_s` as happened in that time."""
    content = b"".join(container_pieces(kind))
    cuts = np.linspace(0, len(content), round(8 / lump_s) + 1).astype(int)

    def answer(asked: Asked) -> None:
        asked.write((head + ("Transfer-Encoding: chunked\r\n" if chunked else "") + "\r\n").encode())
        for begin, end in itertools.pairwise(cuts):
            piece = content[begin:end]
            asked.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if asked.closing.wait(lump_s):
                return

    return answer


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        *((kind, "/live") for kind in ("mp4", "matroska", "webm", "mpegts")),
        ("mp4", "/api/stream.mp4"),
        ("flv", "/flv?port=1935&app=bcs&stream=channel0_ext.bcs&user=admin&password=s3cret"),  # Reolink
    ],
)
@in_time
def test_live_container_is_looked_at_five_times_a_second(kind: str, path: str) -> None:
    came: list[tuple[float, Frame]] = []
    with raw_web(live(kind)) as web:
        source = open_source(web.url(path), Terms(camera="a", shown="a", clock=SystemClock()))
        frames = source.frames(threading.Event())
        came.extend((time.monotonic(), frame) for frame in itertools.islice(frames, 20))
        frames.close()

    seconds = came[-1][0] - came[4][0]
    gaps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(came[4:])]
    assert seconds == pytest.approx(3.0, abs=1.2)
    assert sum(gap > 0.1 for gap in gaps) >= 10  # one after the other, not a second's worth at once
    assert all(later.time > earlier.time for (_, earlier), (_, later) in itertools.pairwise(came))
    assert abs(came[-1][1].time - time.time()) < 1.0


@pytest.mark.parametrize(
    "head",
    [
        "HTTP/1.0 200 OK\r\nContent-Type: video/mp4\r\n",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nAccept-Ranges: bytes\r\n",
    ],
)
@in_time
def test_live_video_in_chunks_or_until_the_end_of_the_connection_is_live(head: str) -> None:
    with raw_web(live("mp4", lump_s=0.25, head=head, chunked="1.1" in head)) as web:
        frames = read(open_mjpeg(web.url("/live"), terms()), 8)

    assert frames[-1].time - frames[0].time == pytest.approx(1.4, abs=0.5)


def test_live_video_that_ends_is_a_source_error() -> None:
    with raw_web(live("mpegts", lump_s=0.02)) as web, pytest.raises(SourceError, match=r"ended|connection broke"):
        read(open_mjpeg(web.url("/live"), terms(read_timeout_s=3.0)))


@in_time
def test_file_without_an_ending_is_played_at_its_own_speed_and_again(make_clip) -> None:
    clip = make_clip("a.mp4", frames=25)
    with serving(Web(files={"/clip": clip.read_bytes()})) as web:
        source = open_mjpeg(web.url("/clip"), terms())
        began = time.monotonic()
        read(source, 9)
        assert 1.0 < time.monotonic() - began < 3.5
        assert len(read(open_mjpeg(web.url("/clip"), terms(), loop=False))) == 6

    assert source.counts.connections == 2


@pytest.mark.parametrize("movflags", ["disable_chpl", "faststart"])
def test_file_of_a_server_that_sends_no_parts_needs_its_index_first(tmp_path: Path, movflags: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)  # more than is read at once
    with av.open(str(tmp_path / "a.mp4"), "w", options={"movflags": movflags}) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"bf": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt, stream.thread_count = 320, 240, "yuv420p", 1
        for n in range(25):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(noise, n, 1), format="rgb24")))
        container.mux(stream.encode())
    with serving(Web(files={"/a.mp4": (tmp_path / "a.mp4").read_bytes()})) as web:
        source = open_mjpeg(web.url("/a.mp4"), terms(), loop=False)
        if movflags == "faststart":
            assert len(read(source)) == 6
        else:
            with pytest.raises(SourceError, match=r"index of this one is at its end.*faststart"):
                read(source)


# -- how lumps are played ------------------------------------------------------------------------------------------


class HandClock(VirtualClock):
    """A clock whose hand is moved by the test."""

    hand = 1000.0

    def monotonic(self) -> float:
        return self.hand

    def now(self) -> float:
        return self.hand


def played(frames: list[tuple[float, float]]) -> list[float]:
    """How far behind its own time each (stream time, arrival) is played."""
    clock = HandClock()
    time_of, late = LumpTime(clock), []
    for stream_s, arrives in frames:
        clock.hand = max(clock.hand, 1000.0 + arrives)
        reported = time_of.at(stream_s)
        clock.hand += time_of.hold_s
        assert reported == pytest.approx(clock.hand, abs=0.01)
        late.append(clock.hand - 1000.0 - stream_s)
    return late


def test_lumps_are_played_evenly() -> None:
    late = played([(n / 5, float(n // 10) * 2) for n in range(300)])  # two seconds at once, every two seconds

    assert max(late[20:]) - min(late[20:]) < 0.01


@in_time
def test_late_lump_sets_the_delay() -> None:
    frames = [(n / 5, float(n // 5) + (0.5 if n // 5 == 3 else 0.0)) for n in range(60)]

    late = played(frames)

    assert late[14] == pytest.approx(0.0, abs=0.01)
    assert all(each == pytest.approx(0.5, abs=0.01) for each in late[15:60])


@in_time
def test_delay_for_nothing_is_lost_again() -> None:
    stored = 3.0  # the server sends the last three seconds first

    late = played([(n / 5, max(0.0, n / 5 - stored)) for n in range(300)])

    assert late[0] == pytest.approx(0.0, abs=0.01)
    assert late[-1] == pytest.approx(-stored, abs=0.1)


# -- HLS -----------------------------------------------------------------------------------------------------------


def segmented(folder: Path, kind: str) -> dict[str, bytes]:
    """A playlist of six one-second segments, by path."""
    options = {"hls_time": "1", "hls_list_size": "0", "hls_segment_filename": str(folder / "part%d.seg")}
    if kind == "fmp4":
        options |= {"hls_segment_type": "fmp4", "hls_fmp4_init_filename": "init.seg"}
    with av.open(str(folder / "all.m3u8"), "w", format="hls", options=options) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"g": str(FPS), "bf": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for n in range(6 * FPS):
            picture = av.VideoFrame.from_ndarray(np.full((240, 320, 3), n, np.uint8), format="rgb24")
            picture.pts, picture.time_base = n, Fraction(1, FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return {f"/{path.name}": path.read_bytes() for path in folder.iterdir()}


NAMES = [
    "part",
    "part.jpg",
    "part.ts?token=abc",
    "part.m4s",
    "part.jpg?token=a.b",
    "part.seg",
    "seg/part.php?id=3.exe",
    "part.html",
    "part.ts?file=a.jpg",
    "part?file=%03d.png",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_hls_segments_may_be_called_anything(tmp_path: Path, kind: str, name: str) -> None:
    made = segmented(tmp_path, kind)
    files = {}
    playlist = made["/all.m3u8"].decode()
    for old in [*(f"part{n}.seg" for n in range(6)), *(["init.seg"] if kind == "fmp4" else [])]:
        new = name.replace("part", old.removesuffix(".seg"))
        playlist = playlist.replace(old, new)
        files["/" + new.partition("?")[0]] = made["/" + old]
    with serving(Web(files={**files, "/cam.m3u8": playlist.encode()})) as web:
        frames = read(open_hls(web.url("/cam.m3u8"), terms()), 8)

    assert len(frames) == 8
    assert frames[0].bgr().shape == (240, 320, 3)


BEFORE = {"BOM": b"\xef\xbb\xbf", "blank lines": b"\r\n\n", "spaces": b"  ", "BOM and a line": b"\xef\xbb\xbf\r\n"}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("path", ["/cam.m3u8", "/cam"])
def test_playlist_may_have_blanks_and_a_bom_before_its_first_line(tmp_path: Path, path: str, before: str) -> None:
    files = segmented(tmp_path, "mpegts")
    with serving(Web(files={**files, path: BEFORE[before] + files["/all.m3u8"]}, login="me:p@ss")) as web:
        source = open_source(web.url(path, "me:p%40ss"), terms())
        frames = read(source, 8)

    assert frames[0].bgr().shape == (240, 320, 3)


@pytest.mark.parametrize("line", ["http/1.0 200 OK", "ICY 200 OK", "HTTP 200", "\r\nHTTP/1.1 200 OK"])
def test_hls_server_may_have_a_status_line_of_its_own(tmp_path: Path, line: str) -> None:
    files = segmented(tmp_path, "mpegts")

    def answer(asked: Asked) -> None:
        content = files["/all.m3u8" if asked.path == "/cam" else asked.path]
        asked.write(f"{line}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)

    with raw_web(answer) as web:
        assert len(read(open_mjpeg(web.url("/cam"), terms()), 8)) == 8


def test_mended_playlist_whose_segments_never_come_is_reported_so() -> None:
    def answer(asked: Asked) -> None:
        if asked.path == "/cam.m3u8":
            asked.write(b"HTTP/1.0 200 OK\n\n\n#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n")
        else:
            asked.closing.wait(30)

    with raw_web(answer) as web, pytest.raises(SourceError, match="no answer in time"):
        read(open_hls(web.url("/cam.m3u8"), terms(connect_timeout_s=1.0, read_timeout_s=1.0)), 1)


@in_time
def test_mended_playlist_may_name_parts_of_one_file(tmp_path: Path) -> None:
    files = segmented(tmp_path, "mpegts")
    names = [f"/part{n}.seg" for n in range(6)]
    at = [0, *itertools.accumulate(len(files[name]) for name in names)]
    lines = [
        f"#EXTINF:1.0,\n#EXT-X-BYTERANGE:{end - begin}@{begin}\nall.ts?a.jpg\n" for begin, end in itertools.pairwise(at)
    ]
    playlist = "#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-TARGETDURATION:1\n" + "".join(lines[3:]) + "#EXT-X-ENDLIST\n"
    whole = b"".join(files[name] for name in names)
    with serving(Web(files={"/all.ts": whole, "/cam.m3u8": playlist.encode()})) as web:
        frames = read(open_hls(web.url("/cam.m3u8"), terms()), 14)

    assert frames[0].bgr().mean() == pytest.approx(75, abs=5)  # with this grey the fourth second begins


@in_time
def test_live_playlist_that_is_mended_goes_on(tmp_path: Path) -> None:
    files = segmented(tmp_path, "mpegts")
    began = time.monotonic()

    def answer(asked: Asked) -> None:
        first = int(time.monotonic() - began)
        names = [f"part{n % 6}.seg?n={n}&preview=small.jpg" for n in range(first, first + 3)]
        content = (
            files.get(asked.path.partition("?")[0])
            or (
                f"\n#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
                + "".join(f"#EXTINF:1.0,\n#EXT-X-DISCONTINUITY\n{name}\n" for name in names)
            ).encode()
        )
        asked.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)

    with raw_web(answer) as web:
        frames = read(open_hls(web.url("/live.m3u8"), terms(read_timeout_s=5.0)), 30)

    assert frames[-1].time - frames[0].time == pytest.approx(5.8, abs=1.0)
    assert sum(path.startswith("/live") for path in web.asked) >= 3


def test_playlist_without_its_ending_is_taken_for_one(tmp_path: Path) -> None:
    files = segmented(tmp_path, "mpegts")
    with serving(Web(files={**files, "/live": files["/all.m3u8"]})) as web:
        assert len(read(open_mjpeg(web.url("/live"), terms()), 6)) == 6


@pytest.mark.parametrize(
    "line",
    [
        "file://{local}",
        "{local}",
        "concat:{local}|{local}",
        "subfile,,start,0,end,0,,:{local}",
        "data:text/plain,x",
        "crypto:file://{local}",
    ],
)
@pytest.mark.parametrize("name", ["secret.ts", "secret", "secret.jpg"])
def test_playlist_cannot_open_a_file_of_this_machine(make_clip, name: str, line: str) -> None:
    local = make_clip("secret.ts", frames=25)
    local = local.rename(local.with_name(name))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n{line.format(local=local)}\n#EXT-X-ENDLIST\n"
    with serving(Web(files={"/cam.m3u8": playlist.encode(), "/cam": playlist.encode()})) as web:
        for source in (open_hls(web.url("/cam.m3u8"), terms()), open_mjpeg(web.url("/cam"), terms())):
            with pytest.raises(SourceError):
                read(source, 1)


def test_playlist_leads_to_no_other_kind_of_list(tmp_path: Path, make_clip) -> None:
    """A segment that is a list of its own would choose what is opened next."""
    local = make_clip("secret.ts", frames=25)
    evil = f"ffconcat version 1.0\nfile '{local}'\n".encode()
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\nlist.ts\n#EXT-X-ENDLIST\n"
    with serving(Web(files={"/cam.m3u8": playlist, "/list.ts": evil})) as web, pytest.raises(SourceError):
        read(open_hls(web.url("/cam.m3u8"), terms()), 1)
