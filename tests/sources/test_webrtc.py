"""Streams by WebRTC: from real peers, from servers that refuse, and what is kept of them when nobody looks."""

import asyncio
import gc
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import aiortc
import pytest
import voluptuous as vol
from broker import make_certificates
from patience import PATIENCE
from webrtc_peer import SIZE, encoded, missing, whep_server

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.encoded_queue import KEPT, EncodedPicture, EncodedQueue
from blikk_edge.core.errors import SourceError
from blikk_edge.sources.faults import NO_PICTURE
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.webrtc.aiortc_peer import AiortcPeer, is_key
from blikk_edge.sources.webrtc.options import WHEP, may_be_in_the_clear
from blikk_edge.sources.webrtc.pictures import PeerPictures
from blikk_edge.sources.webrtc.whep import NO_WAY, UNUSABLE, WhepSource
from blikk_edge.sources.webrtc.whep_http import IN_THE_CLEAR, NO_SDP, status_words
from blikk_edge.sources.webrtc.whip import WhipSource

TOKEN = "a-token-that-nobody-may-see"


def terms(**values: object) -> Terms:
    return Terms(camera="door", shown="whep+http://server", clock=SystemClock(), **values)  # type: ignore[arg-type]


def source(address: str, *, token: str | None = TOKEN, **values: object) -> WhepSource:
    options = {"address": address} | ({"token": token} if token else {})
    return WhepSource(WHEP(options), terms(**values))


def said(made: WhepSource) -> str:
    """Why it has no frame."""
    with pytest.raises(SourceError) as raised:
        next(made.frames(threading.Event()))
    assert TOKEN not in str(raised.value)
    assert str(raised.value).startswith("whep+http://server: ")
    return str(raised.value).partition(": ")[2]


# -- real peers -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(bool(missing()), reason=missing() or "they are here")
@pytest.mark.parametrize(("library", "codec"), [("werift", "h264"), ("werift", "vp8"), ("wrtc", "vp8")])
def test_a_stream_is_watched_and_its_end_is_told_to_the_server(library: str, codec: str) -> None:
    with whep_server(library, codec) as server:
        moved = server.address.replace("/whep", "/moved")  # a redirect within the server keeps the token
        made, stop, seen = source(moved, token=server.token, read_timeout_s=30.0), threading.Event(), []
        for frame in made.frames(stop):
            seen.append(frame)
            if len(seen) == 5:
                stop.set()
        deleted = server.said.until("deleted")
    assert (deleted["open"], deleted["token"]) == (0, True)
    assert {frame.luma.shape for frame in seen} == {SIZE[::-1]}
    assert (seen[0].luma != seen[-1].luma).any()
    assert seen[0].bgr().shape == (*SIZE[::-1], 3)
    times = [frame.time for frame in seen]
    assert times == sorted(times)
    assert abs(times[-1] - time.time()) < 30 * PATIENCE


