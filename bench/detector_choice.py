"""Which detector is the default: what each finds, takes and keeps, on x86-64 and, by instruction count, on Arm.

    python bench/detector_choice.py [--arm ROOT] [--check]

A row for each TFLite detector of the registry that can be had, and for others in the test data. Average precision is
that of bench/detector.py. Time is the CPU time of a run of the network on one thread, the median of rounds in which all
take turns, each in a process of its own; memory is what a process has more after it has opened the model and run it.

`--arm` is a folder with a Debian for arm64: qemu-user runs the same there and counts instructions, which is no time but
does not depend on what else this machine does: on a Cortex-A72 (Raspberry Pi 4), and on a Cortex-A76 (Raspberry Pi 5),
which has the dot product of 8-bit numbers. Without it these columns are empty. How to make one:

    mmdebstrap --variant=extract --architectures=arm64 --include=python3.11,libstdc++6,zlib1g,libexpat1 bookworm ROOT
    pip download --no-deps --only-binary=:all: --python-version 3.11 --platform manylinux_2_27_aarch64 \
        --platform manylinux_2_28_aarch64 ai-edge-litert==2.1.0 numpy    # unzip both into ROOT/packages

LiteRT 2.3.0 crashes in qemu-user 7.2 when it opens any model, so 2.1.0 is counted; Debian: qemu-user, gcc.

`--check` exits 1 where another detector with a clear licence finds persons as well as the default (.01 less is as well)
and takes a tenth less CPU here, and on Arm, where that is counted, no more instructions.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from detector import DATA, EVERYTHING, measure, pictures
from rig import table

from blikk_edge.config.settings import DetectorSettings
from blikk_edge.core.errors import ModelError
from blikk_edge.core.sightings import Label
from blikk_edge.transforms.models.detect import TfliteDetector
from blikk_edge.transforms.models.folders import ModelFolders, default_cache, folders_from_environment, resolve
from blikk_edge.transforms.models.labels import COCO
from blikk_edge.transforms.models.registry import REGISTRY, OutputFormat

DETECTORS = frozenset({OutputFormat.YOLOX, OutputFormat.YOLOX_DECODED, OutputFormat.SSD})
OTHERS = {"nanodet-m 320": "models/detect/nanodet_m_320/nanodet_320.tflite"}
"""Of formats that no decoder of ours reads: only their cost."""

ARM = ("cortex-a72", "cortex-a76")
ROUNDS = 5
LOOKS = 20
AS_WELL = 0.01
CHEAPER = 0.9

COST = """
import json, sys, time
import numpy as np
from ai_edge_litert.interpreter import Interpreter
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6
before = resident()
network = Interpreter(model_path=sys.argv[1], num_threads=1)
network.allocate_tensors()
for given in network.get_input_details():
    tensor = network.tensor(given["index"])()
    tensor[:] = np.asarray(100).astype(tensor.dtype)
    del tensor
network.invoke()
after = resident()
times = []
for _ in range(int(sys.argv[2])):
    began = time.process_time()
    network.invoke()
    times.append(1000 * (time.process_time() - began))
