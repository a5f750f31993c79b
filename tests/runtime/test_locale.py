"""Times are reported in the configured zone, else in Home Assistant's as it reported it last, else in the machine's."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.locale import Claim, Locale
from blikk_edge.runtime.locale import HouseholdLocale
from blikk_edge.store.store import Store

BERLIN = Claim(timezone="Europe/Berlin", language="de")
SUMMER = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "hallway.db")
    store.open()
    yield store
    store.close()


def locale(memory, timezone=None, language=None):
    return HouseholdLocale(
        timezone=timezone, language=language, languages=("de", "en"), memory=memory, clock=SystemClock()
    )


def clock_in(made):
    return f"{SUMMER.astimezone(made().timezone):%H:%M}"


async def kept(made, store):
    """Run it until the memory has what was claimed."""
    task = asyncio.ensure_future(made.run())
    while "Berlin" not in (store.recall("locale") or ""):
        await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_nobody_has_reported_anything(store):
    assert locale(store)() == Locale()


async def test_a_claim_counts_at_once_and_outlives_the_process(store):
    made = locale(store)
    made.claimed(BERLIN)
    assert clock_in(made) == "14:00"
    await kept(made, store)
    assert clock_in(locale(store)) == "14:00"


async def test_a_claim_that_is_taken_back_or_names_no_zone_changes_nothing(store):
    made = locale(store)
    made.claimed(BERLIN)
    made.claimed(Claim())
    made.claimed(Claim(language="en"))
    assert clock_in(made) == "14:00"


async def test_the_configured_zone_counts_more_than_the_claimed_one(store):
    made = locale(store, "Asia/Tokyo")
    made.claimed(BERLIN)
    assert clock_in(made) == "21:00"


@pytest.mark.parametrize(
    ("configured", "claimed", "reported"),
    [
        (None, None, "en"),
        (None, "de", "de"),
        (None, "sv", "en"),  # no texts in it: templates and a model would tell in two languages
        ("sv", "de", "sv"),
        ("en", "de", "en"),
    ],
)
def test_the_language_is_the_configured_one_else_the_claimed_one_that_there_are_texts_in(
    store, configured, claimed, reported
):
    made = locale(store, language=configured)
    made.claimed(Claim(language=claimed))
    assert made().language == reported


async def test_a_zone_that_this_machine_does_not_know_is_reported_once_and_leaves_the_machines(store, caplog):
    made = locale(store)
    made.claimed(BERLIN)
    for _ in range(3):
        made.claimed(Claim(timezone="Mars/Base"))
    assert made().timezone is None
    (reported,) = [record.message for record in caplog.records if "Mars/Base" in record.message]
    assert "this machine does not know: times in texts are this machine's until" in reported


@pytest.mark.parametrize("text", ["", "[]", "{", '{"timezone": 1}', '{"place": "here"}', '{"timezone": "../x"}'])
def test_a_memory_that_cannot_be_read_is_none(store, text):
    store.remember("locale", text)
    assert locale(store)() == Locale()


async def test_a_memory_that_fails_is_reported_once_and_written_to_later(store, caplog, monkeypatch):
    fails = [True, True]

    class Full:
        def recall(self, key):
            return store.recall(key)

        def remember(self, key, text):
            if fails:
                fails.pop()
                raise StoreError("no space")
            store.remember(key, text)

    monkeypatch.setattr("blikk_edge.runtime.locale.AGAIN_S", 0.01)
    made = locale(Full())
    made.claimed(BERLIN)
    await kept(made, store)
    assert len([record for record in caplog.records if "no space" in record.message]) == 1


async def test_claims_without_end_are_a_few_lines_and_one_writing(store, caplog, monkeypatch):
    caplog.set_level("INFO", "blikk.locale")
    written, remember = [], store.remember
    monkeypatch.setattr(store, "remember", lambda key, text: (written.append(text), remember(key, text)))
    made = locale(store)
    task = asyncio.ensure_future(made.run())
    for number in range(50):
        zone = ("Europe/Berlin", "Asia/Tokyo", "Nowhere/Land")[number % 3]
        made.claimed(Claim(timezone=zone, language=("de", "en")[number % 2]))
        while not written:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert len(caplog.records) == 3
    assert len(written) == 1
