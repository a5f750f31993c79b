"""Frames of an edge client become Frames of a camera."""

import threading
import time

import cv2
import numpy as np
import pytest
from patience import in_time
from reading import WITHIN_S

from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.errors import SourceError
from blikk_edge.core.push_queue import Pushed, PushQueue
from blikk_edge.sources.push import PushSource
from blikk_edge.sources.terms import Terms
from blikk_edge.wire.push import MAX_SIDE_PX, jpeg_size


def jpeg(level: int, width: int = 64, height: int = 48) -> bytes:
    return cv2.imencode(".jpg", np.full((height, width, 3), level, np.uint8))[1].tobytes()


def source(push_queue: PushQueue, read_timeout_s: float = 5.0) -> PushSource:
    return PushSource(
        push_queue, Terms(camera="shed", shown="push", clock=SystemClock(), read_timeout_s=read_timeout_s)
    )


def frames(push_queue: PushQueue, count: int) -> list:
    made = source(push_queue).frames(threading.Event())
    return [next(made) for _ in range(count)]


def test_pixels_and_times_are_those_of_the_client() -> None:
    push_queue, now = PushQueue(), time.time()
    push_queue.put(Pushed(seq=1, time=now - 2.0, jpeg=jpeg(90)))
    push_queue.put(Pushed(seq=2, time=now - 1.0, jpeg=jpeg(200, 96, 64)))
    first, second = frames(push_queue, 2)
    assert (first.camera, first.seq, first.time, first.luma.shape) == ("shed", 1, now - 2.0, (48, 64))
    assert second.bgr().shape == (64, 96, 3)
    assert abs(int(second.bgr().mean()) - 200) <= 2


def test_times_never_go_back_and_a_wrong_clock_is_not_believed() -> None:
    push_queue, now = PushQueue(), time.time()
    for seq, stamp in enumerate((now, now - 3.0, 5.0, now + 1e6)):
        push_queue.put(Pushed(seq=seq, time=stamp, jpeg=jpeg(90)))
    times = [frame.time for frame in frames(push_queue, 4)]
    assert times == sorted(times)
    assert all(abs(each - time.time()) < 40 for each in times)


class SetClock(VirtualClock):
    """A node whose wall clock may be set."""

    ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s


@pytest.mark.parametrize("ahead_s", [21_600.0, -21_600.0])
def test_times_follow_the_nodes_clock_when_it_is_set(ahead_s: float) -> None:
    push_queue, clock = PushQueue(), SetClock(1.79e9)
    clock.ahead_s = ahead_s
    terms = Terms(camera="shed", shown="push", clock=clock, read_timeout_s=5.0)
    made = PushSource(push_queue, terms).frames(threading.Event())
    seen = []
    for second in range(20):
        clock.set(1.79e9 + second)
        clock.ahead_s = ahead_s if second < 10 else 0.0
        push_queue.put(Pushed(seq=second, time=1.79e9 + second, jpeg=jpeg(90)))
        frame = next(made)
        seen.append((frame.time - 1.79e9, frame.timeline))
    assert seen == [(second + (ahead_s if second < 10 else 0.0), int(second >= 10)) for second in range(20)]


def test_a_clients_clock_that_is_ahead_for_a_moment_moves_nothing() -> None:
    push_queue, clock = PushQueue(), VirtualClock(1.79e9)
    terms = Terms(camera="shed", shown="push", clock=clock, read_timeout_s=5.0)
    made = PushSource(push_queue, terms).frames(threading.Event())
    times = []
    for second in range(60):
        clock.set(1.79e9 + second)
        ahead_s = 25.0 if 10 <= second < 35 else 0.0
        push_queue.put(Pushed(seq=second, time=1.79e9 + second + ahead_s, jpeg=jpeg(90)))
        times.append(next(made).time - 1.79e9)
    assert times == pytest.approx(list(range(60)), abs=0.1)


def test_a_broken_picture_is_passed_over() -> None:
    push_queue, now = PushQueue(), time.time()
    push_queue.put(Pushed(seq=1, time=now, jpeg=b"\xff\xd8\xff\xd9"))
    push_queue.put(Pushed(seq=2, time=now, jpeg=jpeg(90)))
    made = source(push_queue)
    assert next(made.frames(threading.Event())).seq == 1
    assert made.corrupt == 1


def test_a_picture_larger_than_its_first_frame_header_says_is_not_decoded() -> None:
    push_queue, now, large = PushQueue(), time.time(), jpeg(90, 3000, 3000)
    header = bytes.fromhex("ffc0 0011 08 0010 0010 03 01 2200 02 1101 03 1101")
    hostile = large[:2] + header + large[2:]
    assert jpeg_size(hostile) == (16, 16)
    push_queue.put(Pushed(seq=1, time=now, jpeg=hostile))
    push_queue.put(Pushed(seq=2, time=now, jpeg=jpeg(90, MAX_SIDE_PX, MAX_SIDE_PX)))
    made = source(push_queue)
    frame = next(made.frames(threading.Event()))
    assert (made.corrupt, frame.seq, frame.luma.shape) == (1, 1, (MAX_SIDE_PX, MAX_SIDE_PX))


def test_a_silent_client_is_an_outage() -> None:
    with pytest.raises(SourceError, match="no edge client sends frames"):
        next(source(PushQueue(), read_timeout_s=0.1).frames(threading.Event()))


@in_time
def test_a_stop_is_noticed_within_a_second() -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    assert list(source(PushQueue()).frames(stop)) == []
    assert time.monotonic() - began < WITHIN_S