print(json.dumps({"mb": after - before, "ms": sorted(times)[len(times) // 2] if times else 0.0}))
"""


class Candidate(NamedTuple):
    """A detector that may be had."""

    name: str
    path: Path
    licence: str


class Cost(NamedTuple):
    """What a network takes: ms of CPU, MB, and millions of Arm instructions for each of `ARM`."""

    ms: float
    mb: float
    arm: tuple[float, ...]


def candidates(where: ModelFolders) -> Iterator[Candidate]:
    """Those of the registry that can be had, and the others."""
    for entry in REGISTRY.values():
        if entry.decoder in DETECTORS:
            try:
                yield Candidate(entry.name, resolve(entry.name, model_folders=where).path, entry.licence)
            except ModelError as error:
                print(f"left out: {error}")
    for name, place in OTHERS.items():
        if (DATA / place).is_file():
            yield Candidate(name, DATA / place, "Apache-2.0 (of the weights)")


def here(found: list[Candidate]) -> dict[str, tuple[float, float]]:
    """Ms and MB of each; they take turns."""
    runs: dict[str, list[dict[str, float]]] = {each.name: [] for each in found}
    for _ in range(ROUNDS):
        for each in found:
            command = [sys.executable, "-c", COST, str(each.path), str(LOOKS)]
            ran = subprocess.run(command, capture_output=True, text=True, check=True)
            runs[each.name].append(json.loads(ran.stdout))
    return {
        name: (statistics.median(run["ms"] for run in all_), statistics.median(run["mb"] for run in all_))
        for name, all_ in runs.items()
    }


def on_arm(path: Path, root: Path, plugin: Path, cpu: str) -> float:
    """Millions of instructions of a run of the network: what three runs take more than one, halved."""
    python, packages = root / "usr/bin/python3.11", root / "packages"
    counts = []
    for looks in (0, 2):
        ran = subprocess.run(
            [
                *("qemu-aarch64", "-cpu", cpu, "-L", str(root), "-plugin", str(plugin)),
                *("-E", f"PYTHONPATH={packages}", "-E", "OPENBLAS_NUM_THREADS=1"),
                *(str(python), "-c", COST, str(path), str(looks)),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        counts.append(int(ran.stderr.rpartition("instructions: ")[2]))
    return (counts[1] - counts[0]) / 2 / 1e6


def judge(costs: dict[str, Cost], persons: dict[str, float], found: list[Candidate]) -> list[str]:
    """Why another one should be the default."""
    default = DetectorSettings().model
    mine = costs[default]
    return [
        f"{each.name} finds persons as well as {default} and costs less"
        for each in found
        if each.name in persons
        and "(" not in each.licence
        and persons[each.name] >= persons[default] - AS_WELL
        and costs[each.name].ms < CHEAPER * mine.ms
        and all(one <= other for one, other in zip(costs[each.name].arm, mine.arm, strict=True))
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arm", type=Path, metavar="ROOT", help="a Debian for arm64 to count instructions in")
    parser.add_argument("--check", action="store_true", help="exit 1 where another one should be the default")
    options = parser.parse_args()
    if not (DATA / "images" / "coco128_lightly").is_dir():
        print(f"skipped: no test data at {DATA}; set BLIKK_TEST_DATA", file=sys.stderr)
        return 0
    where = ModelFolders(cache=default_cache(), folders=(*folders_from_environment(), DATA / "models"), offline=True)
    found = list(candidates(where))
    spent = here(found)
    with tempfile.TemporaryDirectory() as base:
        plugin = Path(base) / "count.so"
        if options.arm is not None:
            source = Path(__file__).with_name("count_instructions.c")
            subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(plugin), str(source)], check=True)
        costs = {
            each.name: Cost(
                *spent[each.name],
                () if options.arm is None else tuple(on_arm(each.path, options.arm, plugin, cpu) for cpu in ARM),
            )
            for each in found
        }
    shown = pictures()
    persons: dict[str, float] = {}
    rows = []
    for each in found:
        aps = ("-", "-")
        if each.name in REGISTRY:
            labels = (
                tuple(Label) if REGISTRY[each.name].labels == COCO or each.name.startswith("ssd") else (Label.PERSON,)
            )
            look = TfliteDetector(
                resolve(each.name, model_folders=where), thresholds=dict.fromkeys(labels, EVERYTHING)
            ).detect
            row = measure(each.name, look, shown)
            persons[each.name] = row.ap[Label.PERSON] or 0.0
            aps = (f"{persons[each.name]:.3f}", "-" if row.overall is None else f"{row.overall:.3f}")
        cost = costs[each.name]
        arm = [f"{count:.0f}" for count in cost.arm] or ["-"] * len(ARM)
        rows.append((each.name, *aps, f"{cost.ms:.1f}", f"{cost.mb:.0f}", *arm, each.licence.partition(" (")[0]))
    table(("detector", "persons", "all labels", "CPU ms", "MB", *(f"{cpu}, M" for cpu in ARM), "licence"), rows)
    missed = judge(costs, persons, found)
    for reason in missed:
        print(f"missed: {reason}", file=sys.stderr)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