@contextmanager
def behind_tls(port: int, folder: Path) -> Iterator[int]:
    """The port at which a server of this machine is reached with TLS, by a certificate of its own, as cameras have."""
    certificates = make_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    loop, opened = asyncio.new_event_loop(), list[asyncio.StreamWriter]()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while content := await reader.read(65536):
                writer.write(content)
                await writer.drain()
        with suppress(OSError, RuntimeError):
            writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        opened.extend((writer, inner_writer))
        await asyncio.gather(pass_on(reader, inner_writer), pass_on(inner_reader, writer))

    server = loop.run_until_complete(asyncio.start_server(join, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for writer in opened:
            writer.transport.abort()
        while tasks := asyncio.all_tasks(loop):
            loop.run_until_complete(asyncio.wait(tasks))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@pytest.mark.skipif(bool(missing()), reason=missing() or "they are here")
def test_a_stream_is_watched_over_tls_and_its_end_is_told_to_the_server(tmp_path: Path) -> None:
    with whep_server("werift", "h264") as server:
        parts = urlsplit(server.address)
        with behind_tls(parts.port or 0, tmp_path) as port:
            address = f"whep+https://127.0.0.1:{port}{parts.path}"
            made, stop = source(address, token=server.token, read_timeout_s=30.0), threading.Event()
            for frame in made.frames(stop):
                assert frame.luma.shape == SIZE[::-1]
                stop.set()
            assert server.said.until("deleted")["open"] == 0


@pytest.mark.skipif(bool(missing()), reason=missing() or "they are here")
def test_twenty_connections_leave_no_thread_no_socket_and_less_than_a_megabyte() -> None:
    program = """
import json, sys
sys.path[:0] = ["bench"]
from webrtc import measure
print(json.dumps(measure("wrtc", "vp8", 20, watched=1)))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True)
    after = next(value for name, value in json.loads(ran.stdout).items() if name == "after 20")
    threads, files, memory = after.split(", ")
    assert (threads, files) == ("+0 threads", "+0 files")
    assert int(memory.removesuffix(" kB")) < 1024, after


# -- servers that refuse ----------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Answers each request by `answers`, a status, headers and a body by path; keeps what it was asked."""

    daemon_threads = True

    def __init__(self, answers: dict[str, Callable[[bytes], tuple[int, dict[str, str], bytes]]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, str | None]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        return f"whep+http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server.asked.append((self.command, self.path, self.headers.get("Authorization")))
        status, headers, content = server.answers.get(self.path, lambda _: (404, {}, b""))(body)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):  # it is not waited for any more
            self.wfile.write(content)

    do_DELETE = do_POST

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(**answers: object) -> Iterator[Server]:
    """Paths by their names; each answers with a status, or a function of the offer."""
    table = {
        f"/{name}": each if callable(each) else (lambda _, status=each: (status, {}, b""))
        for name, each in answers.items()
    }
    with Server(table) as server:  # type: ignore[arg-type]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def described(text: bytes, kind: str = "application/sdp") -> Callable[[bytes], tuple[int, dict[str, str], bytes]]:
    return lambda _: (201, {"Content-Type": kind, "Location": "/here/1"}, text)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 409, 410, 415, 422, 429, 500, 503, 418])
def test_a_refusal_says_what_to_mend(status: int) -> None:
    with serving(live=status) as server:
        words = said(source(f"{server.address}/live"))
    assert words == status_words(status)
    assert ";" in words or status == 418


