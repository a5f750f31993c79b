"""What came of a site's records: all that its nodes ever wrote into their journals against the tables of the centre."""

import json
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from fleet_site import Fleet

ARRIVE_S = 90.0
SENT = ("observation", "event", "ring", "summary", "answer")

Key = tuple[str, str]
"""Kind and id of a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is wrong with the records, and what is not.

    Attributes:
        written: Records in the journals of all nodes.
        lost: Of these, those of which the table has none, or only an older revision.
        doubled: Records that the table has more than once.
        both: Pairs of leases of one camera whose records, as far as they count, overlap in time.
        wrong: Records that are marked as stale and are not, or the other way round.
        stale: Records that are marked so: of a lease that another had followed.
        arrive_s: How long it took until all had arrived.
    """

    written: int
    lost: int
    doubled: int
    both: int
    wrong: int
    stale: int
    arrive_s: float

    @property
    def missed(self) -> list[str]:
        """What should not be, in words."""
        said = {
            "records lost": self.lost,
            "records doubled": self.doubled,
            "leases of a camera at one time": self.both,
            "records marked wrongly": self.wrong,
        }
        return [f"{count} {what}" for what, count in said.items() if count]


def written(fleet: Fleet) -> dict[Key, int]:
    """Kind and id of all that is in the lists of the journals, with the newest revision."""
    found: dict[Key, int] = {}
    for name in fleet.nodes:
        with closing(sqlite3.connect(copied(fleet, name))) as db:
            for (text,) in db.execute("SELECT text FROM written"):
                record = json.loads(text)
                if record["record"] in SENT:
                    key = record["record"], record["id"]
                    found[key] = max(found.get(key, 0), record.get("revision") or 0)
    return found


def copied(fleet: Fleet, name: str) -> Path:
    """The store of a node as a power cut would leave it now; the node has it for itself, and stands still meanwhile."""
    node, runs = fleet.nodes[name], fleet.runs(name)
    copy = fleet.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    if runs:
        node.signal(signal.SIGSTOP)
    try:
        for path in node.folder.glob("store.db*"):
            if not path.name.endswith((".reserve", "-shm")):
                shutil.copy(path, copy)
    finally:
        if runs:
            node.signal(signal.SIGCONT)
    return copy / "store.db"


def judged(fleet: Fleet, *, within_s: float = ARRIVE_S) -> Verdict:
    """The verdict on all that is written by now; waits until it has arrived."""
    began = time.monotonic()
    wanted = written(fleet)
    while True:
        there = {
            (row["kind"], row["id"]): row["revision"]
            for row in fleet.query("SELECT kind, id, max(revision) AS revision FROM blikk.records GROUP BY kind, id")
        }
        missing = [key for key, revision in wanted.items() if there.get(key, -1) < revision]
        took = time.monotonic() - began
        if not missing or took > within_s:
            break
        time.sleep(0.5)
    doubled = fleet.query("SELECT kind, id FROM blikk.records GROUP BY kind, id HAVING count(*) > 1")
    both, wrong, stale = fences(fleet)
    return Verdict(
        written=len(wanted),
        lost=len(missing),
        doubled=len(doubled),
        both=both,
        wrong=wrong,
        stale=stale,
        arrive_s=took,
    )


def fences(fleet: Fleet) -> tuple[int, int, int]:
    """Overlapping leases, wrongly marked records and stale ones; computed here from the records, not by the centre."""
    rows = fleet.query(
        "SELECT camera, fence, member, at, stale FROM blikk.records "
        "WHERE kind IN ('observation', 'event', 'ring') AND camera IS NOT NULL AND fence IS NOT NULL"
    )
    cameras: dict[str, list] = {}
    for row in rows:
        cameras.setdefault(row["camera"], []).append(row)
    both = wrong = 0
    for records in cameras.values():
        since: dict[int, object] = {}
        for row in records:
            since[row["fence"]] = min(since.get(row["fence"], row["at"]), row["at"])
        for row in records:
            followed = any(fence > row["fence"] and begun <= row["at"] for fence, begun in since.items())
            wrong += followed != row["stale"]
        spans: dict[int, list] = {}
        members: dict[int, set[str]] = {}
        for row in records:
            if not row["stale"]:
                spans.setdefault(row["fence"], []).append(row["at"])
                members.setdefault(row["fence"], set()).add(row["member"])
        both += sum(len(each) > 1 for each in members.values())
        both += sum(max(spans[one]) >= min(spans[two]) for one, two in pairwise(sorted(spans)))
    return both, wrong, sum(row["stale"] for row in rows)
