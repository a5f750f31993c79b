"""One camera of a running node, wired from its settings."""

import math
from collections.abc import Callable
from typing import Final, TypeVar

from blikk_edge.app.clips import Clip, ReadClip
from blikk_edge.app.identity import camera_info
from blikk_edge.app.parts import rings
from blikk_edge.app.pipelines import pipeline, steps_of, wake_detector
from blikk_edge.app.writing import configured_mode, modes
from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.core.clock import Clock
from blikk_edge.core.encoded_queue import EncodedQueue
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.live import Audience
from blikk_edge.core.nothing_new import LastAnswer
from blikk_edge.core.parcels import lying_from_json, lying_to_json
from blikk_edge.core.parked import parked_from_json, parked_to_json
from blikk_edge.core.paths import EventPath, PathRecorder
from blikk_edge.core.permit import Permit
from blikk_edge.core.ports import Memory, Publish
from blikk_edge.core.probe import CameraProbe
from blikk_edge.core.push_queue import PushQueue
from blikk_edge.core.stages import Source
from blikk_edge.core.wake_call import WakeCall
from blikk_edge.runtime.camera import CameraRun
from blikk_edge.runtime.mailbox import Attempts, Intake
from blikk_edge.runtime.pipeline import Pipeline
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.runtime.switches import Switches
from blikk_edge.sources.catalog import chosen_source, kind_of, open_source
from blikk_edge.sources.decode_budget import DecodeBudget
from blikk_edge.sources.onvif.current_address import CurrentAddress
from blikk_edge.sources.tap import Tap
from blikk_edge.sources.terms import Terms

_Kept = TypeVar("_Kept")

LOOKUP_S: Final = 30.0
"""How long a name may be looked up, which nothing can interrupt: three name servers that do not answer, twice 5 s."""

FEW_ATTEMPTS: Final = 8
CALLED: Final = frozenset({"rtsp", "onvif", "whep", "mjpeg", "hls"})
"""Kinds of sources that go to a camera. Others wait for somebody to come, and nobody may have to wait for that."""


