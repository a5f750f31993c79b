"""How much of a stream is decoded, chosen by what that takes on this machine, and chosen anew when it changes."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Final

from av.video.frame import VideoFrame

from blikk_edge.core.allowance import log_allowance
from blikk_edge.core.clock import Clock
from blikk_edge.core.fields import Watch
from blikk_edge.core.scene import Frame
from blikk_edge.sources.decode_budget import DecodeBudget
from blikk_edge.sources.decoder import VideoDecoder
from blikk_edge.sources.keyframe_only import MOST_INTERVAL_S, EveryFrame, KeyframeOnly, KeyframesAlone
from blikk_edge.sources.packets import VideoPacket

LOG = logging.getLogger("blikk.watch")

# So long is measured at a time. What a server sends at once at first, and a processor that still starts, do not count.
WINDOW_S: Final = 5.0
SETTLE_S: Final = 2.0
# Decoding in one thread keeps up with a stream as long as it takes no more of its time than this.
KEEPS_UP: Final = 0.8
# Other programs, that come and go, may hold it up for so many windows in a row.
LATE_WINDOWS: Final = 3
# More is decoded again when it has fitted in this part of what is allowed for so many windows in a row.
BACK, BACK_WINDOWS = 0.75, 12
# So much of what follows a keyframe is decoded at most where it is too much altogether.
MOST_PART: Final = 0.8
# A window says what all of a stream takes if so many of its packets were decoded.
WHOLE: Final = 0.8
# Who keeps up has to wait for so many of the packets, and more; who does not, for none.
RESTED: Final = 0.05
# Less CPU than this says nothing about how long it takes.
LEAST_CPU_S: Final = 0.005

COST: Final = (Watch.KEYFRAMES, Watch.ECO, Watch.FULL)
"""The ways to choose from, by what they take."""

ADVICE: Final = "a smaller stream of the camera, or one with fewer frames a second, takes less"

_KEPT: Final = "%s: `watch: %s` is kept, though %s %s; `watch: measured` decodes what fits; %s"
_ECO: Final = "%s: only keyframes are decoded while nothing moves, as by `watch: eco`: %s %s; %s"
_KEYFRAMES: Final = (
    "%s: only keyframes are decoded, one in %.1f s, and %.0f %% of what follows those that show motion; a short "
    "visit may be missed: %s %s; %s"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeCost:
    """What decoding takes.

    Attributes:
        cpu: Share of one core, for every frame.
        slow: How much longer it takes than that, as others want the same cores; 1 where nobody does.
        behind: Whether the reader hardly ever had to wait for the stream: it has not kept up.
    """

    cpu: float
    slow: float
    behind: bool = False

    @property
    def busy(self) -> float:
        """Share of the time that its thread is busy."""
        return self.cpu * self.slow


class Effort:
    """Measures one camera's decoding, over all its connections, in windows of the machine's own time."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._cpu: float | None = None
        self._slow = 1.0
        self.restart()

    def restart(self) -> None:
        """A new connection begins."""
        self._begin(self._monotonic() + SETTLE_S)

    def forget(self) -> None:
        """It is another stream."""
        self._cpu = None

    def packet(self, *, decoded: int, cpu_s: float, wall_s: float, intra: bool, rested: bool) -> DecodeCost | None:
        """One packet has come, after `decoded` of those before it took so long; at a window's end what is known.

        `rested` says that it, or the time to show it, had to be waited for.
        """
        now = self._monotonic()
        if now < self._began:
            return None
        self._packets += 1
        self._rested += rested
        self._decoded += decoded
        self._cpu_s += cpu_s
        self._wall_s += wall_s
        passed_s = now - self._began
        if passed_s < WINDOW_S:
            return None
        if self._cpu_s > LEAST_CPU_S:
            self._slow = (self._slow + max(1.0, self._wall_s / self._cpu_s)) / 2
        if intra or self._decoded >= WHOLE * self._packets:
            # What a waking decodes at once lies in an earlier window: it is not time that counts, but packets.
            share = self._cpu_s / passed_s if intra else self._cpu_s / self._decoded * self._packets / passed_s
            self._cpu = share if self._cpu is None else (self._cpu + share) / 2
        behind = self._rested < RESTED * self._packets
        self._begin(now)
        return None if self._cpu is None else DecodeCost(cpu=self._cpu, slow=self._slow, behind=behind)

    def _begin(self, at: float) -> None:
        self._began = at
        self._packets = self._decoded = self._rested = 0
        self._cpu_s = self._wall_s = 0.0


