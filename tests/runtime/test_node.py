"""A whole node with scripted eyes: what one part's trouble does to the others."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from patience import PATIENCE, in_time
from stage_props import PERSON, Gauge, ScriptedSource, pipeline, refuse, tools

from blikk_edge.core.clock import Clock, SystemClock
from blikk_edge.core.commands import Press, Set, Setting, Snapshot
from blikk_edge.core.errors import BlikkError, ModelError, SinkError, StoreError
from blikk_edge.core.fields import Backpressure
from blikk_edge.core.nothing_new import LastAnswer
from blikk_edge.core.observation import Event, Observation, Phase, Ring
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Inbox, Item
from blikk_edge.core.probe import SinkNote
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Label
from blikk_edge.core.stages import Source
from blikk_edge.core.status import CameraAvailability, CameraInfo, CameraState, Health, SummaryMode
from blikk_edge.runtime import scheduler
from blikk_edge.runtime.camera import CameraRun
from blikk_edge.runtime.mailbox import Attempts, Intake
from blikk_edge.runtime.node import Node
from blikk_edge.runtime.outlets import Orders, Outlets
from blikk_edge.runtime.pipeline import Pipeline, VisionTools
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.runtime.switches import Switches
from blikk_edge.runtime.vision import VisionWorker

CLOCK = SystemClock()


@dataclass
class Spy:
    """A sink that keeps what it is given."""

    name: str = "spy"
    items: list[Item] = field(default_factory=list)

    async def run(self, inbox: Inbox[Item]) -> None:
        while True:
            self.items.append(await inbox.get())

    def of(self, kind: type, camera: str = "door") -> list:
        return [item for item in self.items if isinstance(item, kind) and getattr(item, "camera", camera) == camera]


@dataclass
class FakeMemory:
    kept: dict[str, str] = field(default_factory=dict)
    full: bool = False
    problem: str | None = None

    def recall(self, key: str) -> str | None:
        if self.problem is not None:
            raise StoreError(self.problem)
        return self.kept.get(key)

    def remember(self, key: str, text: str) -> None:
        if self.full:
            raise StoreError("disk full")
        self.kept[key] = text


@dataclass
class NoDelivery:
    """Brings records to nobody."""

    name: str = "delivery"
    outbox: int = 0
    lost: int = 0
    unsaved: int = 0
    writing: bool = False
    problems: Mapping[str, str] = field(default_factory=dict)

    def notes(self) -> Sequence[SinkNote]:
        return ()

    async def save(self) -> None:
        self.unsaved = 0

    async def run(self, inbox: Inbox[Item]) -> None:
        while True:
            await inbox.get()


@dataclass
class House:
    orders: Orders
    spy: Spy
    cameras: dict[str, CameraRun]
    supervisor: Supervisor
    memory: FakeMemory
    delivery: NoDelivery
    stop: asyncio.Event

    async def until(self, state: Callable[[], object], within_s: float = 15.0) -> None:
        deadline = time.monotonic() + PATIENCE * within_s
        while not state():
            assert time.monotonic() < deadline, "it did not come to pass"
            await asyncio.sleep(0.01)


@asynccontextmanager
async def house(
    sources: dict[str, Callable[[], Source]],
    *,
    make_pipeline: Callable[[str], Pipeline] = pipeline,
    make_tools: Callable[[], Callable[[str], VisionTools]] = lambda: lambda camera: tools(),
    stall_s: float = 30.0,
    away_after_s: float = 0.0,
    stuck_after_s: float = 30.0,
    sinks: tuple = (),
    clock: Clock = CLOCK,
    health_every_s: float = 0.2,
    unchanged: LastAnswer | None = None,
    attempts: Attempts | None = None,
) -> AsyncIterator[House]:
    supervisor, outlets, orders, spy, memory, delivery = (
        Supervisor(),
        Outlets(),
        Orders(),
        Spy(),
        FakeMemory(),
        NoDelivery(),
    )
    intake = Intake(dict.fromkeys(sources, Backpressure.DROP))
    cameras = {
        name: CameraRun(
            CameraInfo(id=name, name=name, labels=tuple(Label), ring=True),
            shown_source=f"scripted {name}",
            make_source=make,
            make_pipeline=lambda name=name: make_pipeline(name),
            switches=Switches(name, threshold=0.3),
            deliver=outlets.deliver,
            remember_parked=lambda parked: True,
            intake=intake,
            supervisor=supervisor,
            clock=clock,
            stall_s=stall_s,
            away_after_s=away_after_s,
            attempts=attempts,
            rings=("http",),
            unchanged=unchanged,
        )
        for name, make in sources.items()
    }
    node = Node(
        cameras=cameras,
        intake=intake,
        make_worker=lambda: VisionWorker(
            intake=intake, cameras=cameras, make_tools=make_tools, clock=clock, stuck_after_s=stuck_after_s
        ),
        workers=1,
        sinks=(spy, *sinks),
        enrichers=(),
        parts=(),
        writer=None,
        outlets=outlets,
        orders=orders,
        supervisor=supervisor,
        memory=memory,
        delivery=delivery,
        clock=clock,
        health_every_s=health_every_s,
        attempts=attempts,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(node.run(stop))
    try:
        yield House(orders, spy, cameras, supervisor, memory, delivery, stop)
    finally:
        stop.set()
        async with asyncio.timeout(10 * PATIENCE):
            await running


async def test_an_event_flows_from_source_to_sink() -> None:
    async with house({"door": ScriptedSource}) as run:
        await run.until(lambda: run.spy.of(Event))
        await run.until(lambda: run.spy.of(Health))
    assert run.spy.of(CameraAvailability)[0] == CameraAvailability(camera="door", online=False)
    assert CameraAvailability(camera="door", online=True) in run.spy.items


@in_time
async def test_stopping_ends_open_events_within_five_seconds() -> None:
    async with house({"door": ScriptedSource}) as run:
        await run.until(lambda: run.spy.of(Event))
        started = time.monotonic()
    assert time.monotonic() - started < 5.0
    assert run.spy.of(Event)[-1].phase is Phase.ENDED


async def test_a_dead_camera_does_not_disturb_another() -> None:
    dead = lambda: ScriptedSource("dead", last=0, then=refuse)  # noqa: E731
    async with house({"dead": dead, "door": ScriptedSource}) as run:
        await run.until(lambda: run.spy.of(Event, "door"))
        await run.until(lambda: any(state.problem for state in run.spy.of(CameraState, "dead")))
        assert not run.cameras["dead"].online
        assert run.cameras["door"].online


async def test_a_broken_stream_is_opened_again() -> None:
    source = ScriptedSource(last=5, then=refuse)
    async with house({"door": lambda: source}) as run:
        await run.until(lambda: source.connections >= 3)
    changes = [item.online for item in run.spy.of(CameraAvailability)]
    assert changes[:4] == [False, True, False, True]


async def test_a_stream_that_is_soon_back_was_never_away() -> None:
    source = ScriptedSource(last=5, then=refuse)
    async with house({"door": lambda: source}, away_after_s=60.0) as run:
        await run.until(lambda: source.connections >= 3)
        heard = len(run.spy.of(Health))
        await run.until(lambda: len(run.spy.of(Health)) > heard + 1)
    assert [item.online for item in run.spy.of(CameraAvailability)] == [False, True]
    assert [health.problems for health in run.spy.of(Health) if health.problems] == []
    assert [state.problem for state in run.spy.of(CameraState) if state.problem] == []


async def test_a_stream_that_stays_away_is_reported_after_its_time() -> None:
    def close(stop: threading.Event) -> None:
        source.last = 0
        refuse(stop)

    source = ScriptedSource(last=5, then=close)
    async with house({"door": lambda: source}, away_after_s=2.0) as run:
        await run.until(lambda: run.cameras["door"].waited_for)
        broke = time.monotonic()
        assert run.cameras["door"].state().problem is None
        await run.until(lambda: len(run.spy.of(CameraAvailability)) == 3)
        assert time.monotonic() - broke > 1.5
        assert not run.cameras["door"].online
        await run.until(lambda: run.spy.of(Health)[-1].problems == ("camera.door: rtsp://cam: connection refused",))


async def test_a_stream_that_is_back_only_for_moments_is_away() -> None:
    source = ScriptedSource(last=1, then=refuse)
    async with house({"door": lambda: source}, away_after_s=1.0) as run:
        await run.until(lambda: run.cameras["door"].online)
        await run.until(lambda: not run.cameras["door"].online)
        told = len(run.spy.of(CameraAvailability))
        await run.until(lambda: source.connections >= 5, within_s=40.0)
        assert not run.cameras["door"].online
        assert len(run.spy.of(CameraAvailability)) == told


async def test_a_stream_that_breaks_again_and_again_is_offline_and_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    source = ScriptedSource(last=1, then=refuse)
    async with house({"door": lambda: source}) as run:
        await run.until(lambda: source.connections >= 3)
        changes = len(run.spy.of(CameraAvailability))
        caplog.clear()
        await run.until(lambda: source.connections >= 6, within_s=40.0)
        assert len(run.spy.of(CameraAvailability)) == changes <= 5
        assert not run.cameras["door"].online
        assert "connection refused" in str(run.cameras["door"].state().problem)
    reported = [record.getMessage() for record in caplog.records if record.name == "blikk.camera.door"]
    assert [line for line in reported if not line.startswith("person")] == []


async def test_a_stream_that_broke_again_and_again_is_online_once_it_is_steady(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "STEADY_S", 1.0)
    source = ScriptedSource(last=1, then=refuse)
    async with house({"door": lambda: source}) as run:
        await run.until(lambda: source.connections >= 4)
        source.last = 10**9
        await run.until(lambda: run.cameras["door"].online, within_s=30.0)
        assert run.cameras["door"].state().problem is None


class BrokenOnce:
    """A pipeline whose first step is a bug."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, name: str) -> Pipeline:
        made = pipeline(name)
        self.made += 1
        if name == "bad" and self.made <= 2:

            def broken(scene: object, look_with: object) -> None:
                raise ZeroDivisionError("a bug in the pipeline")

            made.step = broken  # type: ignore[method-assign, assignment]
        return made