def most_attempts(cameras: int) -> int:
    """How many cameras that could not be reached may be tried at once: half of all, and no fewer than eight.

    One that never answers takes 20 s, and pauses for 15 to 30 s then: with half of all at once none waits any longer.
    """
    return max(FEW_ATTEMPTS, cameras // 2)


def camera_run(
    settings: Settings,
    camera: CameraSettings,
    *,
    memory: Memory,
    push_queue: PushQueue | None,
    encoded: EncodedQueue | None,
    intake: Intake,
    attempts: Attempts,
    budget: DecodeBudget | None = None,
    deliver: Publish,
    supervisor: Supervisor,
    clock: Clock,
    play_once: bool,
    clip: Clip | None = None,
    audience: Audience | None = None,
    probe: CameraProbe | None = None,
    keep_path: Callable[[EventPath], None] | None = None,
    tap: Tap | None = None,
    current_address: CurrentAddress | None = None,
    permit: Permit | None = None,
) -> CameraRun:
    """The camera, which is opened when it is run. `play_once` lets a clip end instead of starting again.

    With `clip` a file is read as fast as it is looked at, and none of its frames is dropped. `attempts` says when one
    that could not be reached is tried again; `budget` what all cameras may take for decoding; None: nobody measures.
    `memory` has what was parked and how the switches stood; `push_queue` is where an edge client's frames arrive,
    `encoded` where a browser's pictures do;
    `audience` is who looks at the live view; `probe` sees what happens to the frames; `keep_path` is given the path
    of each event, from any thread; `tap` the packets of its stream; `current_address` is where a camera is that may get
    another address; `permit` says which cameras this node watches of those that it shares.
    """
    unchanged = LastAnswer(clock)
    call = WakeCall()
    terms = Terms(
        camera=camera.id,
        shown=camera.source.public,
        clock=clock,
        fps=camera.fps,
        height_px=camera.height_px,
        rotate=camera.rotate,
        transport=camera.transport,
        connect_timeout_s=camera.connect_timeout_s,
        read_timeout_s=camera.read_timeout_s,
        watch=camera.watch,
        sleep_after_s=camera.sleep_after_s,
        wake_detector=wake_detector(camera, audience),
        budget=budget if clip is None else None,
        push_queue=push_queue,
        encoded=encoded,
        realtime=clip is None,
        loop=not play_once,
        nothing_new=unchanged,
        start_time=0.0 if clip is None else clip.clock.start,
        hinted=call.take,
        current_address=current_address,
        decoded=None if probe is None else probe.decoded,
        tap=tap,
    )
    return CameraRun(
        camera_info(camera),
        shown_source=camera.source.public,
        make_source=_source_maker(camera, terms, intake, clip),
        make_pipeline=_pipeline_maker(
            settings, camera, memory, supervisor, audience, probe, keep_path, budgeted=clip is None
        ),
        switches=_switches(settings, camera, memory, supervisor),
        deliver=deliver,
        remember_parked=_keeper(_parked_key(camera), parked_to_json, memory, supervisor),
        remember_lying=_keeper(_lying_key(camera), lying_to_json, memory, supervisor),
        intake=intake,
        supervisor=supervisor,
        clock=clock,
        # a clip may wait as long as somebody works on what it showed, and a phone may come at any time
        stall_s=2 * camera.connect_timeout_s + camera.read_timeout_s + 10.0
        if clip is None and not camera.by_whip
        else math.inf,
        opening_s=LOOKUP_S,
        attempts=attempts if _called(camera) else None,
        away_after_s=camera.away_after_s,
        rings=rings(camera),
        finite=play_once and camera.plugged is None and kind_of(camera.source.reveal()) == "file",
        pushed=camera.pushed,
        unchanged=unchanged,
        probe=probe,
        wake=call.give,
        moved_to=lambda: current_address.moved_to if current_address else None,
        elsewhere=lambda: permit.elsewhere(camera.id) if permit else None,
    )


def _called(camera: CameraSettings) -> bool:
    """Whether this node goes to the camera, over a network."""
    return camera.plugged is None and not camera.pushed and kind_of(camera.source.reveal()) in CALLED


def _source_maker(camera: CameraSettings, terms: Terms, intake: Intake, clip: Clip | None) -> Callable[[], Source]:
    if clip is not None:
        return lambda: ReadClip(open_source(camera.source.reveal(), terms), clip, camera.id, intake)
    if (chosen := camera.plugged) is not None:
        return lambda: chosen_source(chosen, terms)
    return lambda: open_source(camera.source.reveal(), terms)


def _parked_key(camera: CameraSettings) -> str:
    return f"parked/{camera.id}"


def _lying_key(camera: CameraSettings) -> str:
    return f"parcels/{camera.id}"


def _pipeline_maker(
    settings: Settings,
    camera: CameraSettings,
    memory: Memory,
    supervisor: Supervisor,
    audience: Audience | None,
    probe: CameraProbe | None,
    keep_path: Callable[[EventPath], None] | None,
    *,
    budgeted: bool,
) -> Callable[[], Pipeline]:
    """Pipelines that know what was parked; added steps that are not `budgeted` have all the time they take."""

    def failed(index: int, error: BlikkError) -> None:
        supervisor.fail(f"camera.{camera.id}.step.{camera.transforms[index].name}", error)

    def make() -> Pipeline:
        parked = lying = None
        with supervisor.attempt("store"):
            parked = memory.recall(_parked_key(camera))
            lying = memory.recall(_lying_key(camera))
        paths = PathRecorder(keep_path) if keep_path is not None else None
        made = pipeline(
            settings,
            camera,
            parked_from_json(parked),
            steps_of(camera, failed),
            audience,
            probe,
            paths,
            lying=lying_from_json(lying),
        )
        made.added.budgeted = budgeted
        return made

    return make


def _switches(settings: Settings, camera: CameraSettings, memory: Memory, supervisor: Supervisor) -> Switches:
    """As they stood when the last process ended, where that is still possible."""
    made = Switches(camera.id, threshold=camera.event_threshold, summary=configured_mode(settings))
    with supervisor.guard("store"):
        made.load(memory, modes(settings))
    return made


def _keeper(
    key: str, to_json: Callable[[_Kept], str], memory: Memory, supervisor: Supervisor
) -> Callable[[_Kept], bool]:
    def keep(value: _Kept) -> bool:
        with supervisor.attempt("store") as outcome:
            memory.remember(key, to_json(value))
        return not outcome.failed

    return keep
