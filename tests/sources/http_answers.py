"""What web servers of cameras answer, to be given to `raw_web`: streams of parts, still images, refusals."""

import itertools
from collections.abc import Callable

import cv2
import numpy as np
from raw_web import Asked

PICTURES = [
    cv2.imencode(".jpg", np.roll(np.tile(np.arange(320, dtype=np.uint8), (240, 1)), 9 * n, 1))[1].tobytes()
    for n in range(20)
]
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b0\r\n\r\n"


def parts(
    *,
    head: str = HEAD,
    preamble: bytes = b"",
    first: bool = True,
    part: Callable[[bytes], bytes] = lambda jpeg: b"--b0\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n",
    chunked: bool = False,
    every_s: float = 0.05,
) -> Callable[[Asked], None]:
    """An endless answer made of parts."""

    def answer(asked: Asked) -> None:
        write = (lambda content: asked.write(b"%x\r\n%b\r\n" % (len(content), content))) if chunked else asked.write
        asked.write(head.encode())
        if preamble:
            write(preamble)
        for n, jpeg in enumerate(itertools.cycle(PICTURES)):
            content = part(jpeg)
            if not first and n == 0:
                content = content[content.index(b"\n") + 1 :]
            write(content)
            if asked.closing.wait(every_s):
                return

    return answer


def headed(lines: bytes, end: bytes = b"\r\n") -> Callable[[bytes], bytes]:
    return lambda jpeg: b"--b0" + end + lines.replace(b"%d", b"%d" % len(jpeg)) + end + jpeg + end


def said(content_type: str, version: str = "1.1", more: str = "") -> str:
    return f"HTTP/{version} 200 OK\r\nContent-Type: {content_type}\r\n{more}\r\n"


def still(
    content: bytes, content_type: str = "image/jpeg", *, keeps: bool = True, more: str = ""
) -> Callable[[Asked], bool]:
    def answer(asked: Asked) -> bool:
        length = f"Content-Length: {len(content)}\r\n" if keeps else "Connection: close\r\n"
        asked.write(said(content_type, more=length + more).encode() + content)
        return keeps

    return answer


def encoded(ending: str, n: int = 0, size: tuple[int, int] = (320, 240)) -> bytes:
    """The picture of a number."""
    width, height = size
    return cv2.imencode(ending, np.roll(np.tile(np.arange(width, dtype=np.uint8), (height, 1)), 9 * n, 1))[1].tobytes()


def once_each(jpeg: bytes = PICTURES[0]) -> Callable[[Asked], None]:
    """A stream that ends after its first picture."""
    return lambda asked: asked.write(HEAD.encode() + headed(b"Content-Type: image/jpeg\r\n")(jpeg))


def in_chunks(jpeg: bytes) -> Callable[[Asked], bool]:
    def answer(asked: Asked) -> bool:
        head = said("image/jpeg", more="Transfer-Encoding: chunked\r\n").encode()
        cut = len(jpeg) // 2
        for content in (jpeg[:cut], jpeg[cut:], b""):
            head += b"%x\r\n%b\r\n" % (len(content), content)
        asked.write(head)
        return True

    return answer


def in_turn(answer: Callable[[int], Callable[[Asked], bool | None]]) -> Callable[[Asked], bool | None]:
    """The answer of a number to each request: its first, its second, ..."""
    numbers = itertools.count()

    def given(asked: Asked) -> bool | None:
        return answer(next(numbers))(asked)

    return given


def stills() -> Callable[[Asked], bool | None]:
    """A still image that is another one each time."""
    return in_turn(lambda n: still(PICTURES[n % len(PICTURES)]))


def plainly(status: str, content: bytes = b"", more: str = "") -> Callable[[Asked], None]:
    return lambda asked: asked.write(
        f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n{more}\r\n".encode() + content
    )
