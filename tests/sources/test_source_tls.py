"""What is behind `https://` is watched, though cameras make their certificates themselves, whatever libav checks."""

import functools
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import pytest
from broker import make_certificates
from reading import read, terms

from blikk_edge.sources.hls import open_hls
from blikk_edge.sources.mjpeg import open_mjpeg


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """A web server of `folder/www` with a certificate that nobody vouches for."""
    made = make_certificates(folder)
    (folder / "www").mkdir()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.server, made.server_key)
    handler = functools.partial(Silent, directory=str(folder / "www"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)


@pytest.mark.parametrize(
    ("name", "opened"), [("live.m3u8", open_hls), ("live.m3u8", open_mjpeg), ("clip.mp4", open_mjpeg)]
)
def test_video_behind_https_is_watched(
    name: str, opened: Callable[..., Any], address: str, folder: Path, make_clip: Callable[..., Path]
) -> None:
    clip = make_clip("clip.mp4", frames=50)
    (folder / "www" / "clip.mp4").write_bytes(clip.read_bytes())
    with av.open(str(clip)) as made, av.open(str(folder / "www" / "live.m3u8"), "w", format="hls") as playlist:
        stream = playlist.add_stream_from_template(made.streams.video[0])
        for packet in made.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                playlist.mux(packet)

    assert len(read(opened(f"{address}/{name}", terms()), 3)) == 3
