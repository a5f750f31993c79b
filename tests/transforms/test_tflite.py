"""The runtime's door: real models, damaged models, accelerators that are not there."""

import ctypes.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from patience import PATIENCE

from blikk_edge.core.errors import ModelError
from blikk_edge.transforms.models import tflite
from blikk_edge.transforms.models.tflite import Network, Tensor, check_tflite, dequantised

YOLOX = "models/detect/yolox_nano/yolox_nano_float16_quantize.tflite"
PERSON = "models/detect/kazuhito_person/model.tflite"


def test_model_opens_on_the_cpu_and_says_so(data: Path) -> None:
    network = Network(data / PERSON, threads=2)
    assert (network.inference.backend, network.inference.threads, network.inference.note) == ("cpu", 2, None)
    assert network.inference.runtime == "ai-edge-litert"
    assert [(tensor.shape, tensor.dtype) for tensor in network.inputs] == [((1, 3, 192, 192), "float32")]
    assert [tensor.shape for tensor in network.outputs] == [(1, 756, 6)]


def test_input_is_written_in_place_and_runs_can_follow_each_other(data: Path) -> None:
    network = Network(data / PERSON)
    shapes = []
    for value in (0, 114, 255, 114):
        copy = network.run(lambda tensor, value=value: tensor.fill(value), lambda outputs: outputs[0].copy())
        shapes.append(copy)
    assert np.array_equal(shapes[1], shapes[3])
    assert not np.array_equal(shapes[0], shapes[1])


@pytest.mark.parametrize("delegate", ["edgetpu", "gpu"])
def test_accelerator_that_is_not_there_is_reported_and_the_cpu_serves(data: Path, delegate: str) -> None:
    if ctypes.util.find_library(tflite.DELEGATES[delegate].removeprefix("lib").partition(".")[0]):
        pytest.skip(f"{delegate} is installed here")
    inference = Network(data / PERSON, delegate=delegate).inference
    assert inference.backend == "cpu"
    assert (inference.note or "").startswith(f"{delegate} asked for, not found: {tflite.DELEGATES[delegate]}")


def test_library_that_is_no_delegate_is_reported_and_the_cpu_serves(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tflite.DELEGATES, "gpu", "libc.so.6")
    inference = Network(data / PERSON, delegate="gpu").inference
    assert (inference.backend, inference.note) == ("cpu", "gpu asked for, but libc.so.6 is no external delegate")


DELEGATE_SOURCE = """
#include <stddef.h>
void* tflite_plugin_create_delegate(char** k, char** v, size_t n, void (*report)(const char*)) {
  report("no device is plugged in"); return NULL;
}
void tflite_plugin_destroy_delegate(void* d) {}
"""


def test_accelerator_without_its_device_is_reported_and_the_cpu_serves(data: Path, tmp_path: Path) -> None:
    source, library = tmp_path / "delegate.c", tmp_path / "libdelegate.so"
    source.write_text(DELEGATE_SOURCE)
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True, timeout=60 * PATIENCE)
    except FileNotFoundError:
        pytest.skip("no C compiler here")
    # The runtime's half-made delegate complains when it is thrown away; that must not be ours to see: another process.
    script = (
        "import sys; from pathlib import Path; from blikk_edge.transforms.models import tflite\n"
        "tflite.DELEGATES['edgetpu'] = sys.argv[1]\n"
        "print(tflite.Network(Path(sys.argv[2]), delegate='edgetpu').inference)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(library), str(data / PERSON)],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "backend='cpu'" in done.stdout
    assert "edgetpu asked for, not usable: " in done.stdout


def test_unknown_accelerator_is_refused(data: Path) -> None:
    with pytest.raises(ModelError, match="unknown delegate 'npu': one of cpu, edgetpu, gpu"):
        Network(data / PERSON, delegate="npu")


def test_no_threads_are_refused(data: Path) -> None:
    with pytest.raises(ModelError, match="threads must be at least 1, got 0"):
        Network(data / PERSON, threads=0)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.99])
def test_truncated_model_is_a_model_error(data: Path, tmp_path: Path, share: float) -> None:
    whole = (data / YOLOX).read_bytes()
    (tmp_path / "cut.tflite").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError, match=r"cut\.tflite is damaged or not for this runtime"):
        Network(tmp_path / "cut.tflite")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"abc", r"it starts with b'abc'"),
        (b"\x08\x07\x12\x07pytorch", "it starts with"),
        (b"\n <!DOCTYPE html><title>404</title>", "it is a web page"),
        (b"PK\x03\x04 model.tflite", "it is a ZIP archive"),
        (b"version https://git-lfs.github.com/spec/v1", "it is a Git LFS pointer"),
    ],
)
def test_file_that_is_no_tflite_is_named_for_what_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "m.tflite").write_bytes(content)
    with pytest.raises(ModelError, match=rf"m\.tflite is no TFLite model: {words}"):
        check_tflite(tmp_path / "m.tflite")


def test_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        check_tflite(tmp_path / "m.tflite")


def test_integers_become_the_numbers_they_stand_for() -> None:
    tensor = Tensor(index=0, name="x", shape=(2,), dtype="uint8", scale=0.5, zero=10)
    assert dequantised(np.array([10, 14], dtype=np.uint8), tensor).tolist() == [0.0, 2.0]
    values = np.array([1.5], dtype=np.float32)
    assert dequantised(values, tensor) is values


def test_the_runtimes_greeting_does_not_reach_standard_error(data: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from blikk_edge.transforms.models.tflite import Network; "
        "[Network(Path(sys.argv[1])) for _ in range(2)]"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(data / PERSON)], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("", "")


def test_everything_else_that_is_written_meanwhile_comes_through(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tflite, "_first", [None])
    with tflite.without_first_info():
        os.write(2, b"ERROR: a real trouble\nINFO: Created a delegate\nand more")
    with tflite.without_first_info():
        os.write(2, b"INFO: of somebody else\n")
    assert capfd.readouterr().err == "ERROR: a real trouble\nand moreINFO: of somebody else\n"


def test_the_greeting_is_waited_for_until_it_comes(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tflite, "_first", [None])
    for _ in range(2):
        with pytest.raises(RuntimeError), tflite.without_first_info():
            raise RuntimeError("no model")
    with tflite.without_first_info():
        os.write(2, b"INFO: Created a delegate\n")
    assert capfd.readouterr().err == ""


def test_models_open_where_there_is_no_standard_error(data: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from blikk_edge.transforms.models.tflite import Network; "
        "os.close(2); print(Network(Path(sys.argv[1])).inference.backend)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(data / PERSON)], capture_output=True, text=True, check=True
    )
    assert result.stdout == "cpu\n"
