"""USB cameras and other V4L2 devices: `/dev/videoN`."""

from blikk_edge.core.stages import Source
from blikk_edge.kinds.kind import Kind
from blikk_edge.sources.capture import Capture, Way
from blikk_edge.sources.options import ADDRESS, AddressOptions
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.timeline import LiveTime


def ways(device: str, *, fps: float, height_px: int) -> list[Way]:
    """What to ask the device for, best first; the last asks for nothing, so a device that has video opens.

    Raw pictures of about analysis size come first: they need no decoding, and nearly every camera has them. The frame
    rate is asked for on its own because many devices know only a few.
    """
    size = f"{round(height_px * 4 / 3 / 2) * 2}x{height_px}"
    rate = {"framerate": f"{fps:g}"}
    wishes: list[dict[str, str]] = [
        {"video_size": size, "pixel_format": "yuyv422", **rate},
        {"video_size": size, "pixel_format": "yuyv422"},
        {"video_size": size, **rate},
        {"video_size": size},
        {},
    ]
    return [Way(url=device, format="v4l2", options=wish) for wish in wishes]


def open_usb(device: str, terms: Terms) -> Capture:
    """The camera at a device path such as `/dev/video0`."""
    return Capture(
        ways(device, fps=terms.fps, height_px=terms.height_px),
        terms,
        timekeeper=LiveTime(terms.clock),
    )


def _make(options: AddressOptions, terms: Terms) -> Capture:
    return open_usb(options.address.reveal(), terms)


KIND: Kind[Terms, Source] = Kind(name="usb", meaning="A camera at `/dev/videoN`.", options=ADDRESS, make=_make)