async def test_a_bug_in_one_pipeline_restarts_that_camera_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    sources = {"bad": lambda: ScriptedSource("bad"), "door": ScriptedSource}
    async with house(sources, make_pipeline=BrokenOnce()) as run:
        await run.until(lambda: run.spy.of(Event, "door") and run.spy.of(Event, "bad"))
        assert run.cameras["bad"].restarts == 1
        assert run.cameras["door"].restarts == 0
    assert "a bug in the pipeline" in caplog.text


async def test_a_reader_that_hangs_is_replaced() -> None:
    release = threading.Event()
    first = ScriptedSource(last=3, then=lambda stop: release.wait(60) and None)
    made = iter([first, ScriptedSource()])
    async with house({"door": lambda: next(made)}, stall_s=0.5) as run:
        await run.until(lambda: run.cameras["door"].restarts == 1 and run.cameras["door"].online)
        release.set()
        await asyncio.sleep(0.2)
        assert run.cameras["door"].online


async def test_a_reader_that_dies_of_a_bug_is_offline_until_it_works_again() -> None:
    def bug(stop: threading.Event) -> None:
        if source.connections == 1:
            raise ValueError("odd pixels")

    source = ScriptedSource(last=5, then=bug)
    source_again = lambda: source  # noqa: E731
    async with house({"door": source_again}) as run:
        await run.until(lambda: run.cameras["door"].restarts == 0 and source.connections >= 2)
        await run.until(lambda: run.cameras["door"].online)
        await run.until(lambda: "ValueError" not in (run.cameras["door"].state().problem or ""))
    changes = [item.online for item in run.spy.of(CameraAvailability)]
    assert changes[:4] == [False, True, False, True]


