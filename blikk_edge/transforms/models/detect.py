"""The detector: a TFLite model from picture to Detections."""

import time
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.errors import ModelError
from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.transforms.models.decoders import Classes, Decode, decoder, merged
from blikk_edge.transforms.models.registry import Colours, InputSpec, Layout, ModelEntry, OutputFormat, ResolvedModel
from blikk_edge.transforms.models.tflite import CPU, Inference, Network, Tensor

PAD = 114
"""The grey that YOLOX was trained with around letterboxed pictures."""

SMOOTHING = 0.1
"""The weight of the newest picture in `inference_ms`."""


class TfliteDetector:
    """Finds objects with a TFLite model. The same picture gives the same Detections, bit for bit.

    Labels without a threshold are not reported. Opens its model at the first picture, or with `open()`. Not shared
    between threads. `inference_ms` is the smoothed time of one picture from pixels to Detections; None before the
    first.
    """

    def __init__(
        self, model: ResolvedModel, *, thresholds: Mapping[Label, float], threads: int = 1, delegate: str = CPU
    ) -> None:
        self.name = model.entry.name
        self.inference_ms: float | None = None
        self._model = model
        self._threads = threads
        self._delegate = delegate
        self._classes = Classes(model.entry.labels, thresholds)
        self._opened: _Opened | None = None

    def open(self) -> Inference:
        """Load the model and say where it runs; raises ModelError. Later calls only say where."""
        return self._open().network.inference

    def close(self) -> None:
        """Let go of the model's memory; the next picture opens it again."""
        self._opened = None

    def set_thresholds(self, thresholds: Mapping[Label, float]) -> None:
        """Other thresholds from the next picture on; raises ModelError where the model finds none of these Labels."""
        self._classes = Classes(self._model.entry.labels, thresholds)
        if self._opened is not None:
            self._opened.read_with(self._classes)

    def detect(self, bgr: Pixels) -> tuple[Detection, ...]:
        """Objects in a (h, w, 3) uint8 BGR picture, best score first; raises ModelError."""
        opened = self._open()
        started = time.perf_counter()
        found = opened.detect(bgr)
        took_ms = (time.perf_counter() - started) * 1000
        before = self.inference_ms
        self.inference_ms = took_ms if before is None else before + SMOOTHING * (took_ms - before)
        return found

    def _open(self) -> "_Opened":
        if self._opened is None:
            network = Network(self._model.path, threads=self._threads, delegate=self._delegate)
            self._opened = _Opened(network, self._model.entry, self._classes)
        return self._opened


class _Opened:
    """A loaded model with the buffers and the decoder that fit it."""

    def __init__(self, network: Network, entry: ModelEntry, classes: Classes) -> None:
        self.network = network
        self._entry = entry
        self._spec = input_spec(entry, network.inputs)
        self._canvas = Canvas(self._spec)
        self.read_with(classes)

    def read_with(self, classes: Classes) -> None:
        self._classes = classes
        self._decode: Decode = decoder(
            self._entry.decoder,
            classes=classes,
            width_px=self._spec.width_px,
            height_px=self._spec.height_px,
            outputs=self.network.outputs,
            model=self._entry.name,
        )

    def detect(self, bgr: Pixels) -> tuple[Detection, ...]:
        width_px, height_px = self._canvas.draw(bgr)
        found = merged(self.network.run(self._canvas.fill, self._decode), self._classes)
        size = np.array((width_px, height_px, width_px, height_px), dtype=np.float32)
        heads = [None] * len(found.boxes) if found.heads is None else (found.heads / size).tolist()
        detections = []
        for share, head, score, row in zip(
            (found.boxes / size).tolist(), heads, found.scores.tolist(), found.classes.tolist(), strict=True
        ):
            box, label = Box.clipped(*share), self._classes.labels[row]
            if box is not None and label is not None:
                detections.append(
                    Detection(
                        label=label,
                        sub_label=self._classes.names[row],
                        score=min(max(score, 0.0), 1.0),
                        box=box,
                        head=None if head is None else Box.clipped(*head),
                    )
                )
        return tuple(detections)