def test_what_is_no_description_is_said_to_be_none() -> None:
    page = b"<html>not here</html>"
    with serving(
        page=lambda _: (200, {"Content-Type": "text/html"}, page),
        lie=described(page),
        endless=described(b"v=0\r\n" + b"a=x\r\n" * 40_000),
        empty=described(b""),
        broken=described(b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video x y z\r\na=rtpmap:q\r\n"),
    ) as server:
        for path in ("page", "lie", "endless", "empty"):
            assert said(source(f"{server.address}/{path}")) == NO_SDP
        assert said(source(f"{server.address}/broken")) == UNUSABLE
        assert ("DELETE", "/here/1", f"Bearer {TOKEN}") in server.asked


def test_a_server_with_a_login_is_told_of_the_end() -> None:
    broken = b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video x y z\r\na=rtpmap:q\r\n"
    with serving(broken=described(broken)) as server:
        address = server.address.replace("://", "://user:word@")
        assert said(source(f"{address}/broken", token=None)) == UNUSABLE
        assert server.asked == [
            (method, path, "Basic dXNlcjp3b3Jk") for method, path in (("POST", "/broken"), ("DELETE", "/here/1"))
        ]


def test_a_redirect_takes_no_token_elsewhere_and_ends() -> None:
    with serving(there=404) as other, serving() as server:
        elsewhere = f"{other.address.removeprefix('whep+')}/there"
        server.answers["/away"] = lambda _: (307, {"Location": elsewhere}, b"")
        server.answers["/round"] = lambda _: (308, {"Location": "/round"}, b"")
        server.answers["/odd"] = lambda _: (307, {"Location": "file:///etc/passwd"}, b"")
        assert said(source(f"{server.address}/away")) == status_words(404)
        assert other.asked == [("POST", "/there", None)]
        assert "without end" in said(source(f"{server.address}/round"))
        assert "none of http or https" in said(source(f"{server.address}/odd"))
        server.answers["/public"] = lambda _: (307, {"Location": "http://192.0.1.1/there"}, b"")
        assert said(source(f"{server.address}/public")) == IN_THE_CLEAR


def test_a_server_that_is_away_or_silent_is_waited_for_no_longer_than_allowed() -> None:
    held = threading.Event()

    def hold(_: bytes) -> tuple[int, dict[str, str], bytes]:
        held.wait(60 * PATIENCE)
        return 200, {}, b""

    with serving(silent=hold) as server:
        assert "no answer in time" in said(source(f"{server.address}/silent", connect_timeout_s=0.5))
        held.set()
        address = server.address
    assert "connection refused" in said(source(f"{address}/live"))


def test_pictures_that_find_no_way_end_the_wait_in_words() -> None:
    """The server answers, with candidates where nobody is."""

    def answered(offer: bytes) -> tuple[int, dict[str, str], bytes]:
        async def answer() -> str:
            pc = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
            await pc.setRemoteDescription(aiortc.RTCSessionDescription(sdp=offer.decode(), type="offer"))
            await pc.setLocalDescription(await pc.createAnswer())
            sdp = pc.localDescription.sdp
            await pc.close()
            return sdp

        sdp = asyncio.run(answer())
        nobody = "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host"
        lines = [nobody if line.startswith("a=candidate") else line for line in sdp.splitlines()]
        return 201, {"Content-Type": "application/sdp", "Location": "/gone"}, ("\r\n".join(lines) + "\r\n").encode()

    with serving(live=answered, gone=200) as server:
        assert said(source(f"{server.address}/live", connect_timeout_s=3.0 * PATIENCE)) == NO_WAY
        assert server.asked[-1] == ("DELETE", "/gone", f"Bearer {TOKEN}")


def test_a_stop_while_it_connects_ends_at_once() -> None:
    held, stop = threading.Event(), threading.Event()

    def hold(_: bytes) -> tuple[int, dict[str, str], bytes]:
        stop.set()
        held.wait(60 * PATIENCE)
        return 200, {}, b""

    with serving(live=hold) as server:
        made = source(f"{server.address}/live", connect_timeout_s=600.0)
        assert list(made.frames(stop)) == []
        held.set()


# -- the configuration ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("https://host/whep", "no address of a WebRTC stream"),
        ("whep+http://8.8.8.8/whep", "a stream without encryption"),
        ("whep+https://", "an address that cannot be read"),
        ({"address": "whep+https://host/x", "token": "two words"}, "not a token"),
        ({"address": "whep+https://host/x", "ice_servers": ["http://host"]}, "no address of a STUN"),
        ({"address": "whep+https://host/x", "ice_servers": ["stun:h"] * 5}, "more than 4 servers"),
        ({"token": "abc"}, "`address` is missing"),
    ],
)
def test_options_that_are_wrong_are_refused(written: object, problem: str) -> None:
    with pytest.raises(vol.Invalid) as raised:
        WHEP(written)
    assert problem in str(raised.value)


def test_options_are_read_and_show_no_secret() -> None:
    turn = {"url": "turn:turn.example:3478", "username": "u", "credential": "secret-password"}
    options = WHEP(
        {"address": "WHEP+https://user:pass@host/a b", "token": TOKEN, "ice_servers": ["stun:[::1]:3478", turn]}
    )
    assert options.address.reveal() == "whep+https://user:pass@host/a%20b"
    assert [each.url for each in options.ice_servers] == ["stun:[::1]:3478", "turn:turn.example:3478"]
    assert options.ice_servers[1].credential.reveal() == "secret-password"
    assert not any(secret in repr(options) for secret in (TOKEN, "secret-password", "pass@"))


@pytest.mark.parametrize(("host", "may"), [("127.0.0.1", True), ("192.168.1.9", True), ("fe80::1%eth0", True)])
def test_only_this_network_is_spoken_to_without_encryption(host: str, may: bool) -> None:
    assert may_be_in_the_clear(host) is may
    assert not may_be_in_the_clear("8.8.8.8")
    assert not may_be_in_the_clear("::ffff:8.8.8.8")


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiortc", None)
    assert said_of_missing() == f"WebRTC needs the package aiortc: {sys.executable} -m pip install 'blikk-edge[webrtc]'"


def said_of_missing() -> str:
    with pytest.raises(SourceError) as raised:
        next(source("whep+http://127.0.0.1:1/x").frames(threading.Event()))
    return str(raised.value)


# -- what waits -------------------------------------------------------------------------------------------------------


def picture(content: bytes, number: int, codec: str = "h264") -> EncodedPicture:
    return EncodedPicture(
        codec=codec, content=content, time_s=number / 15, arrived_s=number / 15, key=is_key(codec, content)
    )


