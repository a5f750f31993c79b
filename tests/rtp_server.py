"""An RTSP server whose RTP a test decides itself, packet by packet: timestamps, sizes, where it breaks off."""

import re
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

SDP = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=camera
t=0 0
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1
a=control:video
""".replace("\n", "\r\n")
PAYLOAD_BYTES = 1400
_HEAD = re.compile(rb"(\w+) .*?\r\n\r\n", re.DOTALL)


@dataclass
class Played:
    """One client that has asked to play: `write` raw bytes to it, `closing` is set when it goes or the server ends."""

    write: Callable[[bytes], object]
    closing: threading.Event
    seq: int = 65_530

    def picture(self, unit: bytes, ticks: int) -> None:
        """One access unit (Annex B), with a timestamp of 90 kHz."""
        nals = [nal for nal in re.split(rb"\x00\x00\x00?\x01", unit) if nal]
        for nal in nals:
            pieces = list(_pieces(nal))
            for piece in pieces:
                self._packet(piece, ticks, last=nal is nals[-1] and piece is pieces[-1])

    def _packet(self, payload: bytes, ticks: int, *, last: bool) -> None:
        self.seq = (self.seq + 1) % 2**16
        packet = struct.pack("!BBHII", 0x80, 96 | last << 7, self.seq, ticks % 2**32, 7) + payload
        self.write(struct.pack("!cBH", b"$", 0, len(packet)) + packet)


def _pieces(nal: bytes) -> Iterator[bytes]:
    """A NAL unit as it fits into packets, RFC 6184, 5.8."""
    if len(nal) <= PAYLOAD_BYTES:
        yield nal
        return
    head, body = nal[0], nal[1:]
    for at in range(0, len(body), PAYLOAD_BYTES):
        ends = at + PAYLOAD_BYTES >= len(body)
        yield bytes([head & 0xE0 | 28, (at == 0) << 7 | ends << 6 | head & 31]) + body[at : at + PAYLOAD_BYTES]


@contextmanager
def rtp_server(
    play: Callable[[Played], None], *, sdp: str | Callable[[], str] = SDP, setup: str = "200 OK"
) -> Iterator[str]:
    """Serve over TCP on a free loopback port; gives the address.

    `play` runs for each client that asks to play; an OSError of it breaks the connection off. `setup` is what a client
    is reported that asks for a session.
    """
    closing = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            kept, player = b"", threading.Thread(target=self.play)
            try:
                while not closing.is_set() and (piece := self.request.recv(65536)):
                    kept += piece
                    while found := _HEAD.search(kept):
                        kept = kept[found.end() :]
                        self.answer(found[1], found[0])
                        if found[1] == b"PLAY":
                            player.start()
            except OSError:
                pass
            finally:
                self.gone.set()
                if player.ident:
                    player.join()

        def setup(self) -> None:
            self.gone = threading.Event()

        def answer(self, method: bytes, request: bytes) -> None:
            more, body = "Session: 1\r\n", ""
            if method == b"DESCRIBE":
                more, body = "Content-Type: application/sdp\r\n", sdp if isinstance(sdp, str) else sdp()
            elif method == b"SETUP":
                more += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
            number = request.partition(b"CSeq:")[2].split()[0].decode()
            status = setup if method == b"SETUP" else "200 OK"
            head = f"RTSP/1.0 {status}\r\nCSeq: {number}\r\n{more}Content-Length: {len(body)}\r\n\r\n"
            self.request.sendall((head + body).encode())

        def play(self) -> None:
            try:
                play(Played(self.request.sendall, self.gone))
            except OSError:
                with suppress(OSError):  # whoever watched has gone
                    self.request.shutdown(socket.SHUT_RDWR)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that has gone is no fault of the server."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"rtsp://127.0.0.1:{server.server_address[1]}/cam"
        finally:
            closing.set()
            server.shutdown()
            thread.join()


def encoded(count: int, *, size: tuple[int, int] = (320, 240), every: int = 25, codec: str = "libx264") -> list[bytes]:
    """Access units of H.264, or H.265 (`libx265`), with something that moves, a keyframe `every` so many."""
    coder = av.CodecContext.create(codec, "w")
    coder.width, coder.height = size
    coder.pix_fmt, coder.time_base, coder.thread_count = "yuv420p", Fraction(1, 25), 1
    coder.options = {"g": str(every), "preset": "ultrafast", "tune": "zerolatency"}
    if codec == "libx265":
        coder.options |= {"x265-params": f"log-level=none:repeat-headers=1:keyint={every}"}
    units = []
    row = np.arange(size[0]).astype(np.uint8)
    for n in range(count):
        picture = np.tile(np.roll(row, 3 * n), (size[1], 1))
        frame = av.VideoFrame.from_ndarray(np.dstack([picture] * 3), format="rgb24")
        frame.pts = n
        units += [bytes(packet) for packet in coder.encode(frame)]
    return units + [bytes(packet) for packet in coder.encode()]