async def test_a_worker_that_hangs_is_replaced_and_its_camera_goes_on() -> None:
    release = threading.Event()
    hung = []

    def found(look: int) -> tuple:
        if look == 3 and not hung:
            hung.append(look)
            release.wait(60)
        return (PERSON,)

    shared = tools(found)
    async with house({"door": ScriptedSource}, make_tools=lambda: lambda camera: shared, stuck_after_s=0.5) as run:
        await run.until(lambda: hung)
        before = len(run.spy.of(Event))
        await run.until(lambda: run.cameras["door"].restarts == 1)
        await run.until(lambda: any(e.phase is Phase.STARTED for e in run.spy.of(Event)[before:]))
        release.set()
    phases = [e.phase for e in run.spy.of(Event)]
    assert phases.count(Phase.STARTED) == phases.count(Phase.ENDED)


def stumbling(stumble: threading.Event) -> Callable[[], Callable[[str], VisionTools]]:
    """Vision tools that break once when `stumble` is set, so that the pipeline starts anew."""

    def found(look: int) -> tuple:
        if stumble.is_set():
            stumble.clear()
            raise ZeroDivisionError
        return (PERSON,)

    shared = tools(found)
    return lambda: lambda camera: shared


async def test_a_step_that_hangs_is_switched_off_and_its_camera_goes_on() -> None:
    release = threading.Event()
    called: list[float] = []

    class Hanging(Gauge):
        def __call__(self, scene: Scene) -> Scene:
            called.append(scene.frame.time)
            release.wait(60)
            return scene

    def make_pipeline(camera: str) -> Pipeline:
        return pipeline(camera, steps=(Hanging(),))

    stumble = threading.Event()
    async with house(
        {"door": ScriptedSource}, make_pipeline=make_pipeline, make_tools=stumbling(stumble), stuck_after_s=0.5
    ) as run:
        camera = run.cameras["door"]
        await run.until(lambda: camera.restarts == 1)
        await run.until(lambda: run.spy.of(Event))
        problem = "switched off until blikk starts again: it hung"
        assert camera.state().problem == problem
        await run.until(lambda: any(f"camera.door.step.gauge: {problem}" in h.problems for h in run.spy.of(Health)))
        stumble.set()  # whatever is restarted later, it stays off
        await run.until(lambda: camera.restarts == 2)
        before = len(run.spy.of(Event))
        await run.until(lambda: any(e.phase is Phase.STARTED for e in run.spy.of(Event)[before:]))
        assert len(called) == 1
        release.set()


