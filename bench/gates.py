"""Our motion gate beside those of other camera software, on every labelled clip, in one run.

    python bench/gates.py [--quick] [--check] [--data FOLDER]

Every gate sees the same luma planes at 5 fps on one thread. For the others each frame in which they fire is one
inference; for ours it is what the Selector asks for at its defaults, with its looks after motion ended and its sample a
minute. No detector runs, so no objects are followed (that costs every software the same). An event is seen when motion
led to an inference within a second of its labelled start; false motion is the time a gate fired while nothing moved, an
hour of such time. Night and changing light are made from the real clips, for none of the labelled ones shows them.
Without test data the clips are made from photographs. `--check` exits 1 where a goal is missed.
"""

import argparse
import sys
import time as clock
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from labelled_clips import (
    BEFORE_S,
    FPS,
    Clip,
    Timed,
    at_night,
    empty,
    from_afar,
    in_changing_light,
    made,
    real,
    scratch,
    until,
)
from rig import data_folder, table
from rival_gates import GATES, shown

from blikk_edge.core.scene import Pixels, Scene
from blikk_edge.core.sightings import Motion, View
from blikk_edge.transforms.motion.select import Reason, Selector

THRESHOLD = 0.3
SOON_S = 1.0
SIZES = ((640, 480), (1280, 720), (1920, 1080))
GOAL_MS = 0.4
ROUNDS = 3
NOTHING: Pixels = np.zeros((1, 1), np.uint8)


@dataclass(slots=True)
class Judged:
    """What one gate did on one clip."""

    events: int
    seen: int = 0
    late_s: list[float] = field(default_factory=list)
    false_s: float = 0.0
    quiet_s: float = 0.0
    total_s: float = 0.0
    looks: int = 0

    def __add__(self, other: "Judged") -> "Judged":
        return Judged(
            self.events + other.events,
            self.seen + other.seen,
            self.late_s + other.late_s,
            self.false_s + other.false_s,
            self.quiet_s + other.quiet_s,
            self.total_s + other.total_s,
            self.looks + other.looks,
        )

    @property
    def false_an_hour(self) -> float:
        return 3600 * self.false_s / self.quiet_s if self.quiet_s else 0.0

    @property
    def looks_an_hour(self) -> float:
        return 3600 * self.looks / self.total_s if self.total_s else 0.0


def looks(name: str) -> Callable[[float, Motion], Reason | None]:
    """Which frames the detector would look at: our Selector's choice for ours, every frame it fires for the others."""
    if name != "blikk":
        return lambda time, motion: Reason.MOTION if motion.view is View.MOVING else None
    selector = Selector(threshold=THRESHOLD)
    return lambda time, motion: selector.look(Scene(frame=shown(time, NOTHING), motion=motion), ())


def judge(clip: Clip, name: str, frames: Iterable[Timed]) -> Judged:
    """Run a gate, and what it has the detector look at, over a clip."""
    gate, look = GATES[name](), looks(name)
    result = Judged(events=len(clip.judged_events))
    looked = []
    for time, luma in frames:
        motion = gate(time, luma)
        reason = look(time, motion)
        fired = motion.score >= THRESHOLD
        quiet = clip.quiet(time)
        result.total_s += 1 / FPS
        result.quiet_s += quiet / FPS
        result.false_s += (quiet and fired) / FPS
        result.looks += reason is not None
        if fired and reason in {Reason.MOTION, Reason.SCENE}:
            looked.append(time)
    for begin, end in clip.judged_events:
        first = next((at for at in looked if begin - BEFORE_S <= at <= end), end)
        result.late_s.append(max(0.0, first - begin))
        result.seen += first <= begin + SOON_S
    return result


