"""What every source is handed besides its own options."""

from dataclasses import dataclass, field

from blikk_edge.core.clock import Clock
from blikk_edge.core.fields import Watch
from blikk_edge.core.push_queue import PushQueue
from blikk_edge.core.stages import WakeDetector


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Whose frames, how many, how large, how long to wait: the context of a source.

    `shown` is the address without secrets, for messages; `height_px` bounds the short side of the colour picture;
    `rotate` turns pictures clockwise by so many degrees (0, 90, 180, 270).
    `watch` other than full needs a `wake_detector`, and comes into force where nothing has stirred for `sleep_after_s`.
    `transport` is for RTSP: auto, tcp or udp. `push_queue` is where an edge client's frames arrive, None for others.
    `realtime`, `loop` and `start_time` (seconds since 1970 UTC) are for files, see `open_file`.
    """

    camera: str
    shown: str
    clock: Clock
    fps: float = 5.0
    height_px: int = 480
    rotate: int = 0
    transport: str = "auto"
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 10.0
    watch: Watch = Watch.FULL
    sleep_after_s: float = 10.0
    wake_detector: WakeDetector | None = None
    push_queue: PushQueue | None = field(default=None, repr=False)
    realtime: bool = True
    loop: bool = True
    start_time: float = 0.0
