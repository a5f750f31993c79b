"""Downloads against a real HTTP server on loopback that cuts off, stalls, lies and redirects."""

import fcntl
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from patience import PATIENCE

from blikk_edge.core.errors import ModelError
from blikk_edge.transforms.models.download import UnreachableError, _within, fetch, public_url

BODY = b"\x1c\0\0\0TFL3" + bytes(range(256)) * 1200
SHA256 = hashlib.sha256(BODY).hexdigest()


@dataclass
class Site:
    """What the server does, and what it was asked."""

    url: str = ""
    body: bytes = BODY
    status: int = 200
    content_type: str = "application/octet-stream"
    cut_after: list[int] = field(default_factory=list)  # bytes sent before each of the next answers breaks
    ranges: bool = True
    sized: bool = True
    redirect: str | None = None
    stall: threading.Event | None = None
    asked: list[dict[str, str]] = field(default_factory=list)


def answer(site: Site, request: BaseHTTPRequestHandler) -> None:
    site.asked.append(dict(request.headers) | {"path": request.path})
    if site.redirect and request.path != "/moved":
        request.send_response(302)
        request.send_header("Location", site.redirect)
        request.end_headers()
        return
    start, status = 0, site.status
    wanted = request.headers.get("Range")
    if wanted and site.ranges:
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        status = 206 if start < len(site.body) else 416
    body = site.body[start:] if status in {200, 206} else b"gone"
    request.send_response(status)
    request.send_header("Content-Type", site.content_type)
    if site.sized:
        request.send_header("Content-Length", str(len(body)))
    if status == 206:
        request.send_header("Content-Range", f"bytes {start}-{len(site.body) - 1}/{len(site.body)}")
    request.end_headers()
    if site.cut_after:
        body = body[: site.cut_after.pop(0)]
    request.wfile.write(body)
    if site.stall:
        request.wfile.flush()
        site.stall.wait(10)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(site, self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}/models/some.tflite"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield site
    if site.stall:
        site.stall.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_file_lands_whole_and_leaves_no_part(site: Site, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    fetch(
        site.url,
        tmp_path / "new" / "a.tflite",
        sha256=SHA256.upper(),
        size_bytes=len(BODY),
        progress=lambda have, total: seen.append((have, total)),
    )
    assert (tmp_path / "new" / "a.tflite").read_bytes() == BODY
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.tflite"]
    assert (seen[0], seen[-1]) == ((0, len(BODY)), (len(BODY), len(BODY)))


def test_progress_begins_with_what_an_earlier_try_left_and_never_guesses_a_total(site: Site, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    (tmp_path / "a.part").write_bytes(BODY[:1000])
    site.sized = False
    fetch(site.url, tmp_path / "a", sha256=SHA256, progress=lambda have, total: seen.append((have, total)))
    assert (seen[0], seen[-1]) == ((1000, None), (len(BODY), None))


def test_broken_connection_is_resumed_at_once_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.cut_after = [1000, 200_000]
    fetch(site.url, tmp_path / "a", sha256=SHA256)
    assert (tmp_path / "a").read_bytes() == BODY
    assert [asked.get("Range") for asked in site.asked] == [None, "bytes=1000-", "bytes=201000-"]


def test_next_call_goes_on_where_the_last_one_gave_up(site: Site, tmp_path: Path) -> None:
    site.cut_after = [5000, 0]
    with pytest.raises(ModelError, match="5000 bytes are kept"):
        fetch(site.url, tmp_path / "a", sha256=SHA256)
    assert not (tmp_path / "a").exists()
    fetch(site.url, tmp_path / "a", sha256=SHA256)
    assert (tmp_path / "a").read_bytes() == BODY
    assert site.asked[-1]["Range"] == "bytes=5000-"


def test_server_without_ranges_starts_over(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(BODY[:777])
    site.ranges = False
    fetch(site.url, tmp_path / "a", sha256=SHA256, size_bytes=len(BODY))
    assert (tmp_path / "a").read_bytes() == BODY


def test_finished_part_needs_no_second_download(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(BODY)
    fetch(site.url, tmp_path / "a", sha256=SHA256, size_bytes=len(BODY))
    assert (tmp_path / "a").read_bytes() == BODY
    assert site.asked == []


def test_part_longer_than_the_file_is_thrown_away(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(BODY + b"more")
    fetch(site.url, tmp_path / "a", sha256=SHA256)
    assert (tmp_path / "a").read_bytes() == BODY


def test_damaged_part_is_found_out_and_the_next_call_succeeds(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(b"x" * 777)
    with pytest.raises(ModelError, match="wrong content"):
        fetch(site.url, tmp_path / "a", sha256=SHA256)
    assert list(tmp_path.iterdir()) == []
    fetch(site.url, tmp_path / "a", sha256=SHA256)
    assert (tmp_path / "a").read_bytes() == BODY


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_refusal_names_address_and_status(site: Site, tmp_path: Path, status: int) -> None:
    site.status = status
    with pytest.raises(ModelError, match=rf"/models/some\.tflite: the server answers {status}"):
        fetch(site.url, tmp_path / "a", sha256=SHA256)
    assert not (tmp_path / "a").exists()


def test_wrong_bytes_are_not_kept(site: Site, tmp_path: Path) -> None:
    site.body = BODY[:-1] + b"?"
    with pytest.raises(ModelError, match=f"wrong content: {len(BODY)} bytes with SHA-256 .*{SHA256} was expected"):
        fetch(site.url, tmp_path / "a", sha256=SHA256, size_bytes=len(BODY))
    assert list(tmp_path.iterdir()) == []


def test_web_page_is_reported_by_its_type(site: Site, tmp_path: Path) -> None:
    site.content_type, site.body = "text/html; charset=utf-8", b"<!DOCTYPE html><p>Please log in"
    with pytest.raises(ModelError, match="a web page came instead of a model"):
        fetch(site.url, tmp_path / "a", sha256=SHA256)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!DOCTYPE html><p>Please log in", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer"),
        (b"", "it is empty"),
    ],
)
def test_wrong_content_is_named_for_what_it_is(site: Site, tmp_path: Path, body: bytes, words: str) -> None:
    site.body = body
    with pytest.raises(ModelError, match=words):
        fetch(site.url, tmp_path / "a", sha256=SHA256)


def test_larger_file_than_expected_is_refused_before_it_is_read(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"{len(BODY)} bytes are offered, 1000 at most"):
        fetch(site.url, tmp_path / "a", sha256=SHA256, size_bytes=1000)
    assert list(tmp_path.iterdir()) == []


def test_endless_answer_without_a_size_is_cut_at_the_limit(site: Site, tmp_path: Path) -> None:
    site.sized = False
    with pytest.raises(ModelError, match="more than the expected 1000 bytes came"):
        fetch(site.url, tmp_path / "a", sha256=SHA256, size_bytes=1000)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1000


def test_silent_server_is_given_up(site: Site, tmp_path: Path) -> None:
    site.stall, site.cut_after = threading.Event(), [1000, 0, 0]
    with pytest.raises(ModelError, match=r"the connection broke: .*timed out; 1000 bytes are kept"):
        fetch(site.url, tmp_path / "a", sha256=SHA256, read_timeout_s=0.2)


def test_slow_server_is_given_up_at_the_deadline(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="it takes too long"):
        fetch(site.url, tmp_path / "a", sha256=SHA256, deadline_s=0)


def test_nobody_there_is_reported(free_port: int, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot be reached: .*refused"):
        fetch(f"http://127.0.0.1:{free_port}/x.tflite", tmp_path / "a", sha256=SHA256)


def test_redirection_is_followed_and_the_login_stays_with_its_host(site: Site, tmp_path: Path) -> None:
    site.redirect = site.url.replace("/models/some.tflite", "/moved")
    fetch(site.url.replace("http://", "http://user:p%40ss@"), tmp_path / "a", sha256=SHA256)
    assert (tmp_path / "a").read_bytes() == BODY
    assert site.asked[0]["Authorization"] == "Basic dXNlcjpwQHNz"
    assert "Authorization" not in site.asked[1]


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:text/plain,x"])
def test_redirection_to_anything_but_http_is_refused(site: Site, tmp_path: Path, location: str) -> None:
    site.redirect = location
    with pytest.raises(ModelError, match=r"the server answers 302|cannot be reached"):
        fetch(site.url, tmp_path / "a", sha256=SHA256)
    assert not (tmp_path / "a").exists()


def test_proxy_of_the_environment_is_not_asked_for_loopback(
    site: Site, tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port}")
    fetch(site.url, tmp_path / "a", sha256=SHA256)
    assert (tmp_path / "a").read_bytes() == BODY


def test_proxy_of_the_environment_is_asked_for_the_rest(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", site.url.removesuffix("/models/some.tflite"))
    fetch("http://models.example/some.tflite", tmp_path / "a", sha256=SHA256)
    assert site.asked[0]["path"] == "http://models.example/some.tflite"


def test_file_being_fetched_by_another_process_is_left_alone(site: Site, tmp_path: Path) -> None:
    with (tmp_path / "a.part").open("w+b") as other:
        other.write(b"half")
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match="being fetched by another process"):
            fetch(site.url, tmp_path / "a", sha256=SHA256)
    assert site.asked == []


def test_folder_that_cannot_be_written_is_a_model_error(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="cannot be written"):
        fetch(site.url, tmp_path / "file" / "a", sha256=SHA256)


def test_shown_address_has_no_login_and_no_query() -> None:
    assert public_url("https://u:secret@host:8443/a/b.tflite?token=secret#x") == "https://host:8443/a/b.tflite"


def test_server_that_never_answers_is_given_up_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(UnreachableError, match=f"{host} did not answer within 0.3 s"):
            fetch(f"http://{host}/a.tflite", tmp_path / "a", sha256=SHA256, connect_timeout_s=0.3)
        assert time.monotonic() - started < 10 * PATIENCE
    assert list(tmp_path.iterdir()) == []


def test_answer_that_comes_too_late_is_closed() -> None:
    late, closed = threading.Event(), threading.Event()

    class Response:
        def close(self) -> None:
            closed.set()

    def connect() -> Response:
        late.wait(10)
        return Response()

    with pytest.raises(TimeoutError):
        _within(0.05, connect)
    late.set()
    assert closed.wait(10 * PATIENCE)