async def test_a_step_that_raises_is_named_and_comes_back_with_the_next_pipeline(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Gauge):
        def __call__(self, scene: Scene) -> Scene:
            raise KeyError(f"{scene.frame.luma} hunter2")

    steps = [Broken(), Gauge()]
    make_pipeline = lambda camera: pipeline(camera, steps=(steps.pop(0),))  # noqa: E731
    stumble = threading.Event()
    caplog.set_level(logging.INFO)
    async with house({"door": ScriptedSource}, make_pipeline=make_pipeline, make_tools=stumbling(stumble)) as run:
        camera = run.cameras["door"]
        await run.until(lambda: run.spy.of(Event))
        await run.until(lambda: any("step.gauge" in "".join(h.problems) for h in run.spy.of(Health)))
        assert "KeyError in __call__ (test_node.py:" in str(camera.state().problem)
        assert camera.restarts == 0
        stumble.set()
        await run.until(lambda: any(state.measures for state in run.spy.of(CameraState)))
        assert "camera.door.step.gauge" not in run.supervisor.problems
    lines = [record.getMessage() for record in caplog.records if record.name == "blikk.camera.door.step.gauge"]
    assert len(lines) == 2
    assert "KeyError" in lines[0]
    assert "works" in lines[1]
    assert "hunter2" not in caplog.text


async def test_frames_that_a_slow_step_was_not_given_are_counted() -> None:
    class Slow(Gauge):
        def __call__(self, scene: Scene) -> Scene:
            time.sleep(0.1)
            return scene

    make_pipeline = lambda camera: pipeline(camera, steps=(Slow(),))  # noqa: E731
    async with house({"door": ScriptedSource}, make_pipeline=make_pipeline) as run:
        await run.until(lambda: any(dict(h.skipped).get("gauge", 0) > 5 for h in run.spy.of(Health)))
        assert "on average, 50 are allowed" in str(run.cameras["door"].state().problem)
        assert dict(run.cameras["door"].state().skipped)["gauge"] > 5


async def test_a_camera_names_what_its_steps_measure() -> None:
    async with house({"door": ScriptedSource}, make_pipeline=lambda camera: pipeline(camera, steps=(Gauge(),))) as run:
        assert [measure.name for measure in run.cameras["door"].info.measures] == ["angle"]
        await run.until(lambda: any(o.measures for o in run.spy.of(Observation)))


async def test_a_pipeline_that_fails_again_and_again_is_not_restarted_without_pause() -> None:
    def found(look: int) -> tuple:
        raise ZeroDivisionError("every look fails")

    async with house({"door": ScriptedSource}, make_tools=lambda: lambda camera: tools(found)) as run:
        await run.until(lambda: run.cameras["door"].restarts >= 1)
        await asyncio.sleep(1.5)  # the claim is about what does not happen meanwhile
        assert run.cameras["door"].restarts <= 3