def test_what_nobody_takes_is_bounded_and_goes_on_with_a_picture_that_stands_by_itself() -> None:
    waiting = EncodedQueue()
    key, other = (EncodedPicture(codec="vp8", content=b"x", time_s=0, arrived_s=0, key=each) for each in (True, False))
    assert not waiting.put(other)
    assert waiting.put(key)
    assert all(waiting.put(other) for _ in range(KEPT - 1))
    assert [waiting.put(other) for _ in range(50)] == [False] * 50
    assert waiting.put(key)
    assert waiting.put(other)
    assert [each.key for each in waiting.take()] == [True, False]
    assert waiting.dropped == 1 + KEPT + 50


def test_few_large_pictures_are_bounded_too() -> None:
    waiting = EncodedQueue()
    large = EncodedPicture(codec="vp8", content=bytes(1_000_000), time_s=0, arrived_s=0, key=True)
    assert all(waiting.put(large) for _ in range(20))
    assert sum(len(each.content) for each in waiting.take()) <= 5_000_000


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_of_a_batch_the_newest_picture_becomes_the_frame(codec: str) -> None:
    contents = encoded(codec, 30)
    alone, batch = (PeerPictures(EncodedQueue(), terms(fps=5.0)) for _ in range(2))
    each = [frame for n, content in enumerate(contents) if (frame := alone.frame([picture(content, n, codec)]))]
    newest = batch.frame([picture(content, n, codec) for n, content in enumerate(contents)])
    assert 9 <= len(each) <= 11  # two seconds at 5 fps
    assert newest is not None
    assert (newest.luma == each[-1].luma).all()
    assert batch.counts.decoded == 30
    assert batch.counts.thinned == 29


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_what_cannot_be_decoded_asks_for_a_picture_that_stands_by_itself(codec: str) -> None:
    contents = encoded(codec, 8)
    assert is_key(codec, contents[0])
    assert not is_key(codec, contents[1])
    waiting = EncodedQueue()
    made = PeerPictures(waiting, terms())
    assert waiting.put(picture(contents[0], 0, codec))
    assert made.frame(waiting.take()) is not None
    broken = EncodedPicture(codec=codec, content=b"", time_s=0.1, arrived_s=0.1, key=False)
    waiting.put(EncodedPicture(codec=codec, content=b"\0\0\1\x65\xff\xff", time_s=0.1, arrived_s=0.1, key=True))
    made.frame(waiting.take())
    assert made.counts.corrupt == 1
    assert not waiting.put(broken)
    assert waiting.put(picture(contents[0], 9, codec))
    assert made.frame(waiting.take()) is not None


async def test_a_peer_that_is_closed_before_anything_came_leaves_nothing() -> None:
    gc.collect()
    threads, files = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        made = AiortcPeer(lambda _: True)
        await made.offer()
        await made.close()
        await made.close()
    gc.collect()
    assert threading.active_count() <= threads
    assert len(list(Path("/proc/self/fd").iterdir())) <= files


def test_that_nobody_sends_is_reported_once_and_a_phone_that_comes_later_is_seen_at_once() -> None:
    waiting, stop, content = EncodedQueue(), threading.Event(), encoded("vp8", 1)[0]
    made = WhipSource(waiting, terms(read_timeout_s=0.2))
    with pytest.raises(SourceError, match="no device sends; `blikk phone door`"):
        next(made.frames(stop))
    frames = made.frames(stop)
    later = threading.Timer(2.0, lambda: waiting.put(picture(content, 0, "vp8")))
    later.start()
    assert next(frames).luma.shape == SIZE[::-1]
    later.join()
    with pytest.raises(SourceError, match="no device sends"):
        next(frames)


def test_a_sender_of_what_cannot_be_decoded_is_said_to_be_one() -> None:
    waiting, ended = EncodedQueue(), threading.Event()
    junk = EncodedPicture(codec="h264", content=b"\0\0\1\x65\xff\xff", time_s=0, arrived_s=0, key=True)

    def send() -> None:
        while not ended.wait(0.02):
            waiting.put(junk)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        with pytest.raises(SourceError, match=NO_PICTURE):
            next(WhipSource(waiting, terms(read_timeout_s=1.0 * PATIENCE)).frames(threading.Event()))
    finally:
        ended.set()
        sender.join()
