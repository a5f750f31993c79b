"""The one place that imports a TFLite runtime: opens a model, runs it, says where it runs."""

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.errors import ModelError
from blikk_edge.core.installing import pip_install

Array: TypeAlias = NDArray[Any]
Result = TypeVar("Result")

CPU = "cpu"
DELEGATES = {"edgetpu": "libedgetpu.so.1", "gpu": "libtensorflowlite_gpu_delegate.so"}
"""The shared library behind each delegate, as its maker names it."""

FILE_IDENTIFIER = b"TFL3"
"""At byte 4 of every TFLite FlatBuffer (tensorflow/lite/schema/schema.fbs)."""

EDGETPU_OPERATOR = b"edgetpu-custom-op"
"""The operator that the Edge TPU compiler puts in a model's place; without it the Edge TPU has nothing to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """Where a model runs.

    Attributes:
        backend: `cpu`, `edgetpu` or `gpu`.
        threads: Processor cores for one look.
        runtime: The package that runs it: `ai-edge-litert` or `tflite-runtime`.
        note: Why `backend` is not the one that was asked for; None where it is.
    """

    backend: str
    threads: int
    runtime: str
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """An input or output. Where it is quantised, real = (value - zero) * scale.

    Attributes:
        index: By which the runtime knows it.
        name: As the model's maker called it.
        shape: The length of each axis, the batch first.
        dtype: numpy's name of its type.
        scale: 0 where it is not quantised.
        zero: The value that stands for 0.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero: int


class Network:
    """A TFLite model ready to run, fed and read in place: its tensors are never copied as a whole.

    Raises ModelError where there is no runtime, the file is no TFLite model or the runtime cannot run it.
    """

    def __init__(self, path: Path, *, threads: int = 1, delegate: str = CPU) -> None:
        if threads < 1:
            raise ModelError(f"model {path}: threads must be at least 1, got {threads}")
        check_tflite(path)
        self._path = path
        self._interpreter, self.inference = _open(path, threads, delegate)
        self.inputs = _tensors(self._interpreter.get_input_details())
        self.outputs = _tensors(self._interpreter.get_output_details())

    def run(self, fill: Callable[[Array], None], read: Callable[[tuple[Array, ...]], Result]) -> Result:
        """Let `fill` write the first input, run, and give what `read` makes of the outputs.

        Both are handed the runtime's own memory: neither may keep it or a view of it. Raises ModelError.
        """
        try:
            fill(self._interpreter.tensor(self.inputs[0].index)())
            self._interpreter.invoke()
            return read(tuple(self._interpreter.tensor(output.index)() for output in self.outputs))
        except RuntimeError as error:
            raise ModelError(f"model {self._path} failed to run: {_first_line(error)}") from error


