"""The one place that imports ONNX Runtime: a CLIP model whose towers turn pictures and words into embeddings."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.errors import ModelError, quote
from blikk_edge.core.installing import pip_install
from blikk_edge.transforms.embedding.tokenizer import Tokenizer

Vector: TypeAlias = NDArray[np.float32]

PIXELS, WORDS, MASK = "pixel_values", "input_ids", "attention_mask"
OF_PICTURE, OF_TEXT = "image_embeds", "text_embeds"
"""Inputs and outputs as Hugging Face's exporter of CLIP names them."""

SIDE_PX: Final = 224
"""Of the square that the picture tower reads, where the model does not say it."""

# Red, green, blue, 0..1: mean and spread of what CLIP was trained with (openai/CLIP, clip.py).
MEAN: Final = np.array((0.48145466, 0.4578275, 0.40821073), np.float32)
STD: Final = np.array((0.26862954, 0.26130258, 0.27577711), np.float32)

ALIKE: Final = 0.98
"""The least cosine between what a quantised model and the full one make of the same."""


class TwoTowers(Protocol):
    """What turns pictures and words into embeddings, wherever it is. Safe from any thread; raises ModelError.

    Attributes:
        name: Which model it is.
    """

    name: str

    def picture(self, bgr: NDArray[np.uint8], /) -> Vector:
        """The embedding, of unit length, of a (h, w, 3) uint8 BGR picture."""
        ...

    def text(self, text: str, /) -> Vector:
        """The embedding, of unit length, of a text."""
        ...


class Towers:
    """A CLIP model in one ONNX file, and its tokenizer. Safe from any thread.

    `name` says which model it is; `text` gives the embedding, of unit length, of a text, and keeps those of the last
    ones. Raises ModelError: no runtime, damaged, no CLIP model; a run that fails.
    """

    def __init__(self, name: str, model: Path, tokenizer: Path) -> None:
        self.name = name
        self.tokenizer = Tokenizer(tokenizer)
        self._session = _opened(model)
        inputs = {each.name: each for each in self._session.get_inputs()}
        outputs = {each.name for each in self._session.get_outputs()}
        if not {PIXELS, WORDS} <= set(inputs) or not {OF_PICTURE, OF_TEXT} <= outputs:
            raise ModelError(
                f"model {model} is no CLIP model of two towers: it has the inputs {', '.join(inputs)} and the outputs "
                f"{', '.join(sorted(outputs))}; {PIXELS}, {WORDS}, {OF_PICTURE} and {OF_TEXT} are needed"
            )
        shape = inputs[PIXELS].shape
        self._side_px = shape[2] if len(shape) == 4 and isinstance(shape[2], int) else SIDE_PX
        length = inputs[WORDS].shape[-1]
        self._length = length if isinstance(length, int) else None
        self._masked = MASK in inputs
        self.text = lru_cache(maxsize=256)(self._text)

    def picture(self, bgr: NDArray[np.uint8]) -> Vector:
        """The embedding, of unit length, of a (h, w, 3) uint8 BGR picture; it should be a square. Raises ModelError."""
        side = self._side_px
        shrinks = min(bgr.shape[:2]) > side
        square = cv2.resize(bgr, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        rgb = (square[..., ::-1].astype(np.float32) / 255.0 - MEAN) / STD
        return self._run(OF_PICTURE, np.ascontiguousarray(rgb.transpose(2, 0, 1)[np.newaxis]), [self.tokenizer.end])

    def _text(self, text: str) -> Vector:
        nothing = np.zeros((1, 3, self._side_px, self._side_px), np.float32)
        return self._run(OF_TEXT, nothing, self.tokenizer.encode(text))

    def _run(self, output: str, pixels: Vector, words: Sequence[int]) -> Vector:
        # The graph takes the inputs of both towers, and ONNX Runtime runs both, whichever output is asked for: beside a
        # picture goes the shortest text there is, beside a text a picture of nothing.
        length = self._length or len(words)
        filled = [*words[:length], *[self.tokenizer.end] * (length - len(words))]
        feed: dict[str, NDArray[Any]] = {PIXELS: pixels, WORDS: np.array([filled], np.int64)}
        if self._masked:
            feed[MASK] = np.array([[int(at < len(words)) for at in range(length)]], np.int64)
        try:
            (made,) = self._session.run([output], feed)
        except Exception as error:  # the runtime's errors have no base of their own
            raise ModelError(f"model {self.name} failed: {quote(str(error))}") from error
        vector = np.asarray(made, np.float32).reshape(-1)
        norm = float(np.linalg.norm(vector))
        if not np.isfinite(norm) or norm == 0.0:
            raise ModelError(f"model {self.name} made an embedding that is none")
        unit: Vector = vector / norm
        return unit


def likeness(one: Towers, other: Towers) -> float:
    """The least cosine between what two models make of the same pictures and texts; raises ModelError."""
    pictures = [_sample(number) for number in range(3)]
    texts = ("a red car", "a person carrying a parcel", "a dog in front of a door")
    pairs = [
        *((one.picture(picture), other.picture(picture)) for picture in pictures),
        *((one.text(text), other.text(text)) for text in texts),
    ]
    return min(float(a @ b) if a.shape == b.shape else 0.0 for a, b in pairs)


def _sample(number: int) -> NDArray[np.uint8]:
    """A picture with edges, areas and texture, the same on every machine."""
    seed = np.frombuffer(hashlib.sha256(bytes([number])).digest() * 6, np.uint8)[:192].reshape(8, 8, 3)
    return np.asarray(cv2.resize(seed, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC), np.uint8)


def _opened(model: Path) -> Any:
    # Imported when a model is opened: it takes 23 MB, which a node that searches for no concept does not pay.
    try:
        import onnxruntime  # noqa: PLC0415
    except ImportError as error:
        wanted = pip_install("blikk-edge[clip]")
        raise ModelError(f"searching by words needs the package onnxruntime: {wanted}") from error
    options = onnxruntime.SessionOptions()
    # One thread, as the frame loop has the others; no arena, which would keep the memory of the largest run.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors have no base of their own
        raise ModelError(f"model {model} is damaged or not for this runtime: {quote(str(error))}") from error
