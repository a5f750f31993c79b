"""Mailboxes: what waits, what gives way, what is counted."""

import asyncio
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.core.fields import Backpressure
from blikk_edge.core.picture import Wanted
from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import Motion, View
from blikk_edge.runtime.mailbox import BUFFERED_SCENES, Intake, Mailbox


def scene(camera: str = "door", seq: int = 0, *, look: bool = True) -> Scene:
    pixels = np.zeros((2, 2), np.uint8)
    frame = Frame(camera=camera, seq=seq, time=float(seq), luma=pixels, convert=lambda: np.zeros((2, 2, 3), np.uint8))
    return Scene(frame=frame, motion=Motion(view=View.MOVING), look=look)


class Ticks:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_drop_keeps_the_newest_and_counts_the_rest() -> None:
    intake = Intake({"door": Backpressure.DROP})
    for seq in range(5):
        intake.offer(scene(seq=seq))
    taken = intake.take(0)
    assert taken is not None
    assert taken.scene.frame.seq == 4
    assert intake.dropped("door") == {"newer": 4}


def test_a_quiet_scene_does_not_push_out_one_that_shall_be_looked_at() -> None:
    intake = Intake({"door": Backpressure.DROP})
    intake.offer(scene(seq=1))
    intake.offer(scene(seq=2, look=False))
    taken = intake.take(0)
    assert taken is not None
    assert taken.scene.frame.seq == 1
    assert intake.dropped("door") == {"quiet": 1}


def test_a_full_buffer_gives_up_quiet_scenes_first() -> None:
    intake = Intake({"door": Backpressure.BUFFER})
    for seq in range(BUFFERED_SCENES):
        intake.offer(scene(seq=seq, look=seq != 7))
    intake.offer(scene(seq=99))
    seqs = []
    while (taken := intake.take(0)) is not None:
        seqs.append(taken.scene.frame.seq)
        intake.done("door", taken.ticket)
    assert seqs == [n for n in range(BUFFERED_SCENES) if n != 7] + [99]


def test_buffer_keeps_order_and_drops_the_oldest_when_full() -> None:
    intake = Intake({"door": Backpressure.BUFFER})
    for seq in range(BUFFERED_SCENES + 3):
        intake.offer(scene(seq=seq))
    seen = []
    while (taken := intake.take(0)) is not None:
        seen.append(taken.scene.frame.seq)
        intake.done("door", taken.ticket)
    assert seen == list(range(3, BUFFERED_SCENES + 3))
    assert intake.dropped("door") == {"full": 3}


def test_throttle_asks_for_fewer_frames_while_nobody_comes() -> None:
    ticks = Ticks()
    intake = Intake({"door": Backpressure.THROTTLE}, monotonic=ticks)
    accepted = 0
    for seq in range(50):
        ticks.now = seq * 0.2
        intake.offer(scene(seq=seq))
        if seq % 5 == 4 and (taken := intake.take(0)) is not None:  # a worker that needs a second for each
            accepted += 1
            intake.done("door", taken.ticket)
    assert accepted >= 5
    assert intake.dropped("door")["throttled"] >= 35


def test_a_lane_hands_out_one_frame_at_a_time() -> None:
    intake = Intake({"door": Backpressure.BUFFER})
    intake.offer(scene(seq=0))
    intake.offer(scene(seq=1))
    first = intake.take(0)
    assert first is not None
    assert intake.take(0) is None
    assert intake.hold("door") is None
    intake.done("door", first.ticket)
    assert intake.take(0) is not None


def test_a_lane_that_is_held_hands_out_nothing() -> None:
    intake = Intake({"door": Backpressure.DROP})
    intake.offer(scene())
    ticket = intake.hold("door")
    assert ticket is not None
    assert intake.take(0) is None
    intake.done("door", ticket)
    assert intake.take(0) is not None


