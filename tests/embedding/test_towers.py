"""Pictures and words by a model of two towers (`tiny_clip`); the published weights were never run by a test."""

from pathlib import Path

import numpy as np
import pytest
from tiny_clip import COLOURS, write_model, write_pair

from blikk_edge.core.appearance import Colour
from blikk_edge.core.errors import ModelError
from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import Sighting
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Label
from blikk_edge.transforms.embedding.colours import dominant_colours
from blikk_edge.transforms.embedding.fitting import fit
from blikk_edge.transforms.embedding.reader import Budget, LookReader
from blikk_edge.transforms.embedding.towers import ALIKE, Towers, likeness
from blikk_edge.transforms.privacy.paint import encode

RED_BOX, BLUE_BOX = Box(0.05, 0.2, 0.45, 0.9), Box(0.55, 0.2, 0.95, 0.9)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def towers(pair: tuple[Path, Path]) -> Towers:
    return Towers("tiny", *pair)


def flat(colour: str, height: int = 90, width: int = 160) -> np.ndarray:
    """(h, w, 3) BGR of one colour."""
    return np.full((height, width, 3), COLOURS[colour][::-1], np.uint8)


def picture() -> Picture:
    """A red object to the left, a blue one to the right."""
    bgr = flat("grey", 480, 640)
    for box, colour in ((RED_BOX, "red"), (BLUE_BOX, "blue")):
        x1, y1, x2, y2 = box.pixels(640, 480)
        bgr[y1:y2, x1:x2] = COLOURS[colour][::-1]
    return Picture(camera="gate", name="frame", time=1.0, jpeg=encode(bgr, 85), width_px=640, height_px=480)


def seen(track: int, box: Box) -> Sighting:
    return Sighting(track=track, label=Label.VEHICLE, sub_label="car", score=0.9, box=box, since=1.0, dwell_s=0.0)


@pytest.mark.parametrize("colour", COLOURS)
def test_words_are_nearest_to_their_picture(towers: Towers, colour: str) -> None:
    vector = towers.picture(flat(colour))
    scores = {word: float(towers.text(f"a photo of a {word} car") @ vector) for word in COLOURS}
    assert max(scores, key=lambda word: scores[word]) == colour
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


def test_objects_are_read_in_what_is_redacted_each_in_its_place(towers: Towers) -> None:
    reader = LookReader(lambda: towers)
    red, blue = reader.look(picture(), [seen(1, RED_BOX), seen(2, BLUE_BOX)], {"blue": "blue car"})
    assert [(look.appearance.track, look.appearance.colours[0]) for look in (red, blue)] == [
        (1, Colour.RED),
        (2, Colour.BLUE),
    ]
    assert red.scores["blue"] < 0.1 < 0.9 < blue.scores["blue"]
    assert red.appearance.embedding is not None
    assert red.appearance.embedding.model == "tiny"
    halves = np.frombuffer(red.appearance.embedding.raw, "<f2").astype(np.float32)
    assert float(halves @ towers.text("red")) > 0.95


def test_what_fits_no_better_than_the_usual_words_is_no_concept(towers: Towers) -> None:
    assert fit(towers, towers.picture(flat("red")), "something", Label.VEHICLE) == pytest.approx(0.5)


def test_embeddings_of_different_sizes_are_not_compared(towers: Towers) -> None:
    with pytest.raises(ModelError, match="tiny gave embeddings of"):
        fit(towers, np.ones(3, np.float32), "red", Label.VEHICLE)


def test_without_a_model_there_are_colours_and_no_embedding() -> None:
    (look,) = LookReader().look(picture(), [seen(1, BLUE_BOX)], {"blue": "blue car"})
    assert (look.appearance.colours, look.appearance.embedding, look.scores) == ((Colour.BLUE,), None, {})


def test_a_tiny_object_and_what_is_no_picture_have_no_looks() -> None:
    broken = Picture(camera="gate", name="frame", time=1.0, jpeg=b"no JPEG", width_px=1, height_px=1)
    assert list(LookReader().look(picture(), [seen(1, Box(0.5, 0.5, 0.51, 0.51))], {})) == []
    assert list(LookReader().look(broken, [seen(1, RED_BOX)], {})) == []
    assert LookReader().whole(broken) is None


