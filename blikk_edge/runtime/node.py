"""One running node: cameras, vision workers, sinks and inputs, from start to a clean end."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Final, Protocol

from blikk_edge.core.clock import Clock, steady
from blikk_edge.core.commands import Command, Describe, Hint, Press, Set, Setting, Snapshot
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.observation import Ring
from blikk_edge.core.permit import Permit
from blikk_edge.core.picture import RING, SNAPSHOT
from blikk_edge.core.ports import Enricher, Inbox, Item, Memory, Reporting, Sink, Unfinished
from blikk_edge.core.probe import NodeNote, Probe, SinkNote
from blikk_edge.core.rate_limited_log import RateLimitedLog
from blikk_edge.core.status import CameraAvailability, LlmState, SummaryMode
from blikk_edge.core.summary import Summary
from blikk_edge.runtime import log
from blikk_edge.runtime.camera import READER_END_S, VISION, CameraRun
from blikk_edge.runtime.health import Vitals, temperature_c
from blikk_edge.runtime.held import HeldInbox
from blikk_edge.runtime.mailbox import Attempts, Intake
from blikk_edge.runtime.outlets import Orders, Outlets
from blikk_edge.runtime.scheduler import Scheduler, SupervisedThread, Supervisor
from blikk_edge.runtime.vision import Held, VisionWorker
from blikk_edge.runtime.watched_inbox import WatchedInbox

WATCH_EVERY_S: Final = 5.0
AWAY_EVERY_S: Final = 1.0

PROBLEMS_EVERY_S: Final = 2.0
"""So soon the health reports that something went wrong or is mended: it is a state, which nobody should doubt."""

SHARE_S: Final = 0.1
"""So soon a camera is watched that this node may watch, and let go that it may not."""

LEFT_BEHIND_MAX: Final = 8
"""Threads that hang in a library are left behind; more than these would eat the machine."""

DRAIN_S: Final = 0.5
SETTLE_S: Final = 0.02
TURNS: Final = 5
"""Turns of the event loop: from a thread to a mailbox, to the task that waits at it, and some to spare."""

STORE: Final = "store"
CLOCK: Final = "clock"
"""The part that the machine's clock is, in logs and problems."""


class Part(Protocol):
    """Something that runs beside cameras and sinks: a button, a hook, the queue of the language model."""

    name: str

    async def run(self) -> None:
        """Work until cancelled; raises BlikkError."""
        ...


class Writer(Protocol):
    """Whoever writes about what happened."""

    @property
    def modes(self) -> Sequence[SummaryMode]:
        """The ways of writing that may be switched to."""
        ...

    async def describe(self, camera: str) -> Summary:
        """What this camera sees now, in words."""
        ...

    def state(self) -> LlmState | None:
        """How the language model is doing; None without one."""
        ...


class SignOfLife(Protocol):
    """Shows others on this machine that the node lives (`runtime.heartbeat`)."""

    async def run(self, status: Callable[[], str], sleep: Callable[[float], Awaitable[None]]) -> None:
        """Show it until cancelled; `status` is one line about how the node is doing."""
        ...

    def stopping(self) -> None:
        """Show that the node ends now."""
        ...

    def close(self) -> None:
        """Show that it is gone."""
        ...


class Deliverer(Protocol):
    """Brings records to the durable sinks (`runtime.delivery`)."""

    name: str

    @property
    def outbox(self) -> int:
        """Records that wait for the sink that is furthest behind."""
        ...

    @property
    def lost(self) -> int:
        """Records that had to be given up since start."""
        ...

    @property
    def unsaved(self) -> int:
        """Records that are kept in memory only."""
        ...

    @property
    def problems(self) -> Mapping[str, str]:
        """What is wrong now, by sink."""
        ...

    def notes(self) -> Sequence[SinkNote]:
        """How each durable sink is doing now."""
        ...

    @property
    def writing(self) -> bool:
        """Whether a record is on its way into the journal."""
        ...

    async def save(self) -> None:
        """Try to bring to disk what is kept in memory."""
        ...

    async def run(self, inbox: Inbox[Item]) -> None:
        """Deliver until cancelled, then what is left."""
        ...


