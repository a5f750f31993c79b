"""TFLite as a kind of detector: its options, and how it is made of a model."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from blikk_edge.core.errors import ModelError
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import choice, whole
from blikk_edge.kinds.kind import Kind
from blikk_edge.transforms.kinds import DetectorContext

if TYPE_CHECKING:  # a configuration is read without pixels
    from blikk_edge.transforms.models.detect import TfliteDetector


class Delegate(StrEnum):
    """Where inference runs; a delegate that cannot be had is reported, and the CPU serves."""

    CPU = "cpu"
    EDGETPU = "edgetpu"
    GPU = "gpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class TfliteOptions:
    """How TFLite runs a model.

    Attributes:
        threads: Processor cores for one look.
        delegate: Where it runs. Without that device, the CPU serves.
    """

    threads: int = 1
    delegate: Delegate = Delegate.CPU


def _make(options: TfliteOptions, context: DetectorContext) -> "TfliteDetector":
    from blikk_edge.transforms.models.detect import TfliteDetector  # noqa: PLC0415  # see above

    if context.model is None:
        raise ModelError("detector tflite: there is no model")
    return TfliteDetector(
        context.model, thresholds=context.thresholds, threads=options.threads, delegate=options.delegate
    )


KIND: Kind[DetectorContext, "TfliteDetector"] = Kind(
    name="tflite",
    meaning="A TFLite model, by its name, file or address.",
    options=Section(
        of=TfliteOptions,
        keys=(
            Key(name="threads", value=whole(1, 16), meaning="Processor cores for one look."),
            Key(name="delegate", value=choice(Delegate), meaning="Where it runs. Without that device, the CPU serves."),
        ),
    ),
    make=_make,
)
