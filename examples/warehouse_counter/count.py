"""Counts who and what enters a zone of a warehouse: a line of CSV for each period.

    python count.py rtsp://192.168.1.30/dock [--zone 0.5,0,1,1] [--every 60] > counts.csv

The zone is a rectangle: left, upper, right and lower edge as parts of the picture. Each person and vehicle is counted
once for each time it enters, whether it walks in or appears there.
"""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from blikk_edge import Stream
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.observation import Observation

LABELS = ("person", "vehicle")
ZONE = "counted"
ENTERS = ("entered_zone", "appeared")
"""Who comes into view within the zone has `appeared` there; who walks in has `entered_zone`."""


def entered(observations: Iterable[Observation]) -> Iterator[tuple[float, str]]:
    """When somebody or something entered the zone, and what it was."""
    for observation in observations:
        if ZONE in observation.zones:
            for sighting in observation.objects:
                yield observation.time, sighting.label.value


def periods(entries: Iterable[tuple[float, str]], every_s: float) -> Iterator[tuple[datetime, Counter[str]]]:
    """The entries of each period in which there were any, from its beginning."""
    counted: Counter[str] = Counter()
    begin: float | None = None
    for time, label in entries:
        start = time - time % every_s
        if begin is not None and start > begin:
            yield datetime.fromtimestamp(begin, UTC), counted
            counted = Counter()
        begin = start if begin is None else max(begin, start)
        counted[label] += 1
    if begin is not None:
        yield datetime.fromtimestamp(begin, UTC), counted


def main() -> None:
    """Count until the stream ends, or Ctrl-C."""
    asked = argparse.ArgumentParser(description="Counts who and what enters a zone, as CSV.")
    asked.add_argument("source", help="the camera's address, or a clip")
    asked.add_argument("--zone", default="0,0,1,1", help="left, upper, right, lower edge (0,0,1,1: the whole picture)")
    asked.add_argument("--every", type=float, default=60.0, help="seconds of a period (60)")
    given = asked.parse_args()
    if given.every <= 0:
        asked.error("--every takes seconds above 0")
    try:
        left, upper, right, lower = (float(edge) for edge in given.zone.split(","))
    except ValueError:
        asked.error(f"--zone {given.zone}: write four numbers from 0 to 1, such as 0.5,0,1,1")
    zone = {"polygon": [[left, upper], [right, upper], [right, lower], [left, lower]]}
    table = csv.writer(sys.stdout)
    table.writerow(["begin", *LABELS])
    with Stream(given.source, labels=LABELS, zones={ZONE: zone}) as stream:
        observations = stream.subscribe(kinds=ENTERS)
        for begin, counted in periods(entered(observations), given.every):
            table.writerow([begin.isoformat(), *(counted[label] for label in LABELS)])
            sys.stdout.flush()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except BlikkError as error:
        sys.exit(str(error))
