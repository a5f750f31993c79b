"""What every source is handed besides its own options."""

from collections.abc import Callable
from dataclasses import dataclass, field

from blikk_edge.core.clock import Clock
from blikk_edge.core.encoded_queue import EncodedQueue
from blikk_edge.core.fields import Watch
from blikk_edge.core.nothing_new import NothingNew
from blikk_edge.core.push_queue import PushQueue
from blikk_edge.core.stages import WakeDetector
from blikk_edge.sources.decode_budget import DecodeBudget
from blikk_edge.sources.onvif.current_address import CurrentAddress
from blikk_edge.sources.tap import Tap


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Whose frames, how many, how large, how long to wait: the context of a source.

    Attributes:
        camera: The camera's id.
        shown: The address without secrets, for messages.
        clock: Gives the time; nothing else may.
        fps: How many frames a second, at most.
        height_px: Bounds the short side of the colour picture.
        rotate: Turns pictures clockwise by so many degrees: 0, 90, 180 or 270.
        transport: For RTSP: `auto`, `tcp` or `udp`.
        connect_timeout_s: How long to wait for the camera to answer.
        read_timeout_s: How long a silent camera counts as alive.
        watch: How much is decoded; ECO and AUTO need a `wake_detector`, MEASURED needs it and a `budget`.
        budget: What all cameras of the node may take for decoding; None: nobody measures, and nothing depends on how
            fast the machine is.
        sleep_after_s: For how long nothing must have stirred before `watch` comes into force.
        wake_detector: Says of keyframes whether something stirs; None: every frame is decoded.
        push_queue: Where an edge client's frames arrive; None for other sources.
        encoded: Where the pictures of a browser arrive; None for other sources.
        realtime: For files: at their own speed with times of the clock, else as fast as possible; see `open_file`.
        loop: For files: start again at the end.
        hinted: Says once whether somebody else saw something: a source that sleeps wakes then. Called in its thread.
        current_address: Where the camera is that may get another address; None: it is kept nowhere.
        decoded: Called before each frame with the seconds that decoding took since the one before; None: not measured.
        tap: Takes the packets as they come besides, for a recording; None: nobody does.
        nothing_new: Notified when the camera has answered that its picture is the one of before; None: nobody is.
        start_time: For files that are not `realtime`: the time of the first frame, seconds since 1970 UTC.
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
    budget: DecodeBudget | None = field(default=None, repr=False)
    push_queue: PushQueue | None = field(default=None, repr=False)
    encoded: EncodedQueue | None = field(default=None, repr=False)
    realtime: bool = True
    loop: bool = True
    nothing_new: NothingNew | None = field(default=None, repr=False)
    start_time: float = 0.0
    tap: Tap | None = field(default=None, repr=False)
    hinted: Callable[[], bool] = field(default=lambda: False, repr=False)
    current_address: CurrentAddress | None = field(default=None, repr=False)
    decoded: Callable[[float], None] | None = field(default=None, repr=False)
