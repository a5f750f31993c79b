"""Times in words over the changes of the clock, at the edges of days, months and years."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from blikk_edge.asking.moments import Moments
from blikk_edge.asking.phrase import Phrase
from blikk_edge.asking.times import Wall, take_times
from blikk_edge.language.language import language
from blikk_edge.language.reading import english

BERLIN = ZoneInfo("Europe/Berlin")
WALL = Wall(BERLIN)


def span(text: str, now: str, wall: Wall = WALL) -> tuple[str | None, str | None]:
    """The times that a text names at this moment, with their offsets from UTC."""
    moment = datetime.fromisoformat(now).replace(tzinfo=BERLIN).timestamp()
    found = take_times(Phrase(text, english()), moment, wall)
    assert found is not None
    times = (found.since, found.until)
    return tuple(t and datetime.fromtimestamp(t, BERLIN).isoformat(timespec="minutes") for t in times)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("text", "now", "since", "until"),
    [
        # the clock went back in the night to Sunday 25 October, and on at 29 March
        ("yesterday", "2026-10-26T09:00", "2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00"),
        ("since yesterday", "2026-03-30T09:00", "2026-03-29T00:00+01:00", None),
        ("last night", "2026-10-25T09:00", "2026-10-24T18:00+02:00", "2026-10-25T06:00+01:00"),
        ("in the last 24 hours", "2026-10-25T12:00", "2026-10-24T13:00+02:00", None),
        ("since 8", "2026-03-29T12:00", "2026-03-29T08:00+02:00", None),
        ("between 1 and 4", "2026-03-29T12:00", "2026-03-29T01:00+01:00", "2026-03-29T04:00+02:00"),
        ("this week", "2026-10-25T12:00", "2026-10-19T00:00+02:00", None),
        # early in the morning
        ("tonight", "2026-11-18T02:00", "2026-11-17T18:00+01:00", None),
        ("last night", "2026-11-18T02:00", "2026-11-17T18:00+01:00", None),
        ("this morning", "2026-11-18T02:00", "2026-11-18T05:00+01:00", None),
        ("in the morning", "2026-11-18T02:00", "2026-11-17T05:00+01:00", "2026-11-17T12:00+01:00"),
        ("since 8", "2026-11-18T07:00", "2026-11-17T08:00+01:00", None),
        ("overnight", "2026-11-18T07:00", "2026-11-17T22:00+01:00", "2026-11-18T06:00+01:00"),
        ("between 11 pm and 1 am", "2026-11-18T00:30", "2026-11-17T23:00+01:00", None),
        # the turn of the year
        ("yesterday", "2027-01-01T08:00", "2026-12-31T00:00+01:00", "2027-01-01T00:00+01:00"),
        ("on december 24th", "2027-01-01T08:00", "2026-12-24T00:00+01:00", "2026-12-25T00:00+01:00"),
        ("last month", "2027-01-15T08:00", "2026-12-01T00:00+01:00", "2027-01-01T00:00+01:00"),
        ("on the 3rd of march", "2026-11-18T12:00", "2026-03-03T00:00+01:00", "2026-03-04T00:00+01:00"),
        # days of the week: today is one of them, but not the last one
        ("on wednesday", "2026-11-18T12:00", "2026-11-18T00:00+01:00", None),
        ("last wednesday", "2026-11-18T12:00", "2026-11-11T00:00+01:00", "2026-11-12T00:00+01:00"),
        ("last weekend", "2026-11-21T12:00", "2026-11-14T00:00+01:00", "2026-11-16T00:00+01:00"),
        ("this weekend", "2026-11-21T12:00", "2026-11-21T00:00+01:00", None),
        ("on friday night", "2026-11-18T12:00", "2026-11-13T18:00+01:00", "2026-11-14T06:00+01:00"),
        # hours
        ("at 8:30 pm yesterday", "2026-11-18T12:00", "2026-11-17T20:00+01:00", "2026-11-17T21:00+01:00"),
        ("since 6 yesterday evening", "2026-11-18T12:00", "2026-11-17T18:00+01:00", None),
        ("between 10 and 2 pm", "2026-11-18T15:00", "2026-11-18T10:00+01:00", "2026-11-18T14:00+01:00"),
        ("between 1 and 2 pm", "2026-11-18T15:00", "2026-11-18T13:00+01:00", "2026-11-18T14:00+01:00"),
        ("between 8 and 10", "2026-11-18T07:00", "2026-11-17T08:00+01:00", "2026-11-17T10:00+01:00"),
        ("before midnight yesterday", "2026-11-18T07:00", "2026-11-17T00:00+01:00", "2026-11-18T00:00+01:00"),
        ("from 12 am to 12 pm", "2026-11-18T15:00", "2026-11-18T00:00+01:00", "2026-11-18T12:00+01:00"),
        ("until 9 this morning", "2026-11-18T15:00", "2026-11-18T05:00+01:00", "2026-11-18T09:00+01:00"),
        ("the last half an hour", "2026-11-18T15:00", "2026-11-18T14:30+01:00", None),
        ("within the past week", "2026-11-18T15:00", "2026-11-11T15:00+01:00", None),
        ("20 minutes ago", "2026-11-18T15:00", "2026-11-18T14:35+01:00", "2026-11-18T14:45+01:00"),
        ("2 days ago", "2026-11-18T15:00", "2026-11-16T00:00+01:00", "2026-11-17T00:00+01:00"),
    ],
)
def test_times_in_words(text: str, now: str, since: str | None, until: str | None) -> None:
    assert span(text, now) == (since, until)


def test_without_a_zone_the_wall_is_the_machines() -> None:
    wall = Wall(None)
    noon = datetime(2026, 7, 1, 12)  # noqa: DTZ001 - on the wall
    assert wall.seconds(noon) == noon.timestamp()
    assert wall.at(noon.timestamp()) == noon


@pytest.mark.parametrize("month", range(1, 13))
def test_the_wall_gives_back_what_it_was_shown(month: int) -> None:
    for hours in range(0, 24 * 27, 7):
        moment = datetime(2026, month, 1, 0, 30) + timedelta(hours=hours)  # noqa: DTZ001
        if moment != datetime(2026, 3, 29, 2, 30):  # noqa: DTZ001 - an hour that was skipped
            assert WALL.at(WALL.seconds(moment)) == moment


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        ("11-18T00:00", None, "today"),
        ("11-17T00:00", "11-18T00:00", "yesterday"),
        ("11-16T00:00", "11-17T00:00", "on Monday 16 November"),
        ("11-16T00:00", None, "since Monday 16 November 00:00"),
        ("11-18T08:00", None, "since 08:00"),
        ("11-18T08:00", "11-18T10:00", "today from 08:00 to 10:00"),
        ("11-17T18:00", "11-18T06:00", "from yesterday 18:00 to 06:00"),
        (None, "11-18T06:00", "before 06:00"),
        (None, None, "in all that is stored"),
    ],
)
def test_periods_in_words(since: str | None, until: str | None, words: str) -> None:
    def at(text: str | None) -> float | None:
        return None if text is None else WALL.seconds(datetime.fromisoformat(f"2026-{text}"))

    now = WALL.seconds(datetime(2026, 11, 18, 14, 30))  # noqa: DTZ001
    assert Moments(WALL, now, language("en")).period(at(since), at(until)) == words


@pytest.mark.parametrize("zone", [BERLIN, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago")])
def test_what_lies_beyond_the_calendar_is_shown_as_its_end(zone: ZoneInfo) -> None:
    beyond = datetime(9999, 12, 31, 23, tzinfo=UTC).timestamp()
    moments = Moments(Wall(zone), 1795262400.0, language("en"))
    for period in (moments.period(beyond, None), moments.period(0.0, beyond), moments.period(beyond, beyond + 1e6)):
        assert "December 9999" in period


def test_of_many_moments_the_rest_is_counted() -> None:
    now = WALL.seconds(datetime(2026, 11, 18, 14, 30))  # noqa: DTZ001
    said = Moments(WALL, now, language("en")).several([now - 60 * n for n in range(9)])
    assert said.startswith("at 14:30, at 14:29, ")
    assert said.endswith(" and three more times")
