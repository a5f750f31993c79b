"""What keeping how events went costs, and how long the timeline of a busy day takes.

    python bench/timeline.py [CLIP] [--events 5000]

The clip is watched once; its records, with a path for each event, are put again and again into a store that keeps how
events went and into one that does not: CPU per record, bytes per event on disk. Then a day of so many events is listed
as the API does it.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from rig import data_folder, table

from blikk_edge.app.replays import replay
from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import Event, Observation
from blikk_edge.core.paths import POINTS_MAX, EventPath, PathPoint
from blikk_edge.store.store import Store
from blikk_edge.web.looking import line_content
from blikk_edge.wire.values import json_bytes

CLIP = "video/intel_sample/one-by-one-person-detection.mp4"
DAY_S = 86_400.0
POINTS = 30


def renamed(record: Observation | Event, round_number: int) -> Observation | Event:
    """The record as one of another round, a minute later for each."""
    if isinstance(record, Event):
        return replace(record, id=f"{record.id}-{round_number}", started=record.started + 60 * round_number)
    event = None if record.event is None else f"{record.event}-{round_number}"
    return replace(record, id=f"{record.id}-{round_number}", event=event)


def path_of(event: str, points: int) -> EventPath:
    """Somebody crosses the picture."""
    boxes = [Box(n / points * 0.7, 0.2 + (n % 7) / 100, n / points * 0.7 + 0.3, 0.9) for n in range(points)]
    return EventPath(event=event, points=tuple(PathPoint(time=0.4 * n, track=1, box=b) for n, b in enumerate(boxes)))


def cost(records: list[Observation | Event], rounds: int, *, courses: bool, points: int) -> tuple[float, float]:
    """CPU of one record in ms, and bytes of one event on disk."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "bench.db", courses=courses)
        store.open()
        store.follow({})  # no sink: nothing waits in the journal
        began = time.process_time()
        for number in range(rounds):
            for record in records:
                store.put(renamed(record, number))
                if courses and isinstance(record, Event) and record.ended is not None:
                    store.keep_path(path_of(f"{record.id}-{number}", points))
        spent = time.process_time() - began
        store.close()
        events = rounds * len({record.id for record in records if isinstance(record, Event)})
        return spent / (rounds * len(records)) * 1000, (Path(folder) / "bench.db").stat().st_size / events


def listed(records: list[Observation | Event], count: int) -> tuple[float, float, int]:
    """Seconds to read the lines of a day, seconds to write them as JSON, and bytes."""
    event = next(record for record in records if isinstance(record, Event) and record.ended is not None)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "bench.db")
        store.open()
        store.follow({})
        for number in range(count):
            started = 10 * DAY_S + number * DAY_S / count
            store.put(replace(event, id=f"event-{number}", started=started, ended=started + 9))
        began = time.perf_counter()
        lines = store.lines(since=10 * DAY_S, until=11 * DAY_S, limit=count)
        read = time.perf_counter()
        content = json_bytes({"events": [line_content(line, f"picture-of-{line.id}") for line in lines]})
        done = time.perf_counter()
        store.close()
        assert len(lines) == count
        return read - began, done - read, len(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", nargs="?", type=Path, default=data_folder() / CLIP)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    records = [item for item in replay(options.clip) if isinstance(item, Observation | Event)]
    without = cost(records, options.rounds, courses=False, points=0)
    rows = [("without", f"{without[0]:.2f}", f"{without[1]:.0f}")]
    for name, points in (("kept, a path of 30 points", POINTS), ("kept, the longest path", POINTS_MAX)):
        with_course = cost(records, options.rounds, courses=True, points=points)
        rows.append((name, f"{with_course[0]:.2f}", f"{with_course[1]:.0f}"))
    table(("how events went", "CPU ms / record", "bytes / event"), rows)
    read_s, written_s, size = listed(records, options.events)
    print(
        f"\na day of {options.events} events: {read_s * 1000:.0f} ms to read, {written_s * 1000:.0f} ms to write, "
        f"{size / 1000:.0f} kB"
    )


if __name__ == "__main__":
    main()
