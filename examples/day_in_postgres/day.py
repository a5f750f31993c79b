# %% [markdown]
# # A day of observations
#
# What a node wrote into PostgreSQL (`sinks: {postgres: ...}`), in words and pictures. Run it as a notebook, cell by
# cell (VS Code, Spyder and Jupytext know these cells), or as a program:
#
#     python day.py postgresql://blikk:password@127.0.0.1/blikk --day 2026-11-29 --folder plots

# %%
import argparse
import asyncio
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import matplotlib

matplotlib.use("Agg")  # pictures into files; leave it out in a notebook
from matplotlib import pyplot

EVENTS = """
SELECT camera, label, started, ended, peak, zones, loitering
FROM blikk.events
WHERE started >= $1 AND started < $2
ORDER BY started
"""
SUMMARIES = """
SELECT camera, since, text
FROM blikk.summaries
WHERE since >= $1 AND since < $2 AND event IS NOT NULL
ORDER BY since
"""


# %% [markdown]
# ## The day


# %%
async def rows(address: str, query: str, day: datetime) -> list[Any]:
    """What a query finds of one local day; `started` of events is the column that their partitions are made by."""
    connection = await asyncpg.connect(address)
    try:
        return await connection.fetch(query, day, day + timedelta(days=1))
    finally:
        await connection.close()


def by_hour(events: list[Any]) -> dict[str, list[int]]:
    """How many events of each label began in each hour of the local day."""
    counted = Counter((event["label"], event["started"].astimezone().hour) for event in events)
    return {label: [counted[label, hour] for hour in range(24)] for label in sorted({label for label, _ in counted})}


def stays_min(events: list[Any]) -> dict[str, list[float]]:
    """How long the people of each camera stayed, in minutes; of those who are gone."""
    stays: dict[str, list[float]] = {}
    for event in events:
        if event["label"] == "person" and event["ended"] is not None:
            stays.setdefault(event["camera"], []).append((event["ended"] - event["started"]).total_seconds() / 60)
    return stays


# %% [markdown]
# ## Pictures


# %%
def plot_hours(events: list[Any], path: Path) -> None:
    """Events by hour, stacked by label."""
    figure, axes = pyplot.subplots(figsize=(9, 3.5), layout="constrained")
    bottom = [0] * 24
    for label, counts in by_hour(events).items():
        axes.bar(range(24), counts, bottom=bottom, label=label)
        bottom = [low + count for low, count in zip(bottom, counts, strict=True)]
    axes.set(xlabel="hour", ylabel="events", xticks=range(0, 24, 2), title="Events by hour")
    axes.yaxis.get_major_locator().set_params(integer=True)
    if events:
        axes.legend(frameon=False)
    figure.savefig(path)
    pyplot.close(figure)


def plot_stays(events: list[Any], path: Path) -> None:
    """How long people stayed, a dot for each, by camera."""
    figure, axes = pyplot.subplots(figsize=(9, 3.5), layout="constrained")
    stays = stays_min(events)
    for row, (_camera, minutes) in enumerate(sorted(stays.items())):
        axes.plot(minutes, [row] * len(minutes), "o", alpha=0.6)
    axes.set(xlabel="minutes", yticks=range(len(stays)), yticklabels=sorted(stays), title="How long people stayed")
    axes.margins(y=0.5)
    figure.savefig(path)
    pyplot.close(figure)


# %% [markdown]
# ## All of it


# %%
def main(address: str, day: datetime, folder: Path) -> None:
    """Print what the day was, and write two pictures of it."""
    events, summaries = (asyncio.run(rows(address, query, day)) for query in (EVENTS, SUMMARIES))
    print(f"{day:%A, %d %B %Y}: {len(events)} events")
    for (camera, label), count in sorted(Counter((event["camera"], event["label"]) for event in events).items()):
        print(f"  {camera}: {count} x {label}")
    for summary in summaries:
        print(f"  {summary['since'].astimezone():%H:%M} {summary['camera']}: {summary['text']}")
    folder.mkdir(parents=True, exist_ok=True)
    plot_hours(events, folder / "hours.png")
    plot_stays(events, folder / "stays.png")
    print(f"pictures: {folder / 'hours.png'}, {folder / 'stays.png'}")


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description="What happened on one day, from PostgreSQL, with pictures.")
    asked.add_argument("address", help="as postgresql://user:password@host/database")
    asked.add_argument("--day", type=datetime.fromisoformat, default=datetime.now(), help="as 2026-11-29 (today)")  # noqa: DTZ005  # local
    asked.add_argument("--folder", type=Path, default=Path("plots"), help="where pictures are written to (plots)")
    given = asked.parse_args()
    midnight = given.day.replace(hour=0, minute=0, second=0, microsecond=0).astimezone()
    main(given.address, midnight, given.folder)