class Node:
    """A node that runs until it is asked to stop; a demo's also ends when all its finite sources have.

    With a `permit` it watches the cameras only that it says, and those of `outside` get nothing of any other.
    """

    def __init__(
        self,
        *,
        cameras: Mapping[str, CameraRun],
        intake: Intake,
        make_worker: Callable[[], VisionWorker],
        workers: int,
        sinks: Sequence[Sink],
        enrichers: Sequence[Enricher],
        parts: Sequence[Part],
        writer: Writer | None,
        outlets: Outlets,
        orders: Orders,
        supervisor: Supervisor,
        memory: Memory,
        delivery: Deliverer,
        clock: Clock,
        health_every_s: float,
        unfinished: Unfinished | None = None,
        heartbeat: SignOfLife | None = None,
        probe: Probe | None = None,
        attempts: Attempts | None = None,
        permit: Permit | None = None,
        outside: Sequence[Sink] = (),
    ) -> None:
        self._permit = permit
        self._outside = tuple(outside)
        self._cameras = cameras
        self._intake = intake
        self._attempts = attempts
        self._make_worker = make_worker
        self._worker_count = workers
        self._sinks = sinks
        self._enrichers = enrichers
        self._parts = parts
        self._writer = writer
        self._outlets = outlets
        self._orders = orders
        self._supervisor = supervisor
        self._memory = memory
        self._delivery = delivery
        self._clock = steady(clock)
        self._timeline = 0
        self._health_every_s = health_every_s
        self._unfinished = unfinished
        self._heartbeat = heartbeat
        self._probe = probe
        self._noted: dict[str, float] = {}
        self._readers: dict[str, SupervisedThread] = {}
        self._ending: dict[str, float] = {}
        self._sharing: asyncio.Task[None] | None = None
        self._workers: list[tuple[VisionWorker, SupervisedThread]] = []
        self._retired: list[SupervisedThread] = []
        self._rings = 0
        self._asked_in_vain = RateLimitedLog(self._clock)
        self._rung = RateLimitedLog(self._clock)
        self._switched: set[str] = set()
        self._switch = asyncio.Event()
        self._describing: set[str] = set()
        self._describe = asyncio.Event()
        self._over = asyncio.Event()

    async def run(self, stop: asyncio.Event, *, until_finished: bool = False) -> None:
        """Start everything, watch it, and end it in order: readers, events, records, `offline`.

        Raises BlikkError when so many threads hang in libraries that only a new process helps.
        """
        scheduler = Scheduler(self._clock, self._supervisor)
        consumers = (*self._sinks, *self._enrichers)
        names = (self._delivery.name, *(consumer.name for consumer in consumers))
        records, *inboxes = self._outlets.open(names)
        self._orders.open(self._carry_out)
        self._timeline = self._clock.timeline
        self._look_at_clock()
        delivering = scheduler.task(self._delivery.name, partial(self._delivery.run, records))
        for consumer, inbox in zip(consumers, self._watched(inboxes), strict=True):
            scheduler.task(consumer.name, partial(consumer.run, inbox))
        for part in self._parts:
            scheduler.task(part.name, part.run)
        if self._unfinished is not None and not await self._end_left_open(self._unfinished):
            scheduler.task("left open", partial(self._keep_ending, self._unfinished))
        self._start(scheduler)
        try:
            await self._wait(stop, until_finished=until_finished)
            if self._permit is not None:
                await self._permit.hand_over()
        finally:
            if self._heartbeat is not None:
                self._heartbeat.stopping()
            await self._end(scheduler, delivering)
            if self._heartbeat is not None:
                self._heartbeat.close()
        if self._over.is_set():
            raise BlikkError(
                f"{len(self._retired)} threads hang in a library and cannot be ended; start blikk again, and see "
                "which camera the log names"
            )

    def _start(self, scheduler: Scheduler) -> None:
        """Start all that watches, and what reports on it."""
        for camera in self._cameras.values():
            self._outlets.deliver(CameraAvailability(camera=camera.info.id, online=False))
            self._outlets.deliver(camera.state())
        for _ in range(self._worker_count):
            self._start_worker(scheduler)
        if self._permit is None:
            for name, camera in self._cameras.items():
                self._start_reader(scheduler, name, camera)
        else:
            self._sharing = scheduler.task("share", partial(self._share, scheduler, self._permit))
        scheduler.task("health", self._report)
        scheduler.task("switches", self._keep_switches)
        if self._writer is not None:
            scheduler.task("describe", partial(self._describe_cameras, self._writer))
        scheduler.task("watch", partial(self._watch, scheduler))
        scheduler.task("away", self._report_away)
        if self._heartbeat is not None:
            scheduler.task("heartbeat", partial(self._heartbeat.run, self._status, self._clock.sleep))

    def note(self) -> NodeNote:
        """How cameras, mailboxes, sinks and the language model are doing now; to be called in the event loop."""
        durable = {note.name: note for note in self._delivery.notes()}
        own = {sink.name: sink.problem for sink in self._sinks if isinstance(sink, Reporting)}
        failed = self._supervisor.problems
        names = dict.fromkeys((*durable, *(sink.name for sink in self._sinks)))
        return NodeNote(
            cameras=tuple(camera.state() for camera in self._cameras.values()),
            lanes=self._intake.notes(),
            mailboxes=self._outlets.notes(),
            sinks=tuple(
                SinkNote(
                    name=name,
                    backlog=durable[name].backlog if name in durable else None,
                    problem=failed.get(name) or own.get(name) or (durable[name].problem if name in durable else None),
                )
                for name in names
            ),
            lost=self._delivery.lost + self._outlets.lost(),
            unsaved=self._delivery.unsaved,
            llm=self._writer.state() if self._writer is not None else None,
            temperature_c=temperature_c(),
            problems=self.problems,
        )

    def _watched(self, inboxes: Sequence[Inbox[Item]]) -> Sequence[Inbox[Item]]:
        """The inboxes of sinks and enrichers; the probe sees what a sink takes that gets only what flows now."""
        if (permit := self._permit) is not None:
            held = [sink in self._outside for sink in self._sinks]
            inboxes = [
                HeldInbox(inbox, permit) if place < len(held) and held[place] else inbox
                for place, inbox in enumerate(inboxes)
            ]
        if self._probe is None:
            return inboxes
        durable = {note.name for note in self._delivery.notes()}
        sinks = {
            place: WatchedInbox(inboxes[place], sink.name, self._probe)
            for place, sink in enumerate(self._sinks)
            if sink.name not in durable
        }
        return [sinks.get(place, inbox) for place, inbox in enumerate(inboxes)]

    # -- what an earlier process left open -----------------------------------------------------------------------

    async def _end_left_open(self, unfinished: Unfinished) -> bool:
        """Report the end of the events that went on when the last process was killed; whether the store could be asked.

        Each is written as reported in one transaction, so it ends once, however often this one is killed.
        """
        with self._supervisor.guard(STORE) as outcome:
            left = await asyncio.to_thread(unfinished.left_open)
            for event in left:
                self._outlets.deliver(event)
            if left:
                log.part("node").warning("%d events went on when it ended last; they end now as last seen", len(left))
        return not outcome.failed

    async def _keep_ending(self, unfinished: Unfinished) -> None:
        while not await self._end_left_open(unfinished):
            await self._clock.sleep(WATCH_EVERY_S)
        self._supervisor.well(STORE)

    async def _look_at_store(self) -> None:
        """Try a store that failed again, and log when it works: nobody else may have a reason to."""
        if STORE in self._supervisor.problems or self._memory.problem is not None:
            with self._supervisor.attempt(STORE):
                await asyncio.to_thread(self._memory.recall, "node")
        if self._delivery.unsaved:
            await self._delivery.save()

    async def _note_open(self, unfinished: Unfinished) -> None:
        """Keep on disk when open events were last seen: a quiet visit may have been reported an hour ago."""
        seen = {name: round(time, 1) for camera in self._cameras.values() for name, time in camera.pipeline.open}
        if seen == self._noted:
            return
        with self._supervisor.attempt("store.open"):
            await asyncio.to_thread(unfinished.note_open, seen)
            self._noted = seen

    # -- parts ---------------------------------------------------------------------------------------------------

    def _carry_out(self, command: Command) -> None:
        """One command from outside; runs in the loop."""
        camera = self._cameras.get(command.camera)
        if camera is None:
            self._warn("node", "a command for a camera that is not here was ignored")
            return
        if self._permit is not None and self._permit.fence(command.camera) is None and not _is_for_all(command):
            return  # it is for who watches that camera
        match command:
            case Set(setting=Setting.DETECT, value=value):
                camera.switches.detect = bool(value)
                self._keep(camera)
            case Set(setting=Setting.THRESHOLD, value=value):
                camera.switches.threshold = float(value)
                self._keep(camera)
            case Set(setting=Setting.SUMMARY, value=SummaryMode() as mode):
                self._set_summary(camera, mode)
            case Describe():
                self._describing.add(camera.info.id)
                self._describe.set()
            case Snapshot():
                camera.pipeline.want(SNAPSHOT)
            case Press(via=via):
                self._ring(camera, via)
            case Hint():
                camera.hint()
                return
        self._outlets.deliver(camera.state())

    def _set_summary(self, camera: CameraRun, mode: SummaryMode) -> None:
        if self._writer is None or mode not in self._writer.modes:
            self._warn(camera.part, f"summaries cannot be made by `{mode}` here: `summary` does not provide it")
            return
        camera.switches.summary = mode
        self._keep(camera)

    async def _describe_cameras(self, writer: Writer) -> None:
        """Write what was asked for, one after the other."""
        while True:
            while self._describing:
                camera = self._describing.pop()
                with self._supervisor.attempt("describe"):
                    self._outlets.deliver(await writer.describe(camera))
            self._describe.clear()
            await self._describe.wait()

    def _ring(self, camera: CameraRun, via: str) -> None:
        if via not in camera.rings:
            self._warn(camera.part, f"a ring by {via} was ignored: its `ring` setting does not allow that")
            return
        now = self._clock.now()
        self._rings += 1
        name = f"{camera.info.id}-ring-{int(now * 1000)}-{self._rings}"
        self._outlets.deliver(Ring(id=name, camera=camera.info.id, time=now, via=via))
        if camera.online:
            camera.pipeline.want(RING, name)
        if (more := self._rung.turn(camera.info.id)) is not None:
            log.part(camera.part).info("ring by %s%s", via, more)

    def _warn(self, part: str, text: str) -> None:
        """Log a command that has no effect; whoever may send them may send many."""
        if (more := self._asked_in_vain.turn((part, text))) is not None:
            log.part(part).warning("%s%s", text, more)

    def _keep(self, camera: CameraRun) -> None:
        """Let switch positions outlive the process."""
        self._switched.add(camera.info.id)
        self._switch.set()

    async def _keep_switches(self) -> None:
        """Write the positions of switches that were moved; always the newest ones."""
        while True:
            while self._switched:
                camera = self._cameras[next(iter(self._switched))]
                self._switched.discard(camera.info.id)
                with self._supervisor.attempt("store.switches"):
                    await asyncio.to_thread(camera.switches.keep, self._memory)
            self._switch.clear()
            await self._switch.wait()

    def _start_reader(self, scheduler: Scheduler, name: str, camera: CameraRun) -> None:
        self._readers[name] = scheduler.thread(camera.part, camera.read, leave_after_s=READER_END_S)

    async def _share(self, scheduler: Scheduler, permit: Permit) -> None:
        """Watch what this node may watch, and let go of what it may not."""
        spoken: set[str] = set()
        while True:
            for name, camera in self._cameras.items():
                if permit.fence(name) is None:
                    spoken.discard(name)
                elif name not in spoken and camera.known:
                    spoken.add(name)  # what was reported before it was held went to nobody
                    self._outlets.deliver(CameraAvailability(camera=camera.info.id, online=camera.online))
                    self._outlets.deliver(camera.state())
                reader = self._readers.get(name)
                if reader is not None and (name in self._ending or not permit.watches(name)):
                    self._let_go(scheduler, name, camera, reader)
                elif not permit.watches(name):
                    continue
                elif reader is None:
                    self._start_reader(scheduler, name, camera)
                elif camera.online:
                    permit.seen(name)
            self._outlets.release()
            await self._clock.sleep(SHARE_S)

    def _let_go(self, scheduler: Scheduler, name: str, camera: CameraRun, reader: SupervisedThread) -> None:
        """Another node watches it: end its reader, which may wait in a library until its own limits."""
        reader.stop.set()
        since = self._ending.setdefault(name, self._clock.monotonic())
        if not reader.ended.is_set() and self._clock.monotonic() - since < READER_END_S:
            return
        ticket = self._intake.hold(name)
        if ticket is None:
            return  # a worker looks at it just now: the next time
        del self._readers[name], self._ending[name]
        scheduler.retire(reader)
        camera.let_go()
        self._intake.done(name, ticket)

    def _start_worker(self, scheduler: Scheduler) -> None:
        worker = self._make_worker()
        self._workers.append((worker, scheduler.thread(VISION, worker.run)))

    async def _wait(self, stop: asyncio.Event, *, until_finished: bool) -> None:
        ends = [stop.wait(), self._over.wait(), *([self._finished()] if until_finished else [])]
        waits = [asyncio.ensure_future(end) for end in ends]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def _finished(self) -> None:
        while not all(camera.finished.is_set() for camera in self._cameras.values()):
            await self._clock.sleep(0.2)
        await self._clock.sleep(1.0)  # the last frames are still being looked at

    async def finish(self) -> None:
        """Wait until all clips have been played, and end the events that they left open; the node goes on."""
        for camera in self._cameras.values():
            while not camera.finished.is_set():
                await self._clock.sleep(SETTLE_S)
            while not self._close(camera):
                await self._clock.sleep(SETTLE_S)

    async def hand_on(self) -> None:
        """Wait until what has been reported so far is with every consumer that takes it at once."""
        for _ in range(TURNS):  # what was handed over from threads arrives in the mailboxes, and is taken from there
            await asyncio.sleep(0)

    async def settle(self) -> None:
        """Wait until what has been reported so far is in the journal, and with every consumer that takes it at once."""
        await self.hand_on()
        while self._outlets.unwritten() or self._delivery.writing:
            await self._clock.sleep(SETTLE_S)

    async def _watch(self, scheduler: Scheduler) -> None:
        """Replace what hangs, end what was lost for long; both take half a minute to be called so."""
        while True:
            await self._clock.sleep(WATCH_EVERY_S)
            self._look_at_clock()
            await self._look_at_store()
            if self._unfinished is not None:
                await self._note_open(self._unfinished)
            for name, camera in self._cameras.items():
                if name in self._readers and camera.stalled():
                    log.part(camera.part).error("no frame and no error for %.0f s: reader replaced", camera.silence_s)
                    self._leave_behind(scheduler, self._readers[name])
                    camera.reader_replaced()
                    self._start_reader(scheduler, name, camera)
                if camera.lost_for_long() and self._close(camera):
                    camera.outage_ended()
            for worker, thread in list(self._workers):
                if (held := worker.stuck()) is not None:
                    self._replace_worker(scheduler, worker, thread, held)

    async def _report_away(self) -> None:
        """Report streams that broke and did not come back soon."""
        while True:
            await self._clock.sleep(AWAY_EVERY_S)
            for camera in self._cameras.values():
                camera.report_away()

    def _look_at_clock(self) -> None:
        """Report that the machine's clock was set, or has yet to be."""
        shown = datetime.fromtimestamp(self._clock.now(), UTC)
        if (timeline := self._clock.timeline) != self._timeline:
            self._timeline = timeline
            log.part(CLOCK).warning(
                "it was set to %s UTC: open events end, and times go on from there", f"{shown:%F %T}"
            )
        if self._clock.plausible:
            self._supervisor.well(CLOCK)
        else:
            hint = "times are wrong until the network (NTP) sets it"
            self._supervisor.fail(CLOCK, BlikkError(f"the machine's clock is not set, it shows {shown:%Y-%m}; {hint}"))

    def _replace_worker(self, scheduler: Scheduler, worker: VisionWorker, thread: SupervisedThread, held: Held) -> None:
        """A worker hangs in a library: another takes over, and its camera gets a pipeline that it does not touch."""
        camera = self._cameras[held.camera]
        log.part(VISION).error("hangs over a frame of %s: worker replaced", held.camera)
        self._workers.remove((worker, thread))
        self._leave_behind(scheduler, thread)
        camera.restart_pipeline()
        self._intake.done(held.camera, held.ticket)
        self._start_worker(scheduler)

    def _close(self, camera: CameraRun) -> bool:
        """End the camera's open events, unless a worker looks at it just now."""
        ticket = self._intake.hold(camera.info.id)
        if ticket is None:
            return False
        camera.close()
        self._intake.done(camera.info.id, ticket)
        return True

    def _leave_behind(self, scheduler: Scheduler, thread: SupervisedThread) -> None:
        scheduler.retire(thread)
        self._retired = [each for each in (*self._retired, thread) if not each.ended.is_set()]
        if len(self._retired) > LEFT_BEHIND_MAX:
            self._over.set()

    async def _report(self) -> None:
        vitals = Vitals(self._clock)
        while True:
            health = vitals.measure()
            states = [camera.state() for camera in self._cameras.values()]
            times = [s.inference_ms for s in states if s.inference_ms is not None]
            self._outlets.deliver(
                replace(
                    health,
                    inference_ms=round(sum(times) / len(times), 1) if times else None,
                    fps=tuple((state.camera, state.fps) for state in states),
                    outbox=self._delivery.outbox,
                    lost=self._delivery.lost + self._outlets.lost(),
                    dropped=_summed(state.dropped for state in states),
                    skipped=_summed(state.skipped for state in states),
                    problems=(reported := self.problems),
                    llm=self._writer.state() if self._writer is not None else None,
                )
            )
            for state in states:
                self._outlets.deliver(state)
            await self._until_turn(reported)

    async def _until_turn(self, reported: tuple[str, ...]) -> None:
        """Until the health's turn comes; sooner, where what is wrong is no longer what was reported."""
        end = self._clock.monotonic() + self._health_every_s
        while (left_s := end - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(left_s, PROBLEMS_EVERY_S))
            if self.problems != reported:
                return

    def _status(self) -> str:
        """One line for whoever looks at the process: how many cameras, and what is wrong now."""
        online = sum(camera.online for camera in self._cameras.values())
        watched = len(self._cameras) if self._permit is None else len(self._readers)
        return "; ".join((f"{online} of {watched} cameras online", *self.problems))

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong now, a sentence by part; sinks that go on trying say so themselves."""
        own = {sink.name: sink.problem for sink in self._sinks if isinstance(sink, Reporting)}
        own |= {part.name: part.problem for part in self._parts if isinstance(part, Reporting)}
        found = own | dict(self._delivery.problems) | self._supervisor.problems
        for camera in self._cameras.values():
            if camera.waited_for:
                found.pop(camera.part, None)
        if unsaved := self._delivery.unsaved:
            found["store.memory"] = f"{unsaved} records are in memory only and would be lost with the power"
        if (problem := self._memory.problem) is not None:
            found[STORE] = problem
        return tuple(f"{part}: {text}" for part, text in sorted(found.items()) if text)

    async def _end(self, scheduler: Scheduler, delivering: asyncio.Task[None]) -> None:
        if self._sharing is not None:
            await scheduler.end_task(self._sharing)
        self._intake.close()
        if self._attempts is not None:
            self._attempts.close()
        await scheduler.end_threads()
        for camera in self._cameras.values():
            if not self._close(camera):
                log.part(camera.part).warning("a worker still hangs over it: its events stay open")
        deadline = self._clock.monotonic() + DRAIN_S
        await self._clock.sleep(0.02)  # what was handed over from threads arrives in the mailboxes
        self._outlets.release()
        while self._outlets.waiting() and self._clock.monotonic() < deadline:
            await self._clock.sleep(0.02)
        await scheduler.end_task(delivering)  # while the sinks still have their connections
        await scheduler.end_tasks()


def _is_for_all(command: Command) -> bool:
    """Whether each node that shares a camera carries it out: a switch for whoever has it next, a ring heard here."""
    return isinstance(command, Set) or (isinstance(command, Press) and command.via != "mqtt")


def _summed(counts: Iterable[tuple[tuple[str, int], ...]]) -> tuple[tuple[str, int], ...]:
    total: dict[str, int] = {}
    for reason, count in chain.from_iterable(counts):
        total[reason] = total.get(reason, 0) + count
    return tuple(sorted(total.items()))
