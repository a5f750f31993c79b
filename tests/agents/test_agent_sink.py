"""What an AgentSink calls may be slow, dear and broken: the stream goes on."""

import asyncio
import random
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from agent_props import MOVES

from blikk_edge import AgentSink, Stream
from blikk_edge.agents import agent_sink
from blikk_edge.agents.agent_sink import Digest
from blikk_edge.agents.hub import Hub
from blikk_edge.agents.subscription import Subscription
from blikk_edge.agents.wants import wants
from blikk_edge.core.backoff import Backoff
from blikk_edge.core.errors import ConfigError
from blikk_edge.core.observation import Observation, Observed

Make = Callable[..., Stream]


class AtOnce(Backoff):
    """Does not wait."""

    def next_s(self) -> float:
        return 0.0


def seen(number: float) -> Observation:
    return Observation(id=f"o{number}", camera="c", kind=Observed.MOTION, time=number, until=number, score=0.5)


def run(sink: AgentSink, *times: float) -> Hub:
    """Have the sink called with what was seen at these times of a file."""
    hub = Hub(clip=True)
    for time in times:
        hub.put(seen(time))
    hub.end()
    subscription = Subscription(wants())
    hub.add(subscription)
    sink.start(subscription, live=False)
    assert sink._thread is not None
    sink._thread.join(60)
    assert not sink._thread.is_alive()
    return hub


def test_each_window_in_which_something_was_seen_is_one_call(plain: Make, squares: Path, no_thread_left: None) -> None:
    given: list[Digest] = []
    hour: list[Digest] = []

    async def called(digest: Digest) -> None:
        hour.append(digest)

    with plain(squares, sinks=[AgentSink(given.append, window="10s")]) as stream:
        stream.add(AgentSink(called, window="1h"))
        stream.wait()
    assert [len(digest.observations) for digest in given] == [1] * len(MOVES)
    assert [each.folded for digest in hour for each in digest.observations] == [len(MOVES)]
    first = given[0]
    assert first.startswith("camera:\n")
    assert first.endswith(" motion")
    assert first.camera == "camera"
    assert first.since == first.observations[0].time


def test_one_that_fails_is_tried_again_with_the_same() -> None:
    given: list[Digest] = []

    def fails_twice(digest: Digest) -> None:
        given.append(digest)
        if len(given) < 3:
            raise ValueError("key=hunter2")

    sink = AgentSink(fails_twice, backoff=AtOnce(rng=random.Random(1)))
    run(sink, 1.0, 100.0)
    assert [digest.since for digest in given] == [1.0, 1.0, 1.0, 100.0]
    assert (sink.failed, sink.problem) == (2, None)


def test_one_that_always_fails_is_given_up_and_the_log_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    def fails(_digest: Digest) -> None:
        raise ValueError("key=hunter2")

    sink = AgentSink(fails, backoff=AtOnce())
    run(sink, 1.0, 100.0, 200.0)
    assert sink.failed == 3 * agent_sink.TRIES
    (said,) = caplog.messages
    assert re.fullmatch(r"what an AgentSink calls failed: ValueError in test_agent_sink\.py:\d+", said)
    assert "hunter2" not in caplog.text


def test_a_day_has_only_so_many_calls(caplog: pytest.LogCaptureFixture) -> None:
    given: list[Digest] = []
    sink = AgentSink(given.append, max_calls_per_day=2)
    run(sink, 1.0, 100.0, 200.0, 300.0)
    assert len(given) == 2
    assert "after midnight" in str(sink.problem)
    assert len(caplog.messages) == 1


def test_one_that_hangs_holds_up_nobody(
    plain: Make, squares: Path, monkeypatch: pytest.MonkeyPatch, no_thread_left: None
) -> None:
    monkeypatch.setattr(agent_sink, "LEFT_S", 0.1)
    go_on = threading.Event()
    sink = AgentSink(lambda _digest: go_on.wait(), window=0.1)
    with plain(squares, sinks=[sink]) as stream:
        assert len(list(stream.subscribe())) == len(MOVES)
    go_on.set()
    assert sink._thread is not None
    sink._thread.join(60)
    with pytest.raises(ConfigError, match="serves a stream already"), plain(squares, sinks=[sink]):
        pass


async def cancelled(_digest: Digest) -> None:
    raise asyncio.CancelledError


def interrupted(_digest: Digest) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("call", "name"), [(cancelled, "CancelledError"), (interrupted, "KeyboardInterrupt")])
def test_one_that_is_cancelled_has_failed_and_is_called_for_the_next_window(
    call: Callable[[Digest], object], name: str
) -> None:
    sink = AgentSink(call, window="10s", backoff=AtOnce())
    run(sink, 0.0, 20.0)
    assert sink.failed == 6
    assert sink.problem is not None
    assert sink.problem.startswith(f"what an AgentSink calls failed: {name}")


def test_one_may_end_the_stream_that_calls_it(plain: Make, squares: Path, no_thread_left: None) -> None:
    stream = plain(squares)
    sink, other = AgentSink(lambda _digest: stream.close(), window="1s"), AgentSink(print, window="1h")
    with stream:
        stream.add(sink)
        stream.add(other)
        assert stream.wait(60)
        assert sink._thread is not None
        sink._thread.join(60)
    assert (sink.calls_today > 0, sink.failed) == (True, 0)
    assert other._thread is not None
    assert not other._thread.is_alive()