def test_a_ticket_counts_once() -> None:
    intake = Intake({"door": Backpressure.BUFFER})
    for seq in range(3):
        intake.offer(scene(seq=seq))
    stuck = intake.take(0)
    assert stuck is not None
    intake.done("door", stuck.ticket)  # given back for a worker that hangs
    assert intake.take(0) is not None
    intake.done("door", stuck.ticket)  # the worker wakes up: the lane is another's now
    assert intake.take(0) is None


def test_pictures_that_were_wanted_of_a_dropped_scene_are_given_back() -> None:
    intake = Intake({"door": Backpressure.DROP})
    assert intake.offer(replace(scene(seq=1), wanted=(Wanted("ring", "r1"),))) == ()
    assert intake.offer(scene(seq=2)) == (Wanted("ring", "r1"),)


def test_the_camera_that_waited_longest_goes_first() -> None:
    ticks = Ticks()
    intake = Intake({"a": Backpressure.DROP, "b": Backpressure.DROP}, monotonic=ticks)
    intake.offer(scene("b"))
    ticks.now = 1.0
    intake.offer(scene("a"))
    assert [taken.scene.frame.camera for taken in (intake.take(0), intake.take(0)) if taken] == ["b", "a"]


def test_closing_wakes_and_empties() -> None:
    intake = Intake({"door": Backpressure.DROP})
    intake.offer(scene())
    intake.close()
    assert intake.take(10.0) is None


def keyed(item: str) -> str | None:
    return item[0] if item[0].isupper() else None


async def test_newer_items_of_the_same_key_replace_waiting_ones() -> None:
    box = Mailbox[str](limit=10, key=keyed)
    for item in ("A1", "r1", "A2", "r2", "B1"):
        box.put(item)
    assert [await box.get() for _ in range(len(box))] == ["r1", "A2", "r2", "B1"]


async def test_records_push_out_keyed_items_before_each_other() -> None:
    box = Mailbox[str](limit=3, key=keyed)
    for item in ("r1", "A1", "r2", "r3"):
        box.put(item)
    assert box.lost == 0
    box.put("r4")
    assert box.lost == 1
    assert [await box.get() for _ in range(len(box))] == ["r2", "r3", "r4"]


async def test_get_waits_for_an_item() -> None:
    box = Mailbox[str](limit=3, key=keyed)
    waiting = asyncio.create_task(box.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    box.put("r1")
    assert await waiting == "r1"


@given(st.lists(st.sampled_from(["A1", "A2", "B1", "r1", "r2"]), max_size=60), st.integers(1, 10))
def test_a_mailbox_never_exceeds_its_limit_and_loses_nothing_uncounted(items: list[str], limit: int) -> None:
    async def run() -> None:
        box = Mailbox[str](limit=limit, key=keyed)
        for item in items:
            box.put(item)
        assert len(box) <= limit
        left = [await box.get() for _ in range(len(box))]
        records = [i for i in items if keyed(i) is None]
        assert len([i for i in left if keyed(i) is None]) + box.lost == len(records)

    asyncio.run(run())


@pytest.mark.parametrize("strategy", list(Backpressure))
def test_every_strategy_hands_out_what_it_accepted(strategy: Backpressure) -> None:
    intake = Intake({"door": strategy})
    intake.offer(scene(seq=7))
    taken = intake.take(0)
    assert taken is not None
    assert taken.scene.frame.seq == 7


def test_a_camera_rests_when_nothing_of_it_waits_or_is_looked_at() -> None:
    intake = Intake({"door": Backpressure.DROP, "yard": Backpressure.DROP})
    assert intake.rests("door", 0)
    intake.offer(scene())
    assert not intake.rests("door", 0)
    assert intake.rests("yard", 0)
    taken = intake.take(0)
    assert taken is not None
    assert not intake.rests("door", 0)
    looking = threading.Timer(0.01, intake.done, ("door", taken.ticket))
    looking.start()
    assert intake.rests("door", 60.0)
    looking.join()
    intake.offer(scene())
    intake.close()
    assert not intake.rests("door", 60.0)  # nobody is waited for any more