async def test_a_detector_that_breaks_is_opened_anew() -> None:
    made = []

    def make_tools() -> Callable[[str], VisionTools]:
        made.append(1)

        def found(look: int) -> tuple:
            if len(made) == 1:
                raise ModelError("the accelerator was unplugged")
            return (PERSON,)

        mine = tools(found)
        return lambda camera: mine

    async with house({"door": ScriptedSource}, make_tools=make_tools) as run:
        await run.until(lambda: run.spy.of(Event))
        assert run.cameras["door"].restarts == 0
    assert len(made) == 2


async def test_an_outage_ends_open_events_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blikk_edge.runtime.camera.LOST_AFTER_S", 0.5)
    first = ScriptedSource(last=20, then=refuse)
    async with house({"door": lambda: first}) as run:
        await run.until(lambda: run.spy.of(Event))
        first.last = 0  # from now on every connection is refused
        await run.until(lambda: run.spy.of(Event)[-1].phase is Phase.ENDED)
        counted = len(run.spy.of(Event))
        assert dict(run.cameras["door"].state().counts)[Label.PERSON] == 0
    assert len(run.spy.of(Event)) == counted


async def test_a_picture_that_stays_the_same_ends_open_events_and_leaves_the_camera_online(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("blikk_edge.runtime.camera.LOST_AFTER_S", 0.5)
    answered = LastAnswer(CLOCK)

    def same(stop: threading.Event) -> None:
        while not stop.wait(0.02):
            answered()

    source = ScriptedSource(last=20, then=same)
    async with house({"door": lambda: source}, unchanged=answered, stall_s=2.0) as run:
        await run.until(lambda: run.spy.of(Event) and run.spy.of(Event)[-1].phase is Phase.ENDED)
        counted = len(run.spy.of(Event))
        await run.until(lambda: (run.cameras["door"].state().last_frame_age_s or 0) > 4.0)
        state = run.cameras["door"].state()
        assert state.online
        assert dict(state.counts)[Label.PERSON] == 0
        assert state.fps < 6  # twenty frames at fifty a second, and four seconds of none
        assert run.cameras["door"].restarts == 0
        assert source.connections == 1
        assert len(run.spy.of(Event)) == counted


async def test_a_worker_that_cannot_open_its_model_tries_again() -> None:
    tries = []

    def make_tools() -> Callable[[str], VisionTools]:
        tries.append(1)
        if len(tries) == 1:
            raise BlikkError("model is not there yet")
        return lambda camera: tools()

    async with house({"door": ScriptedSource}, make_tools=make_tools) as run:
        await run.until(lambda: run.spy.of(Event))
    assert len(tries) == 2


async def test_switches_change_the_state_and_are_kept() -> None:
    async with house({"door": ScriptedSource}) as run:
        await run.until(lambda: run.cameras["door"].online)
        run.orders.give(Set(camera="door", setting=Setting.DETECT, value=False))
        run.orders.give(Set(camera="door", setting=Setting.THRESHOLD, value=0.55))
        await run.until(lambda: run.spy.of(CameraState) and run.spy.of(CameraState)[-1].threshold == 0.55)
        assert run.spy.of(CameraState)[-1].detect is False
        await run.until(lambda: "0.55" in run.memory.kept.get("switches/door", ""))


async def test_a_full_disk_does_not_undo_a_switch() -> None:
    async with house({"door": ScriptedSource}) as run:
        await run.until(lambda: run.cameras["door"].online)
        run.memory.full = True
        run.orders.give(Set(camera="door", setting=Setting.DETECT, value=False))
        await run.until(lambda: run.spy.of(CameraState) and run.spy.of(CameraState)[-1].detect is False)
        await run.until(lambda: "store.switches" in run.supervisor.problems)


async def test_a_ring_is_reported_before_its_picture() -> None:
    async with house({"door": ScriptedSource}) as run:
        await run.until(lambda: run.cameras["door"].online)
        run.orders.give(Press(camera="door", via="http"))
        await run.until(lambda: any(p.name == "ring" for p in run.spy.of(Picture)))
    ring = next(i for i, item in enumerate(run.spy.items) if isinstance(item, Ring))
    picture = next(i for i, item in enumerate(run.spy.items) if isinstance(item, Picture) and item.name == "ring")
    assert ring < picture
    assert run.spy.items[picture].event == run.spy.items[ring].id  # type: ignore[union-attr]


async def test_a_ring_that_is_not_allowed_is_ignored() -> None:
    async with house({"door": ScriptedSource}) as run:
        await run.until(lambda: run.cameras["door"].online)
        run.orders.give(Press(camera="door", via="mqtt"))
        run.orders.give(Press(camera="door", via="http"))
        await run.until(lambda: run.spy.of(Ring))
    assert [ring.via for ring in run.spy.of(Ring)] == ["http"]


async def test_commands_without_end_are_a_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "blikk")
    async with house({"door": ScriptedSource}) as run:
        await run.until(lambda: run.cameras["door"].online)
        for _ in range(100):
            run.orders.give(Snapshot(camera="nowhere"))
            run.orders.give(Press(camera="door", via="mqtt"))
            run.orders.give(Set(camera="door", setting=Setting.SUMMARY, value=SummaryMode.VISION))
            run.orders.give(Press(camera="door", via="http"))
        await run.until(lambda: len(run.spy.of(Ring)) == 100)
    lines = [record.getMessage() for record in caplog.records]
    for said in ("not here", "by mqtt was ignored", "cannot be made by `vision`", "ring by http"):
        assert sum(said in line for line in lines) == 1


