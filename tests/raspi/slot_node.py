"""The `bin/blikk` of a small slot: a node that keeps a database and behaves as the file `behaviour` beside it says.

healthy     runs and is healthy
unhealthy   runs and is not
crash       ends with 1 once it has changed the database
flaky       runs, and is healthy when it is asked for the first time only
hang        runs, but `health` never answers
broken      no command works
"""

import contextlib
import fcntl
import json
import signal
import sqlite3
import sys
from pathlib import Path

SLOT = Path(__file__).resolve().parents[1]
ROOT = SLOT.parents[2]
LAYOUT = json.loads((SLOT / "layout").read_text())
BEHAVIOUR = (SLOT / "behaviour").read_text()
ALIVE = ROOT / "run/blikk/hallway.alive"


def run() -> None:
    """Add this version to the table of those that ran; a database of a newer layout is refused."""
    db = sqlite3.connect(ROOT / "var/lib/blikk/hallway.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    (layout,) = db.execute("PRAGMA user_version").fetchone()
    if layout > LAYOUT:
        sys.exit("written by a newer blikk")
    db.execute(f"PRAGMA user_version={LAYOUT}")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with contextlib.suppress(sqlite3.OperationalError):  # a full disk: it watches all the same
        db.execute("CREATE TABLE IF NOT EXISTS ran (version TEXT)")
        db.execute("INSERT INTO ran VALUES (?)", (SLOT.name,))
    if BEHAVIOUR == "crash":
        sys.exit(1)
    ALIVE.parent.mkdir(parents=True, exist_ok=True)
    with ALIVE.open("w") as file:
        if BEHAVIOUR != "unhealthy":
            fcntl.flock(file, fcntl.LOCK_EX)
        signal.pause()


def health() -> None:
    """Whether the node of this machine runs, of whatever slot."""
    if BEHAVIOUR == "hang":
        signal.pause()
    if BEHAVIOUR == "flaky":
        asked = SLOT / "asked"
        if asked.exists():
            sys.exit("hallway: hangs")
        asked.touch()
    try:
        with ALIVE.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        print("hallway: fine")
        return
    except FileNotFoundError:
        pass
    sys.exit("no node runs here")


if BEHAVIOUR == "broken":
    sys.exit("Illegal instruction")
if sys.argv[1] == "version":
    print(json.dumps({"version": SLOT.name}))
elif sys.argv[1] == "health":
    health()
else:
    run()