def cost(frames: Sequence[Timed]) -> dict[str, list[float]]:
    """Median ms per idle frame by gate and size; the gates take turns, so that all see the same load."""
    rows: dict[str, list[float]] = {name: [] for name in GATES}
    for size in SIZES:
        shown = [cv2.resize(luma, size, interpolation=cv2.INTER_CUBIC) for _, luma in frames]
        gates = {name: make() for name, make in GATES.items()}
        spent: dict[str, list[float]] = {name: [] for name in GATES}
        for index in range(ROUNDS * len(shown)):
            for name, gate in gates.items():
                begin = clock.perf_counter()
                gate(index / FPS, shown[index % len(shown)])
                spent[name].append(clock.perf_counter() - begin)
        for name, seconds in spent.items():
            rows[name].append(1e3 * float(np.median(seconds[len(shown) // 2 :])))
    return rows


def clips(data: Path | None, folder: Path, *, quick: bool) -> list[Clip]:
    """What is compared, and what is made of it."""
    known = [made(folder)] if data is None else real(data)
    if quick:
        known = [until(known[0], 48), *known[1:4]]
    people, others = known[0], [] if quick else known[1:2]
    seconds = 60 if quick else 240
    return [
        *known,
        *(variant(clip) for variant in (at_night, in_changing_light, from_afar) for clip in (people, *others)),
        empty(people, folder, seconds=seconds),
        empty(people, folder, seconds=seconds, night=True),
        empty(people, folder, seconds=seconds, branches=True),
    ]


def show(results: dict[str, dict[str, Judged]], costs: dict[str, list[float]]) -> None:
    """Print every table."""
    names = list(GATES)

    def by_clip(title: str, cell: Callable[[Judged], str]) -> None:
        print(f"\n{title}")
        table(("clip", *names), [(clip, *(cell(row[name]) for name in names)) for clip, row in results.items()])

    by_clip("events seen", lambda j: f"{j.seen}/{j.events}" if j.events else "-")
    by_clip("seconds of false motion an hour", lambda j: f"{j.false_an_hour:.0f}" if j.quiet_s else "-")
    by_clip("inferences an hour", lambda j: f"{j.looks_an_hour:.0f}")
    print("\nall clips; latest: from the labelled start of an event to the first look")
    rows = []
    for name, total in totals(results).items():
        cells = [f"{total.seen}/{total.events}", f"{np.median(total.late_s):.1f} s", f"{max(total.late_s):.1f} s"]
        cells += [f"{total.false_an_hour:.0f}", f"{total.looks_an_hour:.0f}"]
        rows.append((name, *cells, *(f"{ms:.3f}" for ms in costs[name])))
    head = ("gate", "seen", "median", "latest", "false s/h", "inferences/h")
    table((*head, *(f"ms {width}x{height}" for width, height in SIZES)), rows)


def totals(results: dict[str, dict[str, Judged]]) -> dict[str, Judged]:
    """By gate, over all clips."""
    return {name: sum((row[name] for row in results.values()), Judged(0)) for name in GATES}


def goals(results: dict[str, dict[str, Judged]], costs: dict[str, list[float]]) -> dict[str, bool]:
    """What is to be reached, and whether it is."""
    total = totals(results)
    ours, rivals = total["blikk"], [judged for name, judged in total.items() if name != "blikk"]
    equals = [rival for rival in rivals if rival.seen == rival.events]
    return {
        "every event of every clip is seen": ours.seen == ours.events,
        "no more false motion than any gate that sees every event": all(ours.false_s <= r.false_s for r in equals),
        "no more inferences than any gate that sees every event": all(ours.looks <= r.looks for r in equals),
        f"at most {GOAL_MS} ms per idle frame of 640x480": costs["blikk"][0] <= GOAL_MS,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter clips")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    parser.add_argument("--data", type=Path, default=data_folder(), help="the folder of clips and labels")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    data = arguments.data if arguments.data is not None and arguments.data.is_dir() else None
    if data is None:
        print("no test data: all clips are made from photographs; give --data or set BLIKK_TEST_DATA for the real ones")
    with scratch() as name:
        folder = Path(name)
        results: dict[str, dict[str, Judged]] = {}
        idle: list[Timed] = []
        for clip in clips(data, folder, quick=arguments.quick):
            frames = [(time, luma.copy()) for time, luma in clip.play()]
            idle = idle or [(time, luma) for time, luma in frames if time < clip.events[0][0] - BEFORE_S]
            results[clip.name] = {name: judge(clip, name, frames) for name in GATES}
    costs = cost(idle[:10] if arguments.quick else idle)
    show(results, costs)
    print()
    met = goals(results, costs)
    for goal, reached in met.items():
        print(f"{'met' if reached else 'MISSED'}: {goal}")
    return 1 if arguments.check and not all(met.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