class Choice:
    """The way one camera is watched, over all its connections: the user's, or the dearest that fits (`measured`).

    `now` is in force from the next keyframe on. With keyframes alone, `part` of what follows one that stirs may be
    decoded. What is chosen and why is logged when it changes; of a way that the
    user has chosen, that it does not fit.
    """

    def __init__(self, camera: str, wish: Watch, budget: DecodeBudget, clock: Clock) -> None:
        self.now: Watch = Watch.FULL if wish is Watch.MEASURED else wish
        self.part = 0.0
        self.effort = Effort()
        self._camera = camera
        self._wish = wish
        self._budget = budget
        self._allowance = log_allowance(clock)
        self._stream: tuple[str, int, int] | None = None
        self._said: Watch | None = None
        self._leaning: tuple[Watch, int] = (self.now, 0)

    def opened(self, name: str, width: int, height: int) -> None:
        """A connection to such a stream begins."""
        if self._stream not in {None, (name, width, height)}:
            self.effort.forget()
        self._stream = name, width, height
        self.effort.restart()

    def measured(self, taken: DecodeCost, *, interval_s: float | None, intra: bool) -> None:
        """A window has passed; keyframes come every `interval_s` where that is known."""
        self._budget.note(self._camera, taken.cpu, kept=self._wish is Watch.FULL)
        current = Watch.FULL if self._wish is Watch.FULL else self.now
        fitting = self._fitting(taken, current)
        if fitting is not Watch.FULL:
            if interval_s is None and not intra:
                return  # until it is known how often keyframes come
            if intra or (interval_s or 0.0) > MOST_INTERVAL_S:
                self._say(fitting, taken, interval_s, stuck=True)
                return
        way, windows = self._leaning
        self._leaning = fitting, windows + 1 if fitting is way else 1
        if self._leaning[1] < self._patience(fitting, current, taken):
            return
        if self._wish is Watch.MEASURED:
            self.now = fitting
            self.part = self._spare(taken) if fitting is Watch.KEYFRAMES else 0.0
        self._say(fitting, taken, interval_s, stuck=False)

    def _spare(self, taken: DecodeCost) -> float:
        """How much of the time to the next keyframe may be decoded where something stirs."""
        left = max(0.0, self._budget.left(self._camera))
        return min(MOST_PART, KEEPS_UP / taken.busy, left / taken.cpu)

    def _fitting(self, taken: DecodeCost, current: Watch) -> Watch:
        """The dearest way that fits; a little less must be enough where less is decoded now."""
        if current is Watch.KEYFRAMES:
            late = taken.busy > BACK * KEEPS_UP
        else:
            # On a busy machine each short piece of work waits for its turn: that alone makes nobody late.
            late = taken.cpu > KEEPS_UP or (taken.behind and taken.busy > KEEPS_UP)
        if late:
            return Watch.KEYFRAMES
        if not self._budget.fits(self._camera, of_room=1.0 if current is Watch.FULL else BACK):
            return Watch.ECO
        return Watch.FULL

    def _patience(self, fitting: Watch, current: Watch, taken: DecodeCost) -> int:
        if COST.index(fitting) > COST.index(current if current in COST else Watch.ECO):
            return BACK_WINDOWS
        return LATE_WINDOWS if fitting is Watch.KEYFRAMES and taken.cpu <= KEEPS_UP else 1

    def _say(self, fitting: Watch, taken: DecodeCost, interval_s: float | None, *, stuck: bool) -> None:
        if self._said is fitting:
            return
        first, self._said = self._said is None, fitting
        if self._wish not in {Watch.MEASURED, Watch.FULL} and fitting is not Watch.KEYFRAMES:
            return  # that is why the user has chosen to decode less
        if self._wish is Watch.KEYFRAMES or not self._allowance.take(fitting):
            return
        every, why = self._every(), self._why(fitting, taken)
        if fitting is Watch.FULL:
            LOG.info("%s: %s is decoded: it %s%s", self._camera, every, why, "" if first else " now")
        elif stuck:
            reason = f"keyframes come every {interval_s:.0f} s only" if interval_s else "it has nothing but keyframes"
            LOG.warning("%s: %s is decoded, though it %s: %s; %s", self._camera, every, why, reason, ADVICE)
        elif self._wish is not Watch.MEASURED:
            LOG.warning(_KEPT, self._camera, self._wish, every, why, ADVICE)
        elif fitting is Watch.ECO:
            LOG.warning(_ECO, self._camera, every, why, ADVICE)
        else:
            LOG.warning(_KEYFRAMES, self._camera, interval_s or 0.0, 100 * self.part, every, why, ADVICE)

    def _every(self) -> str:
        name, width, height = self._stream or ("", 0, 0)
        return f"every frame ({name}, {width}x{height})"

    def _why(self, fitting: Watch, taken: DecodeCost) -> str:
        why = f"takes {max(taken.cpu, 0.01):.0%} of a core"
        if fitting is Watch.KEYFRAMES:
            return f"{why}, and {taken.busy:.0%} of the time with what else runs here"
        if fitting is Watch.ECO:
            budget = self._budget
            return f"{why}, all cameras together {budget.taken:.0%} of the {budget.room:.0%} that are for decoding"
        return why


