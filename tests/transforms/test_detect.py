"""Real models on real pictures with known answers."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from blikk_edge.core.errors import ModelError
from blikk_edge.core.geometry import Box, iou
from blikk_edge.core.scene import Pixels
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.transforms.models.detect import PAD, Canvas, TfliteDetector, input_spec
from blikk_edge.transforms.models.folders import ModelFolders, resolve
from blikk_edge.transforms.models.registry import REGISTRY, Colours, InputSpec, Layout, OutputFormat
from blikk_edge.transforms.models.tflite import Tensor

COCO_MODELS = ["yolox-nano", "yolox-nano-dynamic", "yolox-nano-decoded", "ssd-mobilenet-v1"]
DEFAULTS = {Label.PERSON: 0.45, Label.VEHICLE: 0.5, Label.ANIMAL: 0.5, Label.PACKAGE: 0.5}

Open = Callable[..., TfliteDetector]


@pytest.fixture
def detector(data: Path, tmp_path: Path) -> Open:
    model_folders = ModelFolders(cache=tmp_path, folders=(data / "models",), offline=True)

    def build(name: str = "yolox-nano", **changes) -> TfliteDetector:
        return TfliteDetector(resolve(name, model_folders=model_folders), **({"thresholds": DEFAULTS} | changes))

    return build


def picture(data: Path, name: str) -> Pixels:
    pixels = cv2.imread(str(data / "images" / "coral" / name))
    assert pixels is not None
    return pixels


def reported(detections: tuple[Detection, ...]) -> list[tuple[str, str]]:
    return [(detection.label.value, detection.sub_label) for detection in detections]


@pytest.mark.parametrize("model", COCO_MODELS)
@pytest.mark.parametrize(
    ("name", "answer", "box"),
    [
        ("grace_hopper.bmp", ("person", "person"), Box(0.02, 0.06, 1.0, 0.97)),
        ("cat.bmp", ("animal", "cat"), Box(0.08, 0.16, 0.74, 0.97)),
    ],
)
def test_known_picture_has_its_known_answer(
    detector: Open, data: Path, model: str, name: str, answer: tuple[str, str], box: Box
) -> None:
    best = detector(model).detect(picture(data, name))[0]
    assert (best.label.value, best.sub_label) == answer
    assert iou(best.box, box) > 0.85


@pytest.mark.parametrize("model", COCO_MODELS)
def test_two_dogs_are_two_animals(detector: Open, data: Path, model: str) -> None:
    assert reported(detector(model).detect(picture(data, "pets.jpg"))) == [("animal", "dog"), ("animal", "dog")]


def test_person_model_finds_the_person_and_no_cat(detector: Open, data: Path) -> None:
    person = detector("person-192", thresholds={Label.PERSON: 0.5})
    assert reported(person.detect(picture(data, "grace_hopper.bmp"))) == [("person", "person")]
    assert person.detect(picture(data, "cat.bmp")) == ()


@pytest.mark.parametrize(
    ("other", "score_by", "box_iou"), [("yolox-nano-decoded", 0.01, 0.97), ("yolox-nano-dynamic", 0.06, 0.85)]
)
@pytest.mark.parametrize("name", ["grace_hopper.bmp", "cat.bmp", "pets.jpg", "face.jpg", "kite_and_cold.jpg"])
def test_variants_of_one_model_agree(
    detector: Open, data: Path, other: str, name: str, score_by: float, box_iou: float
) -> None:
    pixels = picture(data, name)
    raw, variant = detector().detect(pixels), detector(other).detect(pixels)
    assert sorted(reported(raw)) == sorted(reported(variant))
    for detection in raw:
        twin = max(variant, key=lambda candidate: iou(candidate.box, detection.box))
        assert iou(twin.box, detection.box) > box_iou
        assert twin.score == pytest.approx(detection.score, abs=score_by)


def test_golden_answer_of_the_default_model_stays(detector: Open, data: Path) -> None:
    found = detector().detect(picture(data, "pets.jpg"))
    golden = [(0.91, (0.21, 0.08, 0.50, 0.69)), (0.84, (0.67, 0.40, 0.97, 0.86))]
    assert [(d.score, (d.box.x1, d.box.y1, d.box.x2, d.box.y2)) for d in found] == [
        (pytest.approx(score, abs=0.01), pytest.approx(box, abs=0.01)) for score, box in golden
    ]


def test_same_picture_gives_identical_detections(detector: Open, data: Path) -> None:
    first, second = detector(threads=2), detector(threads=2)
    pixels, other = picture(data, "kite_and_cold.jpg"), picture(data, "cat.bmp")
    answers = [first.detect(pixels), second.detect(pixels)]
    first.detect(other)
    assert answers[0] == answers[1] == first.detect(pixels)


@pytest.mark.parametrize("shape", [(480, 854), (854, 480), (416, 416), (100, 120), (1080, 1920)])
def test_box_stays_on_its_object_in_any_size_and_place(detector: Open, data: Path, shape: tuple[int, int]) -> None:
    height, width = shape
    dogs = picture(data, "pets.jpg")
    scale = min(width / dogs.shape[1], height / dogs.shape[0])
    small = cv2.resize(dogs, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.full((height, width, 3), 90, dtype=np.uint8)
    x, y = width - small.shape[1], height - small.shape[0]
    canvas[y:, x:] = small
    found = detector().detect(canvas)
    expected = Box(
        (x + 0.21 * small.shape[1]) / width, (y + 0.08 * small.shape[0]) / height,
        (x + 0.50 * small.shape[1]) / width, (y + 0.69 * small.shape[0]) / height,
    )  # fmt: skip
    assert max(iou(dog.box, expected) for dog in found) > 0.75


def test_thresholds_hold_for_their_label_alone(detector: Open, data: Path) -> None:
    pixels = picture(data, "kite_and_cold.jpg")
    low = detector(thresholds={Label.PERSON: 0.3}).detect(pixels)
    high = detector(thresholds={Label.PERSON: 0.8}).detect(pixels)
    assert len(low) > len(high) > 0
    assert all(detection.score >= 0.8 for detection in high)


def test_labels_without_a_threshold_are_not_reported(detector: Open, data: Path) -> None:
    only_animals = detector(thresholds={Label.ANIMAL: 0.3})
    assert only_animals.detect(picture(data, "grace_hopper.bmp")) == ()


def test_thresholds_change_between_pictures(detector: Open, data: Path) -> None:
    dogs, pixels = detector(), picture(data, "pets.jpg")
    assert len(dogs.detect(pixels)) == 2
    dogs.set_thresholds({Label.ANIMAL: 0.88})
    assert len(dogs.detect(pixels)) == 1


@pytest.mark.parametrize("value", [0, 90, 255])
def test_empty_picture_has_nothing_in_it(detector: Open, value: int) -> None:
    assert detector().detect(np.full((480, 854, 3), value, dtype=np.uint8)) == ()


def test_read_only_and_strided_pictures_are_fine(detector: Open, data: Path) -> None:
    pixels = picture(data, "pets.jpg")
    expected = detector().detect(pixels)
    pixels.flags.writeable = False
    wide = np.repeat(pixels, 2, axis=1)[:, ::2]
    assert detector().detect(pixels) == detector().detect(wide) == expected


@pytest.mark.parametrize("shape", [(480, 854), (480, 854, 4), (0, 10, 3)])
def test_anything_but_a_colour_picture_is_refused(detector: Open, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"not a .* picture"):
        detector().detect(np.zeros(shape, dtype=np.uint8))


def test_model_is_opened_at_the_first_picture_and_can_be_let_go(detector: Open, data: Path) -> None:
    cat, pixels = detector("person-192", thresholds={Label.PERSON: 0.5}), picture(data, "grace_hopper.bmp")
    assert cat.inference_ms is None
    first = cat.detect(pixels)
    assert cat.inference_ms is not None
    assert cat.inference_ms > 0
    assert cat.open() is cat.open()
    cat.close()
    assert cat.detect(pixels) == first


def test_model_with_other_outputs_than_its_decoder_wants_is_refused(data: Path, tmp_path: Path) -> None:
    nanodet = data / "models/detect/nanodet_m_320/nanodet_320.tflite"
    model = resolve(str(nanodet), model_folders=ModelFolders(cache=tmp_path), decoder="yolox")
    with pytest.raises(ModelError, match=r"does not fit decoder yolox: .*\(1, 2100, 85\).* it has \(1, 2100, 112\)"):
        TfliteDetector(model, thresholds=DEFAULTS).open()


def test_model_with_other_labels_than_its_outputs_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("person\ndog\n")
    path = data / "models/detect/yolox_nano/yolox_nano_float16_quantize.tflite"
    model = resolve(str(path), model_folders=ModelFolders(cache=tmp_path), labels_file=tmp_path / "labels.txt")
    with pytest.raises(ModelError, match="for 2 classes, it has"):
        TfliteDetector(model, thresholds=DEFAULTS).open()


def test_model_that_takes_no_picture_is_refused(data: Path, tmp_path: Path) -> None:
    entry = REGISTRY["yolox-nano"]
    with pytest.raises(ModelError, match="no detector we can feed"):
        input_spec(entry, (Tensor(index=0, name="x", shape=(1, 10), dtype="float32", scale=0, zero=0),))
    with pytest.raises(ModelError, match="not what it claims to be"):
        input_spec(entry, (Tensor(index=0, name="x", shape=(1, 320, 320, 3), dtype="uint8", scale=0, zero=0),))


def test_your_own_copy_of_a_model_is_read_by_its_tensors_alone(detector: Open, data: Path, tmp_path: Path) -> None:
    # One byte more at the end: another hash, so that nothing but decoder and labels is known about it.
    for name, file in (("yolox-nano", "yolox_nano/yolox_nano_float16_quantize.tflite"),
                       ("yolox-nano-decoded", "yolox_nano_alt/yolox_nano_nhwc_decoded_fp32.tflite"),
                       ("ssd-mobilenet-v1", "ssd_mobilenet_v1_coco_quant/detect.tflite")):  # fmt: skip
        own = tmp_path / "own.tflite"
        own.write_bytes((data / "models/detect" / file).read_bytes() + b"\0")
        model = resolve(str(own), model_folders=ModelFolders(cache=tmp_path), decoder=REGISTRY[name].decoder)
        assert (model.entry.input, model.entry.name) == (None, "own")
        pixels = picture(data, "pets.jpg")
        assert TfliteDetector(model, thresholds=DEFAULTS).detect(pixels) == detector(name).detect(pixels)


def spec(**changes) -> InputSpec:
    plain = {"width_px": 4, "height_px": 4, "layout": Layout.NHWC, "dtype": "uint8", "colours": Colours.BGR}
    return InputSpec(**(plain | {"letterbox": True} | changes))


BLUE_GREEN_RED = np.full((2, 4, 3), (10, 20, 30), dtype=np.uint8)


def test_letterbox_keeps_the_proportions_and_pads_below_with_grey() -> None:
    canvas, tensor = Canvas(spec()), np.zeros((1, 4, 4, 3), dtype=np.uint8)
    assert canvas.draw(BLUE_GREEN_RED) == (4, 2)
    canvas.fill(tensor)
    assert tensor[0, :2].reshape(-1, 3).tolist() == [[10, 20, 30]] * 8
    assert (tensor[0, 2:] == PAD).all()


def test_padding_is_clean_after_a_picture_of_another_shape() -> None:
    canvas, tensor = Canvas(spec()), np.zeros((1, 4, 4, 3), dtype=np.uint8)
    canvas.draw(np.zeros((8, 8, 3), dtype=np.uint8))
    canvas.draw(BLUE_GREEN_RED)
    canvas.fill(tensor)
    assert (tensor[0, 2:] == PAD).all()


@pytest.mark.parametrize(
    ("changes", "pixel"),
    [
        ({"dtype": "float32"}, [10, 20, 30]),
        ({"dtype": "float32", "colours": Colours.RGB}, [30, 20, 10]),
        ({"dtype": "float32", "mean": 10.0, "std": 2.0}, [0, 5, 10]),
        ({"dtype": "int8"}, [-118, -108, -98]),
        ({"dtype": "float32", "layout": Layout.NCHW}, [10, 20, 30]),
    ],
)
def test_pixels_reach_the_model_as_it_wants_them(changes: dict, pixel: list[float]) -> None:
    wanted = spec(letterbox=False, **changes)
    shape = (1, 3, 4, 4) if wanted.layout is Layout.NCHW else (1, 4, 4, 3)
    tensor = np.zeros(shape, dtype=wanted.dtype)
    canvas = Canvas(wanted)
    canvas.draw(BLUE_GREEN_RED)
    canvas.fill(tensor)
    first = tensor[0, :, 3, 3] if wanted.layout is Layout.NCHW else tensor[0, 3, 3]
    assert first.tolist() == pixel


def test_every_registry_detector_has_a_decoder_for_pictures() -> None:
    assert {e.decoder for e in REGISTRY.values()} == set(OutputFormat)
