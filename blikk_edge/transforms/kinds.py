"""The kinds of transforms and detectors: ours, and those of plug-ins (`blikk.transforms`, `blikk.detectors`)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blikk_edge.core.house import CameraInfo
from blikk_edge.kinds.plugins import Kinds, has

if TYPE_CHECKING:  # a configuration is read without pixels
    from blikk_edge.core.stages import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraContext:
    """What a transform is handed: the camera whose scenes it will see. The time is that of each frame."""

    camera: CameraInfo


TRANSFORMS: Final["Kinds[CameraContext, Step]"] = Kinds(
    "transform", group="blikk.transforms", lacks=has("name", "__call__", "reset"), own={}
)
