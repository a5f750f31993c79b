"""A subscriber that is slow, impatient, or in another thread or loop."""

import asyncio
import threading
from typing import Any

import pytest

from blikk_edge.agents.hub import Hub
from blikk_edge.agents.subscription import Subscription
from blikk_edge.agents.wants import wants
from blikk_edge.core.errors import BlikkError, ConfigError
from blikk_edge.core.observation import Observation, Observed, Ring


class Time:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def seen(number: int, kind: Observed = Observed.MOTION) -> Observation:
    return Observation(id=f"o{number}", camera="c", kind=kind, time=number, until=number, score=0.5)


def subscription(**options: Any) -> Subscription:
    return Subscription(wants(), **options)


def ids(*records: Any) -> list[str]:
    return [record.id for record in records]


def test_a_slow_subscriber_loses_the_oldest_and_knows_how_many() -> None:
    slow = subscription(limit=3)
    for number in range(5):
        slow.put(seen(number))
    slow.end()
    assert ids(*slow) == ["o2", "o3", "o4"]
    assert slow.dropped == 2
    assert str(slow).splitlines()[0] == "(2 lost: read too slowly)"


def test_observations_come_at_most_so_often_and_similar_ones_are_folded() -> None:
    clock = Time()
    condensed = subscription(every_s=0.5, now=clock)
    condensed.put(seen(1))
    assert ids(condensed.get(0)) == ["o1"]  # the first at once
    for number in (2, 3):
        condensed.put(seen(number))
    condensed.put(seen(4, Observed.SCENE))
    condensed.put(seen(5))
    assert condensed.get(0) is None
    clock.now = 0.5
    folded, other = condensed.get(0), condensed.get(0)
    assert isinstance(folded, Observation)
    assert (folded.id, folded.until, folded.folded) == ("o2", 5, 3)
    assert ids(other) == ["o4"]
    condensed.put(seen(6))
    condensed.end()
    assert ids(*condensed) == ["o6"]  # what is held comes at the end


def test_what_is_held_comes_when_it_is_due_though_nothing_more_happens() -> None:
    condensed = subscription(every_s=0.05)
    condensed.put(seen(1))
    condensed.put(seen(2))
    assert ids(condensed.get(), condensed.get()) == ["o1", "o2"]


def test_iteration_ends_when_nothing_came_in_time() -> None:
    impatient = subscription(timeout_s=0.01)
    impatient.put(seen(1))
    assert ids(*impatient) == ["o1"]
    assert not impatient.ended


async def test_a_coroutine_is_woken_from_another_thread() -> None:
    waiting = subscription()
    reading = asyncio.create_task(anext(waiting))
    await asyncio.sleep(0)
    thread = threading.Thread(target=waiting.put, args=(seen(1),))
    thread.start()
    assert ids(await reading) == ["o1"]
    thread.join()
    impatient = subscription(timeout_s=0.01)
    assert [each async for each in impatient] == []
    closing = asyncio.create_task(waiting.aget())
    await asyncio.sleep(0)
    waiting.close()
    assert await closing is None


def test_what_went_wrong_is_raised_once_after_all_that_came() -> None:
    broken = subscription()
    broken.put(seen(1))
    broken.end(BlikkError("the clip broke off"))
    assert next(broken).id == "o1"
    with pytest.raises(BlikkError, match="broke off"):
        next(broken)
    assert list(broken) == []


def test_one_subscriber_takes_nothing_from_another() -> None:
    hub = Hub()
    first, second, rings = subscription(), subscription(), Subscription(wants("ring"))
    for each in (first, second, rings):
        hub.add(each)
    hub.put(seen(1))
    first.close()
    hub.put(Ring(id="r1", camera="c", time=2.0, via="http"))
    hub.put(seen(3))
    hub.end()
    assert ids(*first) == []
    assert ids(*second) == ["o1", "o3"]
    assert ids(*rings) == ["r1"]
    late = subscription()
    hub.add(late)
    assert list(late) == []


@pytest.mark.parametrize(
    ("kinds", "labels", "said"),
    [
        ("evnet", None, "did you mean 'event'"),
        (None, ["persons"], "did you mean 'person'"),
        ([], None, "no kind at all"),
    ],
)
def test_a_word_that_means_nothing_is_an_error(kinds: Any, labels: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        wants(kinds, labels)