class Canvas:
    """The picture as the model wants it, in one buffer that is used again for each picture."""

    def __init__(self, spec: InputSpec) -> None:
        self._spec = spec
        self._pixels: Pixels = np.full((spec.height_px, spec.width_px, 3), PAD, dtype=np.uint8)
        self._drawn = (spec.width_px, spec.height_px)

    def draw(self, bgr: Pixels) -> tuple[int, int]:
        """Scale the picture to the top left; give the width and height it has there. Raises ModelError."""
        if bgr.dtype != np.uint8 or bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.size == 0:
            raise ModelError(f"not a (h, w, 3) uint8 picture: {bgr.shape} {bgr.dtype}")
        height_px, width_px = bgr.shape[:2]
        size = self._spec.width_px, self._spec.height_px
        if self._spec.letterbox:
            scale = min(size[0] / width_px, size[1] / height_px)
            size = max(1, round(width_px * scale)), max(1, round(height_px * scale))
        if size != self._drawn:
            self._pixels.fill(PAD)
            self._drawn = size
        cv2.resize(bgr, size, dst=self._pixels[: size[1], : size[0]], interpolation=cv2.INTER_LINEAR)
        return size

    def fill(self, tensor: NDArray[Any]) -> None:
        """Write the picture into a model's input tensor."""
        spec = self._spec
        pixels = self._pixels[..., ::-1] if spec.colours is Colours.RGB else self._pixels
        if spec.layout is Layout.NCHW:
            pixels = pixels.transpose(2, 0, 1)
        if spec.dtype == "int8":  # the models that take int8 stand for the same 0..255 with zero point -128
            np.subtract(pixels, 128, out=tensor[0], dtype=np.int16, casting="unsafe")
            return
        np.copyto(tensor[0], pixels)
        if spec.dtype == "float32" and (spec.mean, spec.std) != (0.0, 1.0):
            tensor -= np.float32(spec.mean)
            tensor /= np.float32(spec.std)


def input_spec(entry: ModelEntry, inputs: tuple[Tensor, ...]) -> InputSpec:
    """What the model wants to be fed: as its entry says, or as its tensors and decoder say; raises ModelError."""
    shape = inputs[0].shape
    if len(inputs) != 1 or len(shape) != 4 or shape[0] != 1 or 3 not in {shape[1], shape[3]}:
        got = ", ".join(str(tensor.shape) for tensor in inputs)
        raise ModelError(f"model {entry.name} wants {got}, not one colour picture: it is no detector we can feed")
    layout = Layout.NHWC if shape[3] == 3 else Layout.NCHW
    height_px, width_px = shape[1:3] if layout is Layout.NHWC else shape[2:]
    dtype, spec = inputs[0].dtype, entry.input
    if spec is None:
        if dtype not in {"float32", "uint8", "int8"}:
            raise ModelError(f"model {entry.name} wants {dtype} pixels; float32, uint8 and int8 are known")
        ssd = entry.decoder is OutputFormat.SSD
        return InputSpec(
            width_px=width_px,
            height_px=height_px,
            layout=layout,
            dtype=dtype,
            colours=Colours.RGB if ssd else Colours.BGR,
            letterbox=not ssd,
            mean=127.5 if ssd else 0.0,  # the TensorFlow detection models take -1..1
            std=127.5 if ssd else 1.0,
        )
    if (spec.width_px, spec.height_px, spec.layout, spec.dtype) != (width_px, height_px, layout, dtype):
        raise ModelError(
            f"model {entry.name} is not what it claims to be: its input is {shape} {dtype}, not "
            f"{spec.width_px}x{spec.height_px} {spec.layout} {spec.dtype}"
        )
    return spec
