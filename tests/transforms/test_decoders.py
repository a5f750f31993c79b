"""Known tensors in, known boxes out; and what must hold for any."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from blikk_edge.core.errors import ModelError
from blikk_edge.core.sightings import Label
from blikk_edge.transforms.models.decoders import (
    MOST_CANDIDATES,
    NMS_IOU,
    Candidates,
    Classes,
    decoder,
    grid,
    merged,
    ssd_order,
)
from blikk_edge.transforms.models.labels import CLASSES, COCO, COCO_90, label_of, read_labels
from blikk_edge.transforms.models.registry import OutputFormat
from blikk_edge.transforms.models.tflite import Tensor

NAMES = ("person", "spoon", "car", "truck", "dog")
ALL = dict.fromkeys(Label, 0.3)
SIDE = 64  # grids of 8x8, 4x4 and 2x2: 84 anchors


def tensor(*shape: int, name: str = "out", scale: float = 0.0, zero: int = 0) -> Tensor:
    return Tensor(index=0, name=name, shape=shape, dtype="float32", scale=scale, zero=zero)


def yolox(classes: Classes, *, decoded: bool = False):
    kind = OutputFormat.YOLOX_DECODED if decoded else OutputFormat.YOLOX
    return decoder(kind, classes=classes, width_px=SIDE, height_px=SIDE, outputs=[tensor(1, 84, 10)], model="m")


def output(*rows: tuple[int, list[float]]) -> np.ndarray:
    values = np.zeros((1, 84, 10), dtype=np.float32)
    for anchor, row in rows:
        values[0, anchor] = row
    return values


def test_raw_yolox_adds_the_cell_and_scales_by_the_stride() -> None:
    # Anchor 64 is the first of the 16 px grid, 70 its row 1, column 2.
    raw = output((70, [0.5, 0.25, np.log(2), np.log(1), 0.8, 0.9, 0, 0, 0, 0]))
    found = yolox(Classes(NAMES, ALL))([raw])
    assert found.boxes == pytest.approx(np.array([[40 - 16, 20 - 8, 40 + 16, 20 + 8]]))
    assert found.scores == pytest.approx([0.72])
    assert found.classes.tolist() == [0]


def test_decoded_yolox_takes_centre_and_size_as_pixels() -> None:
    found = yolox(Classes(NAMES, ALL), decoded=True)([output((3, [40, 20, 32, 16, 0.8, 0, 0, 0, 0, 0.9]))])
    assert found.boxes.tolist() == [[24, 12, 56, 28]]
    assert found.classes.tolist() == [4]


def test_grid_runs_row_by_row_from_the_finest() -> None:
    cells, strides = grid(64, 32)
    assert len(cells) == 8 * 4 + 4 * 2 + 2 * 1
    assert cells[:9].tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [5, 0], [6, 0], [7, 0], [0, 1]]
    assert strides[[0, 31, 32, 39, 40, 41]].tolist() == [8, 8, 16, 16, 32, 32]


def test_each_label_has_its_own_threshold_and_the_others_are_never_reported() -> None:
    rows = [(anchor, [0, 0, 0, 0, 1.0] + [0.55 if k == anchor else 0 for k in range(5)]) for anchor in range(5)]
    found = yolox(Classes(NAMES, {Label.PERSON: 0.5, Label.VEHICLE: 0.6, Label.ANIMAL: 0.55}))([output(*rows)])
    assert sorted(found.classes.tolist()) == [0, 4]


def test_box_that_is_rather_a_spoon_is_not_reported_as_a_dog() -> None:
    found = yolox(Classes(NAMES, ALL))([output((0, [0, 0, 0, 0, 1.0, 0, 0.6, 0, 0, 0.5]))])
    assert len(found.scores) == 0


def test_quantised_yolox_is_read_as_real_numbers() -> None:
    classes = Classes(NAMES, ALL)
    read = decoder(
        OutputFormat.YOLOX_DECODED,
        classes=classes,
        width_px=SIDE,
        height_px=SIDE,
        outputs=[tensor(1, 84, 10, scale=0.5, zero=10)],
        model="m",
    )
    raw = np.full((1, 84, 10), 10, dtype=np.uint8)
    raw[0, 0] = [90, 50, 74, 42, 12, 12, 10, 10, 10, 10]
    found = read([raw])
    assert found.boxes.tolist() == [[24, 12, 56, 28]]
    assert found.scores.tolist() == [1.0]


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.float32, (1, 84, 10), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)))
def test_no_output_however_wild_breaks_yolox(values: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        classes = Classes(NAMES, ALL)
        for decoded in (True, False):
            found = yolox(classes, decoded=decoded)([values])
            assert (found.scores >= np.float32(0.3)).all()
            merged(found, classes)


def ssd_outputs(boxes: list[list[float]], rows: list[float], scores: list[float]) -> list[np.ndarray]:
    arrays = [np.array([part], dtype=np.float32) for part in (boxes, rows, scores)]
    return [*arrays, np.array([len(rows)], dtype=np.float32)]


def ssd(classes: Classes, count: int):
    outputs = [tensor(1, count, 4, name="P"), tensor(1, count, name="P:1"), tensor(1, count, name="P:2")]
    outputs.append(tensor(1, name="P:3"))
    return decoder(OutputFormat.SSD, classes=classes, width_px=300, height_px=200, outputs=outputs, model="m")


def test_ssd_turns_its_boxes_and_ignores_rows_outside_the_labels() -> None:
    box = [0.1, 0.2, 0.5, 0.6]
    found = ssd(Classes(NAMES, ALL), 5)(ssd_outputs([box] * 5, [0, 1, 99, -1, np.nan], [0.9] * 5))
    assert found.boxes == pytest.approx(np.array([[60, 20, 180, 100]]))
    assert found.classes.tolist() == [0]


TF1 = [("P", (1, 10, 4)), ("P:1", (1, 10)), ("P:2", (1, 10)), ("P:3", (1,))]
TF2 = [("S:1", (1, 25)), ("S:3", (1, 25, 4)), ("S:0", (1,)), ("S:2", (1, 25))]


@pytest.mark.parametrize(("outputs", "order"), [(TF1, (0, 1, 2)), (TF2, (1, 3, 0))])
def test_ssd_outputs_are_found_in_both_exports(outputs: list, order: tuple[int, int, int]) -> None:
    assert ssd_order([tensor(*shape, name=name) for name, shape in outputs], "m") == order


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        (OutputFormat.YOLOX, [(1, 84, 11)]),
        (OutputFormat.YOLOX, [(1, 85, 10)]),
        (OutputFormat.YOLOX_DECODED, [(1, 84, 10), (1,)]),
        (OutputFormat.SSD, [(1, 84, 10)]),
        (OutputFormat.SSD, [(1, 10, 4), (1, 10), (1, 9), (1,)]),
        (OutputFormat.SSD, [(1,), (1,), (1,), (1,)]),
        (OutputFormat.SSD, [()]),
        (OutputFormat.SSD, []),
        (OutputFormat.YUNET, [(1, 84, 10)]),
    ],
)
def test_outputs_that_do_not_fit_the_decoder_are_refused(kind: OutputFormat, shapes: list[tuple[int, ...]]) -> None:
    outputs = [tensor(*shape, name=str(index)) for index, shape in enumerate(shapes)]
    with pytest.raises(ModelError, match=r"does not fit decoder|not an object detector"):
        decoder(kind, classes=Classes(NAMES, ALL), width_px=SIDE, height_px=SIDE, outputs=outputs, model="m")


def candidates(*rows: tuple[list[float], float, int]) -> Candidates:
    return Candidates(
        boxes=np.array([row[0] for row in rows], dtype=np.float32).reshape(-1, 4),
        scores=np.array([row[1] for row in rows], dtype=np.float32),
        classes=np.array([row[2] for row in rows], dtype=np.intp),
    )


def test_one_vehicle_called_car_and_truck_is_one_and_the_person_on_it_stays() -> None:
    box, close = [0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 9.0]
    kept = merged(candidates((close, 0.6, 3), (box, 0.8, 2), (close, 0.5, 0)), Classes(NAMES, ALL))
    assert [(NAMES[row], round(float(score), 2)) for row, score in zip(kept.classes, kept.scores, strict=True)] == [
        ("car", 0.8),
        ("person", 0.5),
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20), st.integers(1, 20)),
            st.integers(30, 100),
            st.integers(0, 4),
        ),
        max_size=25,
    )
)
def test_merging_keeps_no_double_and_drops_nothing_alone(rows: list) -> None:
    classes = Classes(NAMES, ALL)
    found = candidates(*(([x, y, x + w, y + h], score / 100, row) for (x, y, w, h), score, row in rows if row != 1))
    kept = merged(found, classes)

    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
        return float(shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared))

    label = [classes.groups[row] for row in kept.classes]
    for i in range(len(kept.scores)):
        for j in range(i):
            assert kept.scores[j] >= kept.scores[i]
            assert label[i] != label[j] or overlap(kept.boxes[i], kept.boxes[j]) <= NMS_IOU + 1e-6
    for box, score, row in zip(found.boxes, found.scores, found.classes, strict=True):
        assert any(
            classes.groups[row] == label[k] and kept.scores[k] >= score and overlap(box, kept.boxes[k]) > NMS_IOU - 1e-6
            for k in range(len(label))
        )


def test_a_picture_full_of_noise_is_bounded() -> None:
    many = candidates(*(([20.0 * k, 0, 20.0 * k + 10, 10], 0.5, 0) for k in range(2 * MOST_CANDIDATES)))
    assert len(merged(many, Classes(NAMES, ALL)).scores) == MOST_CANDIDATES


def test_model_that_finds_nothing_asked_for_is_refused() -> None:
    with pytest.raises(ModelError, match=r"finds none of what is asked for \(package\); its classes: person"):
        Classes(("person",), {Label.PACKAGE: 0.5})


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("person", Label.PERSON), ("Motorcycle", Label.VEHICLE), ("boat", Label.VEHICLE), ("bear", Label.ANIMAL),
        ("suitcase", Label.PACKAGE), ("cardboard_box", Label.PACKAGE), (" Parcel ", Label.PACKAGE),
        ("teddy bear", None), ("hot dog", None), ("airplane", None), ("???", None), ("", None),
    ],
)  # fmt: skip
def test_class_names_become_what_the_user_asked_for(name: str, label: Label | None) -> None:
    assert label_of(name) is label


def test_class_lists_are_those_of_coco(data) -> None:
    assert (data / "annotations" / "coco80_labels.txt").read_text().split("\n")[:80] == list(COCO)
    assert read_labels(data / "models/detect/ssd_mobilenet_v1_coco_quant/labelmap.txt") == COCO_90


def test_every_class_belongs_to_one_label() -> None:
    assert sum(len(names) for names in CLASSES.values()) == len(set().union(*CLASSES.values()))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("person\ncar\n", ("person", "car")),
        ("person\n\n???\ncar\n\n\n", ("person", "???", "???", "car")),
        ("0  person\n2  car\n", ("person", "???", "car")),
        ("0: person\r\n1: traffic light\r\n", ("person", "traffic light")),
        ("person\n2 wheeler\n", ("person", "2 wheeler")),
    ],
)
def test_label_files_of_all_kinds_are_read(tmp_path, text: str, names: tuple[str, ...]) -> None:
    (tmp_path / "labels.txt").write_text(text)
    assert read_labels(tmp_path / "labels.txt") == names


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"spoon\n"])
def test_label_file_of_no_use_is_a_model_error(tmp_path, content: bytes) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(ModelError, match=r"label file .*labels\.txt"):
        read_labels(tmp_path / "labels.txt")