class MeasuredWatch:
    """Watches one connection in the way that `choice` has chosen; at a keyframe it goes over to another one.

    `make` gives the pictures of one way; `rested` says whether the last packet, or the time to show it, had to be
    waited for. See `KeyframeOnly` for what the attributes say.
    """

    def __init__(
        self,
        choice: Choice,
        make: Callable[[Watch], EveryFrame | KeyframeOnly | KeyframesAlone],
        decoder: VideoDecoder,
        *,
        rested: Callable[[], bool],
    ) -> None:
        self._choice = choice
        self._rested = rested
        self._make = make
        self._decoder = decoder
        self._way_name = choice.now
        self._way = make(choice.now)
        self._noted = decoder.decoded, decoder.cpu_s, decoder.wall_s
        self._key_s: float | None = None
        self._interval_s: float | None = None

    @property
    def asleep(self) -> bool:
        """Whether it is known now that most packets are not decoded."""
        return self._way.asleep

    @property
    def past(self) -> bool:
        """Whether pictures from before a waking are given now."""
        return self._way.past

    @property
    def idle_s(self) -> float:
        """How long, asleep, until the next keyframe is expected."""
        return self._way.idle_s

    def pictures(self, packet: VideoPacket) -> Iterable[VideoFrame]:
        """The pictures that are to be looked at now that this packet has come."""
        self._measure()
        if not packet.is_keyframe or not packet.size:
            return self._way.pictures(packet)
        at = self._decoder.time_s(packet)
        if at is not None and self._key_s is not None and at > self._key_s:
            self._interval_s = at - self._key_s
        self._key_s = self._key_s if at is None else at
        if self._choice.now is self._way_name:
            return self._way.pictures(packet)
        return self._changed(packet)

    def rest(self) -> Iterable[VideoFrame]:
        """The stream ends: the pictures that are still held back."""
        return self._way.rest()

    def gave(self, frame: Frame, pts_s: float | None) -> bool:
        """This frame is about to be given away; says whether something was seen to stir in it."""
        return self._way.gave(frame, pts_s)

    def _measure(self) -> None:
        decoder = self._decoder
        (decoded, cpu_s, wall_s), self._noted = self._noted, (decoder.decoded, decoder.cpu_s, decoder.wall_s)
        taken = self._choice.effort.packet(
            decoded=decoder.decoded - decoded,
            cpu_s=decoder.cpu_s - cpu_s,
            wall_s=decoder.wall_s - wall_s,
            intra=decoder.intra,
            rested=self._rested(),
        )
        if taken is not None:
            self._choice.measured(taken, interval_s=self._interval_s, intra=decoder.intra)

    def _changed(self, packet: VideoPacket) -> Iterable[VideoFrame]:
        held = (*(self._way.rest() if isinstance(self._way, KeyframesAlone) else self._decoder.decode(None)),)
        self._decoder.reset()
        self._way_name = self._choice.now
        self._way = self._make(self._choice.now)
        return chain(held, self._way.pictures(packet))
