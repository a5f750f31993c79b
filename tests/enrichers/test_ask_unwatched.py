"""Of a time that nobody watched nothing is known, and an answer says so instead of `no`."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from ask_props import CAMERAS, LOCALE, NOW, ScriptedQueue, at, ring, visit

from blikk_edge.asking.question_service import QuestionService
from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.inquiry import AskQuestion, ListEvents, Reply
from blikk_edge.core.watched import NODE, Span, Watched
from blikk_edge.sinks.watched import watched_in
from blikk_edge.store.store import Store

IDS = tuple(camera.id for camera in CAMERAS)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "blikk.db")
    store.open()
    yield store
    store.close()


Asked = Callable[..., "Reply"]


def service(
    store: Store, watched: Mapping[str, Watched | None] | None = None, model: ScriptedQueue | None = None
) -> QuestionService:
    read = watched_in(store, store) if watched is None else watched.get
    return QuestionService(
        history=store,
        cameras=CAMERAS,
        clock=VirtualClock(NOW),
        locale=lambda: LOCALE,
        watched=read,
        states=tuple,
        queue=model,
    )


def everywhere(*spans: Span, **others: tuple[Span, ...]) -> dict[str, Watched | None]:
    """Each camera and the node were watched so, but for `others`."""
    return {name: Watched().with_spans(others.get(name, spans), now=NOW) for name in (NODE, *IDS)}


async def said(service: QuestionService, question: str) -> Reply:
    reply = await service.answer(AskQuestion(question=question))
    assert reply.ok, reply.error
    return reply


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How many people came yesterday?", "I did not watch yesterday, so I cannot tell."),
        (
            "How many people came to the front door yesterday?",
            "I did not watch at the front door yesterday, so I cannot",
        ),
        ("Was anyone there yesterday?", "I did not watch yesterday, so I cannot tell."),
        ("What happened today?", "I did not watch today, so I cannot tell."),
        ("How long were people at the front door this morning?", "I did not watch at the front door today from"),
        ("When was the last delivery?", "I did not watch so far, so I cannot tell."),
        ("Did the doorbell ring yesterday?", "I did not run yesterday, so I cannot tell."),
    ],
)
async def test_an_empty_store_has_seen_nothing_because_it_did_not_look(
    store: Store, question: str, expected: str
) -> None:
    reply = await said(service(store), question)
    assert (reply.text or "").startswith(expected)
    assert reply.count is None
    assert reply.query is not None


DAY = (at("00:00"), NOW)


async def test_what_was_watched_all_the_time_is_a_plain_no(store: Store) -> None:
    watched = everywhere((at("11-16 00:00"), NOW))
    assert (
        await said(service(store, watched), "How many people came yesterday?")
    ).text == "No people were seen yesterday."
    reply = await said(service(store, watched), "Did the doorbell ring today?")
    assert (reply.text, reply.count) == ("No, the doorbell did not ring today.", 0)


@pytest.mark.parametrize(
    ("watched", "expected"),
    [
        (everywhere((at("00:00"), at("08:00")), (at("10:00"), NOW)), "I did not watch today from 08:00 to 10:00."),
        (everywhere((at("09:00"), NOW)), "I did not watch today from 00:00 to 09:00."),
        (everywhere(DAY, yard=()), "The back yard was not watched today from 00:00 to 14:30."),
        (
            everywhere(DAY, yard=((at("06:00"), NOW),), driveway=((at("06:00"), NOW),)),
            "The back yard and the driveway were not watched today from 00:00 to 06:00.",
        ),
        (
            everywhere(*((at(f"{hour:02}:00"), at(f"{hour:02}:30")) for hour in range(0, 14, 2))),
            "I did not watch for 11 h of that time.",
        ),
        (everywhere((at("00:05"), NOW)), None),
        (everywhere(DAY) | {"yard": None}, None),
    ],
)
async def test_what_was_watched_in_part_is_reported_with_the_answer(
    store: Store, watched: Mapping[str, Watched | None], expected: str | None
) -> None:
    store.put(visit("11:30"))
    reply = await said(service(store, watched), "How many people came today?")
    assert reply.count == 1
    assert (reply.text or "").startswith("One person was seen today")
    assert "watch" not in (reply.text or "") if expected is None else (reply.text or "").endswith(expected)


async def test_only_the_cameras_asked_about_count(store: Store) -> None:
    watched = everywhere(DAY, yard=())
    assert "watch" not in ((await said(service(store, watched), "Who was at the front door today?")).text or "")
    reply = await said(service(store, watched), "How many cats were in the back yard today?")
    assert reply.text == "I did not watch at the back yard today, so I cannot tell."


async def test_what_was_seen_is_reported_also_where_no_record_says_that_it_was_watched(store: Store) -> None:
    store.put(visit("08:00"))
    store.put(ring("08:01"))
    watched = everywhere()
    assert (await said(service(store, watched), "How many people came today?")).count == 1
    assert (await said(service(store, watched), "Did the doorbell ring today?")).count == 1


async def test_an_older_store_answers_as_before(store: Store) -> None:
    for camera in IDS:
        store.put(visit("11-15 08:00", camera=camera))
    reply = await said(service(store), "How many people came yesterday?")
    assert (reply.text, reply.count) == ("No people were seen yesterday.", 0)


async def test_what_is_there_now_is_not_asked_of_the_record(store: Store) -> None:
    reply = await said(service(store), "Is anyone there now?")
    assert "watch" not in (reply.text or "")


async def test_a_model_does_not_word_away_what_is_not_known(store: Store) -> None:
    model = ScriptedQueue('{"answer": "No people were seen yesterday."}')
    reply = await said(service(store, model=model), "How many people came yesterday?")
    assert reply.text == "I did not watch yesterday, so I cannot tell."
    assert model.jobs == []


async def test_a_list_of_events_says_when_its_cameras_were_not_watched(store: Store) -> None:
    watched = everywhere(DAY, front_door=((at("00:00"), at("08:00")), (at("10:00"), NOW)), yard=())
    asked = service(store, watched)
    front = await asked.answer(ListEvents(camera="front_door", since=at("07:00"), until=at("23:00")))
    assert front.gaps == (("front_door", ((at("08:00"), at("10:00")),)),)
    every = await asked.answer(ListEvents(since=at("12:00")))
    assert every.gaps == (("yard", ((at("12:00"), NOW),)),)
    off = await service(store, {}).answer(ListEvents(since=at("12:00")))
    assert off.gaps == ()
    stopped = everywhere(DAY) | {NODE: Watched()}
    assert (await service(store, stopped).answer(ListEvents(since=at("12:00")))).gaps == (
        (NODE, ((at("12:00"), NOW),)),
    )
    assert (await asked.answer(ListEvents())).gaps == ()
    assert (await asked.answer(ListEvents(since=NOW + 60.0))).gaps == ()
