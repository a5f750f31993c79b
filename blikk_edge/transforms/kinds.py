"""The kinds of transforms and detectors: ours, and those of plug-ins (`blikk.transforms`, `blikk.detectors`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo
from blikk_edge.kinds.plugins import Kinds, has
from blikk_edge.transforms.models.registry import ResolvedModel

if TYPE_CHECKING:  # a configuration is read without pixels
    from blikk_edge.core.stages import Detector, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraContext:
    """What a transform is handed: the camera whose scenes it will see. The time is that of each frame."""

    camera: CameraInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorContext:
    """What a detector is handed.

    Attributes:
        thresholds: Down to which score, 0..1, it shall report objects of each label.
        model: The model that `model` names, found and checked, for a kind that looks by one; None for any other.
    """

    thresholds: Mapping[Label, float]
    model: ResolvedModel | None = None


TRANSFORMS: Final["Kinds[CameraContext, Step]"] = Kinds(
    "transform", group="blikk.transforms", lacks=has("name", "needs", "measures", "__call__", "reset"), own={}
)

DETECTORS: Final["Kinds[DetectorContext, Detector]"] = Kinds(
    "detector",
    group="blikk.detectors",
    lacks=has("name", "detect"),
    own={"tflite": "blikk_edge.transforms.models.tflite_kind", "opencv": "blikk_edge.transforms.models.builtin"},
)