async def test_commands_for_unknown_cameras_are_ignored() -> None:
    async with house({"door": ScriptedSource}) as run:
        run.orders.give(Snapshot(camera="nowhere"))
        await run.until(lambda: run.spy.of(Event))


async def test_a_sink_that_fails_does_not_hold_up_another() -> None:
    class Broken:
        name = "broken"

        async def run(self, inbox: Inbox[Item]) -> None:
            raise SinkError("no broker at 127.0.0.1:1")

    async with house({"door": ScriptedSource}, sinks=(Broken(),)) as run:
        await run.until(lambda: run.spy.of(Event))
        await run.until(lambda: any(health.problems for health in run.spy.of(Health)))


class SetClock(SystemClock):
    """This machine's clock, as if somebody had set it."""

    ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s


async def test_a_clock_that_was_never_set_is_a_problem_until_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("blikk_edge.runtime.node.WATCH_EVERY_S", 0.05)
    clock = SetClock()
    clock.ahead_s = -time.time()
    async with house({"door": ScriptedSource}, clock=clock) as run:
        await run.until(lambda: run.spy.of(Event))
        problem = (
            "clock: the machine's clock is not set, it shows 1970-01; times are wrong until the network (NTP) sets it"
        )
        await run.until(lambda: any(problem in health.problems for health in run.spy.of(Health)))
        clock.ahead_s = 0.0
        await run.until(lambda: run.spy.of(Health)[-1].problems == ())
    assert caplog.text.count("the machine's clock is not set") == 1
    assert caplog.text.count("open events end, and times go on from there") == 1


async def test_a_store_that_failed_is_a_problem_until_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else asks it meanwhile: who failed at the start may never try again."""
    monkeypatch.setattr("blikk_edge.runtime.node.WATCH_EVERY_S", 0.05)
    async with house({"door": ScriptedSource}) as run:
        run.memory.problem = "store s.db: cannot open: another process uses it"
        run.supervisor.fail("store", StoreError(run.memory.problem))
        await run.until(lambda: any(run.memory.problem in p for p in _problems(run)))
        run.memory.problem = None
        await run.until(lambda: not _problems(run))
    assert "store" not in run.supervisor.problems


async def test_records_that_a_power_cut_would_cost_are_a_problem_while_they_are_there() -> None:
    async with house({"door": ScriptedSource}) as run:
        run.delivery.unsaved = 12
        said = "store.memory: 12 records are in memory only and would be lost with the power"
        await run.until(lambda: _problems(run) == (said,))
        run.delivery.unsaved = 0
        await run.until(lambda: not _problems(run))


async def test_what_went_wrong_and_is_mended_is_reported_long_before_the_healths_turn() -> None:
    async with house({"door": ScriptedSource}, health_every_s=600) as run:
        await run.until(lambda: run.spy.of(Health))
        run.delivery.unsaved = 12
        await run.until(lambda: _problems(run))
        run.delivery.unsaved = 0
        await run.until(lambda: not _problems(run))
    assert len(run.spy.of(Health)) == 3


def _problems(run: House) -> tuple[str, ...]:
    health = run.spy.of(Health)
    return health[-1].problems if health else ()


async def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()
    async with house({"door": ScriptedSource}) as run:
        await run.until(lambda: run.spy.of(Event))
    deadline = time.monotonic() + 5 * PATIENCE
    while {t.name for t in threading.enumerate()} & {"vision", "camera.door"}:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert threading.active_count() <= before + 2  # asyncio.to_thread's own pool