def test_over_its_budget_colours_are_left(towers: Towers) -> None:
    now = iter(float(10 * step) for step in range(100))  # each embedding takes ten seconds
    reader = LookReader(lambda: towers, budget=Budget(share=0.1, saved_s=3.0), stopwatch=lambda: next(now))
    looks = [reader.look(picture(), [seen(1, RED_BOX)], {})[0] for _ in range(8)]
    assert all(look.appearance.colours for look in looks)
    made = [look.appearance.embedding is not None for look in looks]
    assert made[:2] == [True, False]
    assert sum(made) <= 3
    assert [look.skipped for look in looks] == [not each for each in made]


def test_a_model_that_fails_is_told_and_colours_are_left(pair: tuple[Path, Path]) -> None:
    failures: list[ModelError] = []

    class Failing(Towers):
        def picture(self, bgr: np.ndarray) -> np.ndarray:
            raise ModelError("it failed")

    failing = Failing("tiny", *pair)
    (look,) = LookReader(lambda: failing, failed=failures.append).look(picture(), [seen(1, RED_BOX)], {})
    assert (look.appearance.embedding, look.appearance.colours, len(failures)) == (None, (Colour.RED,), 1)


def test_a_failure_takes_of_the_budget_too(pair: tuple[Path, Path]) -> None:
    asked: list[int] = []

    class Failing(Towers):
        def picture(self, bgr: np.ndarray) -> np.ndarray:
            asked.append(1)
            raise ModelError("nobody answered")

    failing, now = Failing("tiny", *pair), iter(float(10 * step) for step in range(100))
    reader = LookReader(lambda: failing, budget=Budget(share=0.1, saved_s=3.0), stopwatch=lambda: next(now))
    skipped = [reader.look(picture(), [seen(1, RED_BOX)], {})[0].skipped for _ in range(3)]
    assert skipped == [False, True, True]
    assert len(asked) == 1


def test_a_file_that_is_no_such_model_is_refused_in_words(pair: tuple[Path, Path], tmp_path: Path) -> None:
    write_model(tmp_path / "other.onnx", pair[1], names={"image_embeds": "features"})
    with pytest.raises(ModelError, match=r"no CLIP model of two towers: .*features.* are needed"):
        Towers("other", tmp_path / "other.onnx", pair[1])
    (tmp_path / "cut.onnx").write_bytes(pair[0].read_bytes()[:500])
    with pytest.raises(ModelError, match="damaged or not for this runtime"):
        Towers("cut", tmp_path / "cut.onnx", pair[1])


def test_a_model_that_was_spoilt_by_rounding_is_told_from_the_full_one(pair: tuple[Path, Path], tmp_path: Path) -> None:
    full = Towers("full", *pair)
    for turned, good in ((0.0, True), (0.01, True), (0.5, False)):
        write_model(tmp_path / "rounded.onnx", pair[1], turned=turned)
        assert (likeness(full, Towers("rounded", tmp_path / "rounded.onnx", pair[1])) > ALIKE) is good


@pytest.mark.parametrize(
    ("rgb", "colour"),
    [
        ((200, 20, 20), "red"),
        ((120, 15, 20), "red"),
        ((240, 140, 20), "orange"),
        ((110, 70, 35), "brown"),
        ((240, 220, 40), "yellow"),
        ((30, 140, 50), "green"),
        ((30, 70, 190), "blue"),
        ((20, 25, 90), "blue"),
        ((110, 40, 160), "purple"),
        ((240, 140, 190), "pink"),
        ((235, 235, 235), "white"),
        ((130, 132, 128), "grey"),
        ((20, 20, 22), "black"),
        ((70, 72, 70), "grey"),
    ],
)
def test_a_colour_has_its_name_under_light_and_noise(rgb: tuple[int, int, int], colour: str) -> None:
    noise = np.random.default_rng(1).normal(0, 4, (80, 120, 3))
    bgr = np.clip(np.array(rgb[::-1]) + noise, 0, 255).astype(np.uint8)
    assert dominant_colours(bgr)[0] == colour


def test_the_road_around_a_car_is_not_its_colour() -> None:
    bgr = flat("grey", 100, 200)
    bgr[15:85, 20:180] = (30, 30, 200)  # BGR
    bgr[70:85, 40:70] = bgr[70:85, 130:160] = 20  # wheels
    assert dominant_colours(bgr)[0] is Colour.RED
