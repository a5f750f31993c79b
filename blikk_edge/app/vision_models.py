"""What the vision workers look with: the models that are named, what stands in for them, or OpenCV's own means."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from blikk_edge.app.stand_ins import ProgressOf, StandIns
from blikk_edge.config.settings import CameraSettings, DetectorSettings, PrivacySettings, Settings
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.sightings import BLURRED, Label
from blikk_edge.core.stages import AppearanceReader, Detector
from blikk_edge.runtime import log
from blikk_edge.runtime.pipeline import FAINT, VisionTools
from blikk_edge.transforms.kinds import DETECTORS, DetectorContext
from blikk_edge.transforms.models.builtin import MISSES, BuiltinDetector, BuiltinOptions
from blikk_edge.transforms.models.detect import TfliteDetector
from blikk_edge.transforms.models.download import Progress
from blikk_edge.transforms.models.folders import (
    ModelFolders,
    ResolvedModel,
    default_cache,
    folders_from_environment,
    resolve,
)
from blikk_edge.transforms.models.registry import REGISTRY
from blikk_edge.transforms.models.tflite import check_tflite
from blikk_edge.transforms.privacy.faces import FaceFinder
from blikk_edge.transforms.privacy.mask import MaskedDetector, one_thread
from blikk_edge.transforms.privacy.redactor import Privacy

LOW_SCORE: Final = FAINT
"""Down to this the detector reports: such objects start no track, but continue one."""

BLURRED_SCORE: Final = 0.1
"""Down to this persons are blurred, and plates of vehicles: than from .25 a third fewer faces were missed, and of near
vehicles in the dark a third more are found, for next to no more blurred area."""


class VisionModels:
    """The models of all cameras, resolved once; each vision worker opens its own. `progress` is for what is fetched.

    `notes` say what is looked with and what that does not find, `problems` what could not be had, `missing` how much of
    that a later try may find (as in StandIns). Raises ModelError where a model of the user's own (path or address) is
    missing or damaged.
    """

    def __init__(self, settings: Settings, *, progress: ProgressOf | None = None) -> None:
        progress_of = progress or (lambda _name: None)
        models = StandIns(model_folders(settings), progress_of)
        used = {settings.detector_of(camera).name for camera in settings.cameras}
        looking = [detector for detector in settings.detectors if detector.name in used]
        refused = {detector.name: why for detector in looking if (why := _refused(detector))}
        self._plugged = frozenset(each.name for each in looking if each.plugged and each.name not in refused)
        self._detectors = {
            detector.name: models.find(
                detector.model,
                partial(_detector_model, detector, progress_of(detector.model)),
                without=f"people are found by their face, with OpenCV's own means, which do not find {MISSES}",
            )
            for detector in looking
            if detector.name not in self._plugged
        }
        faces = settings.privacy.model
        self._faces = models.find(
            faces,
            lambda where: resolve(faces, model_folders=where, progress=progress_of(faces)),
            without="whole persons are blurred, and faces are looked for with OpenCV's own means, which find fewer",
        )
        self.missing = models.missing
        self.problems = (*models.problems, *refused.values())
        found = [
            f"{name}: {model.entry.name if model else BuiltinDetector.name}" for name, model in self._detectors.items()
        ] + [f"{each.name}: {each.plugged.name}" for each in looking if each.plugged and each.name in self._plugged]
        blurred = self._faces.entry.name if self._faces else "none, whole persons are blurred"
        self.notes = (*self.problems, *models.limits, f"detector {', '.join(found)}; faces: {blurred}")

    def tools(self, settings: Settings, appearances: AppearanceReader | None = None) -> Callable[[str], VisionTools]:
        """The tools of one vision worker, by camera id. Cameras with the same detector share its interpreter.

        `appearances` is the worker's, where looks are read. Raises ModelError where a model cannot be opened.
        """
        one_thread()
        detectors = {name: self._detector(settings, name, model) for name, model in self._detectors.items()}
        for chosen in settings.detectors:
            if chosen.plugged is not None and chosen.name in self._plugged:
                detectors[chosen.name] = chosen.plugged.make(DetectorContext(thresholds=_lowest(chosen)))
        finder = _finder(self._faces, settings.privacy) if self._faces else None
        tools = {
            camera.id: VisionTools(
                MaskedDetector(detectors[camera.detector], camera.private),
                _redactor(settings.privacy, camera, finder),
                appearances,
            )
            for camera in settings.cameras
        }
        return tools.__getitem__

    @staticmethod
    def _detector(settings: Settings, name: str, model: ResolvedModel | None) -> Detector:
        chosen = next(d for d in settings.detectors if d.name == name)
        context = DetectorContext(thresholds=_lowest(chosen), model=model)
        if model is None:
            return DETECTORS.get("opencv").make(BuiltinOptions(), context)
        detector = DETECTORS.get("tflite").make(chosen.tflite, context)
        assert isinstance(detector, TfliteDetector)
        inference = detector.open()
        note = f" ({inference.note})" if inference.note else ""
        log.part("vision").info("%s runs on %s by %s%s", detector.name, inference.backend, inference.runtime, note)
        return detector


def _refused(detector: DetectorSettings) -> str:
    """Why the plug-in of this detector cannot be used, and what serves; empty where it can, or there is none."""
    if detector.plugged is None:
        return ""
    try:
        detector.plugged.make(DetectorContext(thresholds=_lowest(detector)))
    except BlikkError as error:
        return f"{error}; the model {detector.model} serves in its place"
    return ""


def _lowest(detector: DetectorSettings) -> Mapping[Label, float]:
    """Down to which score objects are reported: faint ones start no track, but continue one, and are blurred."""
    thresholds = dict(detector.thresholds)
    low = {label: min(LOW_SCORE, threshold) for label, threshold in thresholds.items()}
    # persons, and the plates of vehicles
    return low | {label: min(BLURRED_SCORE, thresholds.get(label, BLURRED_SCORE)) for label in BLURRED}


def _detector_model(detector: DetectorSettings, progress: Progress | None, where: ModelFolders) -> ResolvedModel:
    model = resolve(
        detector.model,
        model_folders=where,
        sha256=detector.sha256,
        labels_file=detector.labels_file,
        decoder=detector.decoder,
        progress=progress,
    )
    check_tflite(model.path)
    return model


def _finder(model: ResolvedModel, privacy: PrivacySettings) -> FaceFinder:
    return FaceFinder(model.path, threshold=privacy.threshold, kind=model.entry.decoder)


def _redactor(privacy: PrivacySettings, camera: CameraSettings, faces: FaceFinder | None) -> Privacy:
    return Privacy(
        faces,
        private=camera.private,
        quality=privacy.jpeg_quality,
        blur=privacy.blur,
        plates=privacy.plates,
        person_threshold=BLURRED_SCORE,
    )


def model_folders(settings: Settings | None) -> ModelFolders:
    """Where this configuration's models lie and come from."""
    kept = None if settings is None else settings.models
    return ModelFolders(
        cache=(kept and kept.cache) or default_cache(),
        folders=folders_from_environment(),
        mirror=kept.mirror if kept else None,
        offline=kept.offline if kept else False,
    )


def used(settings: Settings | None) -> tuple[str, ...]:
    """The registry models that this configuration (the defaults, without one) looks with."""
    if settings is None:
        return DetectorSettings().model, PrivacySettings().model
    names = [*(settings.detector_of(camera).model for camera in settings.cameras), settings.privacy.model]
    if settings.search is not None and (towers := REGISTRY.get(settings.search.model)) is not None:
        names += [towers.name, *towers.needs]
    return tuple(dict.fromkeys(name for name in names if name in REGISTRY))
