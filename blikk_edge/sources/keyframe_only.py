"""What of a stream is decoded: every frame, keyframes alone, or these while nothing moves and all once something does.

Asleep, the packets since the last keyframe are kept.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from av.video.frame import VideoFrame

from blikk_edge.core.fields import Watch
from blikk_edge.core.scene import Frame
from blikk_edge.core.stages import WakeDetector
from blikk_edge.sources.decoder import VideoDecoder
from blikk_edge.sources.packets import Counts, VideoPacket
from blikk_edge.sources.sizes import Sizes

# Keyframes closer than this leave nothing to save. Farther apart, what happened in between is reported too late, and
# where one is lost, too late for its capture time to be believed (timeline.MAX_LAG_S).
LEAST_INTERVAL_S, MOST_INTERVAL_S = 0.5, 5.5
# Nobody crosses a picture unseen between keyframes this close; beyond it `auto` wants packets that grow with motion.
SAFE_INTERVAL_S = 1.05
# Most bytes of packets kept, a camera: 5 s at 12 Mbit/s.
MOST_KEPT_BYTES = 8_000_000
# So many intervals between keyframes are remembered, and so many are needed.
INTERVALS, ENOUGH_INTERVALS = 5, 2
# Timestamps further apart say that the stream's clock was set.
MOST_STEP_S = 10.0
# Awake, the wake detector looks this often: a gate of its own for every frame would cost a tenth of a busy scene.
LOOK_S = 1.0
# So long it stays awake for a hint in which nothing stirs.
HINT_S = 3.0
# Of the last so many motions most must have shown in the sizes.
VOTES, ENOUGH_VOTES = 3, 2


class EveryFrame:
    """Watching in full: everything is decoded at once."""

    asleep = past = False
    idle_s = 0.0

    def __init__(self, decode: Callable[[VideoPacket], Sequence[VideoFrame]]) -> None:
        self.pictures = decode

    def rest(self) -> Sequence[VideoFrame]:
        """Nothing is held back."""
        return ()

    def gave(self, _frame: Frame, _pts_s: float | None) -> bool:
        """Nobody needs to know."""
        return False


class KeyframesAlone:
    """Keyframes are decoded, each on its own: what a stream gets that is too much for its machine.

    Where one stirs, what follows it is decoded too, for that `part` of the time to the next keyframe for which there is
    time; 0: never.
    """

    past = False

    def __init__(
        self,
        decoder: VideoDecoder,
        decode: Callable[[VideoPacket], Sequence[VideoFrame]],
        *,
        part: Callable[[], float] = lambda: 0.0,
        wake_detector: WakeDetector | None = None,
    ) -> None:
        self._decoder = decoder
        self._decode = decode
        self._part = part
        self._wake_detector = wake_detector
        self._key_s: float | None = None
        self._now_s = 0.0
        self._interval_s = 0.0
        self._keyframe: VideoPacket | None = None  # the one that has just been given
        self._until_s: float | None = None  # until then what follows it is decoded

    @property
    def asleep(self) -> bool:
        """Whether nothing but the next keyframe is waited for, and that is not overdue."""
        if self._key_s is None or self._until_s is not None:
            return False
        return self._now_s - self._key_s <= 2 * MOST_INTERVAL_S

    @property
    def idle_s(self) -> float:
        """How long until the next keyframe is expected."""
        if self._key_s is None:
            return 0.0
        return max(0.0, self._interval_s - (self._now_s - self._key_s))

    def pictures(self, packet: VideoPacket) -> Iterator[VideoFrame]:
        """The picture of a keyframe, and those after it for which there is time."""
        at = self._decoder.time_s(packet)
        self._now_s = self._now_s if at is None else at
        if packet.is_keyframe and packet.size:
            yield from self._end()
            if self._key_s is not None:
                self._interval_s = min(max(0.0, self._now_s - self._key_s), MOST_INTERVAL_S)
            self._key_s, self._keyframe = self._now_s, packet
            if (picture := self._decoder.alone(packet)) is not None:
                yield picture
        elif self._until_s is not None:
            if self._now_s < self._until_s and packet.size:
                yield from self._later(packet)
            else:
                yield from self._end()

    def rest(self) -> Iterator[VideoFrame]:
        """The stream ends: what is held back."""
        yield from self._end()

    def gave(self, frame: Frame, _pts_s: float | None) -> bool:
        """This frame is about to be given away. Of a keyframe it is seen whether something stirs in it."""
        if (
            self._keyframe is not None
            and self._until_s is None
            and self._wake_detector is not None
            and (part := self._part())
        ):
            if self._wake_detector.stirs(frame):
                self._until_s = (self._key_s or 0.0) + part * self._interval_s
            else:
                self._keyframe = None
        return False

    def _later(self, packet: VideoPacket) -> Iterator[VideoFrame]:
        """What follows the keyframe, which is decoded once more, as they are built upon it."""
        first, self._keyframe = self._keyframe, None
        pictures = [*(self._decode(first) if first is not None else ()), *self._decode(packet)]
        yield from filter(self._is_later, pictures)

    def _end(self) -> Iterator[VideoFrame]:
        if self._until_s is not None:
            self._until_s = self._keyframe = None
            held = self._decoder.decode(None)
            self._decoder.reset()
            yield from filter(self._is_later, held)

    def _is_later(self, picture: VideoFrame) -> bool:
        shown_s = self._decoder.time_s(picture)
        return shown_s is None or self._key_s is None or shown_s > self._key_s


class KeyframeOnly:
    """Decides for one connection which packets become pictures; `eco`, or `auto`, which also asks whether it is safe.

    Awake, everything is decoded. After `sleep_after_s` in which `wake_detector` saw nothing stir, the next keyframe
    begins the sleep: keyframes are decoded each on its own, and the packets after the last one are kept. When a
    keyframe stirs, or a packet's size does, the kept packets are decoded too, so that the pictures come in order from
    before the change.

    A hint (`hinted`) wakes it too, and keeps it awake for `HINT_S` unless something stirs meanwhile.

    `decode` makes the pictures of a packet, `frame_of` the frame that shows a picture as captured at a time. `asleep`
    says which way it is, `past` that pictures from before the waking are given now.
    """

    def __init__(
        self,
        *,
        watch: Watch,
        sleep_after_s: float,
        wake_detector: WakeDetector,
        decoder: VideoDecoder,
        decode: Callable[[VideoPacket], Sequence[VideoFrame]],
        frame_of: Callable[[VideoFrame, float], Frame],
        counts: Counts,
        hinted: Callable[[], bool] = lambda: False,
    ) -> None:
        self.asleep = False
        self.past = False
        self._auto = watch is Watch.AUTO
        self._sleep_after_s = sleep_after_s
        self._wake_detector = wake_detector
        self._decoder = decoder
        self._decode = decode
        self._frame_of = frame_of
        self._counts = counts
        self._hinted = hinted
        self._kept: list[VideoPacket] = []
        self._kept_bytes = 0
        self._sleepless = decoder.intra
        self._stamp: int | None = None
        self._now_s = 0.0
        self._key_s: float | None = None
        self._intervals: deque[float] = deque(maxlen=INTERVALS)
        self._looked_s = self._stirred_s = 0.0
        self._examined = False
        self._shown: tuple[float, float] | None = None
        self._sizes = Sizes()
        self._votes: deque[bool] = deque(maxlen=VOTES)
        self._heard: list[int] = []
        self._onset: int | None = None

    @property
    def idle_s(self) -> float:
        """How long, asleep, until the next keyframe is expected."""
        return max(0.0, self._interval_s - (self._now_s - (self._key_s or 0.0)))

    def pictures(self, packet: VideoPacket) -> Iterator[VideoFrame]:
        """The pictures that are to be looked at now that this packet has come."""
        if self.asleep and not packet.size:
            yield from self.rest()
            return
        self._elapse(packet)
        if packet.is_keyframe:
            if self._key_s is not None:
                self._intervals.append(self._now_s - self._key_s)
            self._key_s = self._now_s
            if self.asleep:
                yield from self._glimpse(packet)
                return
            if self._may_sleep(packet):
                yield from self._decoder.decode(None)
                self._decoder.reset()
                self.asleep = True
                yield from self._glimpse(packet)
                return
        elif self.asleep:
            self._keep(packet)
            if self._uneasy(packet):
                yield from self._wake(None)
            elif self._hinted():
                yield from self._wake(None)
                self._stirred_s -= max(0.0, self._sleep_after_s - HINT_S)
            return
        else:
            self._heard.append(packet.size)
        yield from self._decode(packet)

    def rest(self) -> Iterator[VideoFrame]:
        """The stream ends: the pictures of what is still kept, since nothing comes that could wake it any more."""
        if self.asleep:
            yield from self._wake(None)
            yield from self._decoder.decode(None)

    def gave(self, frame: Frame, pts_s: float | None) -> bool:
        """This frame is about to be given away; says whether something was seen to stir in it."""
        if pts_s is not None:
            self._shown = (pts_s, frame.time)
        if self._examined:
            self._examined = False
            return False
        if self.past:
            return self._wake_detector.stirs(frame)
        before_s = self._looked_s
        if self._now_s - before_s < LOOK_S:
            return False
        self._looked_s = self._now_s
        stirs = self._wake_detector.stirs(frame)
        self._listen(stirs=stirs, begins=stirs and self._stirred_s < before_s)
        if stirs:
            self._stirred_s = self._now_s
        return stirs

    # -- asleep ----------------------------------------------------------------------------------------------------

    def _glimpse(self, packet: VideoPacket) -> Iterator[VideoFrame]:
        """Look at a keyframe by itself."""
        picture = self._decoder.alone(packet)
        if picture is None:
            self._sleepless = True  # as where a keyframe is spread over several packets
        if picture is None or self._wake_detector.stirs(self._frame_of(picture, self._time_of(picture))):
            yield from self._wake(packet)
            return
        self._counts.slept += max(0, len(self._kept) - 1)
        self._kept, self._kept_bytes = [], 0
        self._keep(packet)
        self._examined = True
        yield picture

    def _wake(self, packet: "VideoPacket | None") -> Iterator[VideoFrame]:
        """Give what has been slept through, then go on with the keyframe that has just come, if it was one."""
        kept, self._kept, self._kept_bytes = self._kept, [], 0
        self.asleep = False
        self._stirred_s = self._now_s
        self.past = True
        # What is shown before or with the first keyframe, as where a group of pictures is open, was given already.
        given_s = self._decoder.time_s(kept[0]) if kept else None
        for old in kept:
            for picture in self._decode(old):
                shown_s = self._decoder.time_s(picture)
                if shown_s is None or given_s is None or shown_s > given_s:
                    yield picture
        self.past = False
        if packet is not None:
            self._vote(spoke=False)
            yield from self._decode(packet)

    def _keep(self, packet: VideoPacket) -> None:
        self._kept.append(packet)
        self._kept_bytes += packet.size

    def _uneasy(self, packet: VideoPacket) -> bool:
        """Whether to wake between two keyframes: by the packet's size, or as the next keyframe does not come."""
        if self._sizes.loud(packet.size):
            self._vote(spoke=True)
            return True
        self._sizes.quiet(packet.size)
        missing = self._key_s is not None and self._now_s - self._key_s > 1.5 * self._interval_s + 1.0
        return missing or self._kept_bytes > MOST_KEPT_BYTES

    def _time_of(self, picture: VideoFrame) -> float:
        """About when a picture was captured: as long after the last frame given as its stream says."""
        pts_s = self._decoder.time_s(picture)
        if self._shown is None or pts_s is None:
            return self._now_s
        return self._shown[1] + min(max(0.0, pts_s - self._shown[0]), MOST_STEP_S)

    # -- awake -----------------------------------------------------------------------------------------------------

    @property
    def _interval_s(self) -> float:
        return max(self._intervals, default=0.0)

    def _may_sleep(self, packet: VideoPacket) -> bool:
        if self._sleepless or packet.pts is None or len(self._intervals) < ENOUGH_INTERVALS:
            return False
        if self._now_s - self._stirred_s < self._sleep_after_s:
            return False
        interval_s = self._interval_s
        if not LEAST_INTERVAL_S <= interval_s <= MOST_INTERVAL_S:
            return False
        return not self._auto or interval_s <= SAFE_INTERVAL_S or sum(self._votes) >= ENOUGH_VOTES

    def _listen(self, *, stirs: bool, begins: bool) -> None:
        """Learn from the sizes of the packets since the last look: is it quiet, or does motion show in them?

        A motion that `begins` has two looks to show.
        """
        heard, self._heard = self._heard, []
        largest = max(heard, default=0)
        if self._onset is not None:
            self._vote(spoke=self._sizes.loud(max(self._onset, largest)))
        elif begins:
            self._onset = largest
        elif not stirs:
            for size in heard:
                self._sizes.quiet(size)

    def _vote(self, *, spoke: bool) -> None:
        self._votes.append(spoke)
        self._onset = None

    def _elapse(self, packet: VideoPacket) -> None:
        """Let the time pass that lies between this packet and the last one."""
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is not None and self._stamp is not None:
            step_s = (stamp - self._stamp) * self._decoder.tick_s
            self._now_s += step_s if 0.0 < step_s < MOST_STEP_S else 0.0
        if stamp is not None:
            self._stamp = stamp