def check_tflite(path: Path) -> None:
    """Raise ModelError where the file is not there or its first bytes are not those of a TFLite model."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise ModelError(f"model file {path} cannot be read: {error.strerror}") from error
    if head[4:8] != FILE_IDENTIFIER:
        raise ModelError(f"{path} is no TFLite model: {describe(head)}")


def describe(head: bytes) -> str:
    """What the first bytes of a file that should have been a model look like, in words."""
    start = head.lstrip().lower()
    if not head:
        return "it is empty"
    if start.startswith((b"<!doctyp", b"<html", b"<?xml", b"<head")):
        return "it is a web page, not a model; the address or a login is wrong"
    if start.startswith(b"version "):
        return "it is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"
    if start.startswith(b"pk\x03\x04"):
        return "it is a ZIP archive; unpack the model first"
    return f"it starts with {head[:8]!r}"


def dequantised(values: Array, tensor: Tensor) -> Array:
    """Integer values as the real numbers they stand for; float values as they are, without a copy."""
    if tensor.scale == 0 or values.dtype.kind == "f":
        return values
    return (values.astype(np.float32) - tensor.zero) * np.float32(tensor.scale)


def _open(path: Path, threads: int, delegate: str) -> tuple[Any, Inference]:
    make, load_delegate, runtime = _runtime()
    note = None
    if delegate != CPU:
        loaded, note = _load(load_delegate, delegate)
        if loaded is not None:
            if delegate == "edgetpu" and EDGETPU_OPERATOR not in path.read_bytes():
                note = f"edgetpu asked for, but {path.name} is not compiled for it (edgetpu_compiler)"
            else:
                try:
                    interpreter = make(str(path), threads, [loaded])
                except (ValueError, RuntimeError) as error:
                    note = f"{delegate} asked for, it refused the model: {_first_line(error)}"
                else:
                    return interpreter, Inference(backend=delegate, threads=threads, runtime=runtime)
    try:
        interpreter = make(str(path), threads, [])
    except (ValueError, RuntimeError) as error:
        hint = (
            "; it is compiled for the Edge TPU and runs nowhere else" if EDGETPU_OPERATOR in path.read_bytes() else ""
        )
        raise ModelError(f"model {path} is damaged or not for this runtime: {_first_line(error)}{hint}") from error
    return interpreter, Inference(backend=CPU, threads=threads, runtime=runtime, note=note)


def _runtime() -> tuple[Callable[[str, int, list[Any]], Any], Callable[[str], Any], str]:
    # Imported when the first model is opened: a command that opens none starts faster.
    try:
        from ai_edge_litert import interpreter as tflite  # noqa: PLC0415
    except ImportError as error:
        raise ModelError(f"no TFLite runtime is installed: {pip_install('ai-edge-litert')}") from error

    def make(path: str, threads: int, delegates: list[Any]) -> Any:
        with without_first_info():
            interpreter = tflite.Interpreter(model_path=path, num_threads=threads, experimental_delegates=delegates)
            interpreter.allocate_tensors()
        return interpreter

    return make, tflite.load_delegate, tflite.__name__.partition(".")[0].replace("_", "-")


_first: list[None] = [None]
"""Holds one thing until the runtime has said its INFO line. Who takes it listens: a list gives it to one thread."""


@contextmanager
def without_first_info() -> Iterator[None]:
    """Leave out the line with which the runtime greets the first model of a process.

    It is written by C++ to file descriptor 2, between the lines of whatever prints there, and no setting or variable of
    the runtime turns it off. Everything else that is written there meanwhile is written when the context ends.
    """
    try:
        _first.pop()
    except IndexError:
        yield
        return
    received = False
    try:
        real = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    try:
        with os.fdopen(os.memfd_create("stderr"), "w+b") as written:
            os.dup2(written.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(real, 2)
                written.seek(0)
                for line in written:
                    if line.startswith(b"INFO: "):
                        received = True
                    else:
                        os.write(2, line)
    finally:
        os.close(real)
        if not received:
            _first.append(None)


def _load(load_delegate: Callable[[str], Any], delegate: str) -> tuple[Any | None, str | None]:
    library = DELEGATES.get(delegate)
    if library is None:
        raise ModelError(f"unknown delegate {delegate!r}: one of {CPU}, {', '.join(DELEGATES)}")
    try:
        # Looked for first, because the runtime's own loader leaves a half-made object behind when it fails.
        if not hasattr(ctypes.CDLL(library), "tflite_plugin_create_delegate"):
            return None, f"{delegate} asked for, but {library} is no external delegate"
    except OSError as error:
        return None, f"{delegate} asked for, not found: {_first_line(error)}"
    try:
        return load_delegate(library), None
    except (ValueError, RuntimeError, OSError) as error:
        return None, f"{delegate} asked for, not usable: {_first_line(error)}"


def _tensors(details: Sequence[dict[str, Any]]) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(
            index=int(detail["index"]),
            name=str(detail["name"]),
            shape=tuple(int(side) for side in detail["shape"]),
            dtype=np.dtype(detail["dtype"]).name,
            scale=float(detail["quantization"][0]),
            zero=int(detail["quantization"][1]),
        )
        for detail in details
    )


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
