"""The pipeline of one camera, and who watches while it sleeps, as its settings say."""

from collections.abc import Callable, Sequence
from functools import partial

from blikk_edge.app.identity import camera_info
from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.core.errors import BlikkError, StepError
from blikk_edge.core.fields import Watch
from blikk_edge.core.live import Audience
from blikk_edge.core.parcels import Lying
from blikk_edge.core.parked import Parked
from blikk_edge.core.paths import PathRecorder
from blikk_edge.core.probe import CameraProbe
from blikk_edge.core.reporter import EventReporter, ReportRules
from blikk_edge.core.sightings import BLURRED, Label
from blikk_edge.core.stages import Step, WakeDetector
from blikk_edge.runtime.pipeline import FAINT, Pipeline
from blikk_edge.runtime.steps import declared
from blikk_edge.transforms.kinds import CameraContext
from blikk_edge.transforms.lighting import LightMeter
from blikk_edge.transforms.models.closer import CloserLook
from blikk_edge.transforms.motion.gate import MotionGate
from blikk_edge.transforms.motion.select import Selector
from blikk_edge.transforms.motion.wake_detector import GateWakeDetector
from blikk_edge.transforms.parcels.step import Parcels
from blikk_edge.transforms.privacy.mask import masked
from blikk_edge.transforms.tracking.tracker import Tracker
from blikk_edge.transforms.tracking.zones import Zone, Zones


def wake_detector(camera: CameraSettings, audience: Audience | None = None) -> WakeDetector | None:
    """Who keeps watch while this camera's source sleeps; None where it never does, as where `auto` has a doorbell."""
    if camera.watch in {Watch.FULL, Watch.KEYFRAMES} or (camera.watch is Watch.AUTO and camera.ring is not None):
        return None
    gate = MotionGate(private=camera.private)
    if audience is None:
        return GateWakeDetector(gate)
    return GateWakeDetector(gate, watched=lambda: audience.looks_at(camera.id))


def steps_of(camera: CameraSettings, failed: Callable[[int, BlikkError], None]) -> tuple[Step, ...]:
    """The steps of plug-ins that this camera's `transforms` name; `failed` is called for each that cannot be had."""
    made: tuple[Step, ...] = ()
    for index, chosen in enumerate(camera.transforms):
        try:
            step = chosen.make(CameraContext(camera=camera_info(camera)))
            declared((*made, step))
        except BlikkError as error:
            failed(index, error)
        except (ValueError, TypeError, AttributeError) as error:  # what it declares is somebody else's
            failed(index, StepError(f"transform {chosen.name}: {error}"))
        else:
            made = (*made, step)
    return made


def pipeline(
    settings: Settings,
    camera: CameraSettings,
    parked: tuple[Parked, ...],
    steps: Sequence[Step] = (),
    audience: Audience | None = None,
    probe: CameraProbe | None = None,
    paths: PathRecorder | None = None,
    gate: MotionGate | None = None,
    lying: Sequence[Lying] = (),
) -> Pipeline:
    """What lies between this camera's frames and what is reported of them; `steps` are added (new ones for each).

    `audience` is who looks at the live view, None where there is none; `probe` sees what happens to the frames;
    `paths` notes where everybody went; `gate` is this camera's motion gate where somebody looks into it (new for each),
    None: one is made; `lying` are the parcels that lay there when the last one ended.

    Raises ConfigError where steps cannot go together.
    """
    rules = ReportRules(
        event_threshold=camera.event_threshold,
        summary_window=camera.summary_window,
        loiter_s=camera.loiter_s,
        zone_loiter_s=tuple((zone.name, zone.loiter_s) for zone in camera.zones if zone.loiter_s is not None),
        labels=camera.labels,
    )
    gate = gate or MotionGate(private=camera.private)
    thresholds = dict(settings.detector_of(camera).thresholds)
    return Pipeline(
        camera=camera.id,
        gate=gate,
        cells=gate.packed,
        select=Selector(
            threshold=camera.event_threshold,
            motion=camera.select.motion,
            scene_change=camera.select.scene_change,
            every_s=camera.select.every_s,
            small=_looks_closer(camera),
        ),
        track=Tracker(thresholds=thresholds, still_s=camera.still_s),
        zones=Zones([Zone(name=z.name, polygon=z.polygon, labels=z.labels) for z in camera.zones]),
        reporter=EventReporter(camera.id, rules, parked=parked),
        labels=camera.labels,
        steps=steps,
        concepts=camera.concepts,
        probe=probe,
        hide=partial(masked, private=camera.private),
        faint_below={label: min(FAINT, thresholds.get(label, FAINT)) for label in BLURRED},
        closer=_closer(settings, camera),
        meter=LightMeter() if _looks_closer(camera) else None,
        audience=audience,
        paths=paths,
        parcels=Parcels(lying=lying, private=camera.private) if _watches_parcels(camera) else None,
    )


def _watches_parcels(camera: CameraSettings) -> bool:
    """Whether what was left behind is looked for: packages are reported, and persons, who leave them."""
    return camera.parcels and {Label.PERSON, Label.PACKAGE} <= set(camera.labels)


def _looks_closer(camera: CameraSettings) -> bool:
    """Whether small things that move are looked at closer: persons are looked for, and there is a budget."""
    return camera.select.closer_looks > 0 and Label.PERSON in camera.labels


def _closer(settings: Settings, camera: CameraSettings) -> CloserLook | None:
    if not _looks_closer(camera):
        return None
    threshold = dict(settings.detector_of(camera).thresholds)[Label.PERSON]
    return CloserLook(threshold=threshold, per_minute=camera.select.closer_looks)
