"""The table `memory`: small texts by a key, which outlive the process."""

import sqlite3


def remember(db: sqlite3.Connection, key: str, text: str) -> None:
    """Keep a text in place of an earlier one of this key; the same again is not written."""
    db.execute(
        "INSERT INTO memory VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET text = excluded.text"
        " WHERE text != excluded.text",
        (key, text),
    )


def recall(db: sqlite3.Connection, key: str) -> str | None:
    """The text that is kept under a key, or None."""
    row = db.execute("SELECT text FROM memory WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])
