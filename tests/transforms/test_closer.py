"""Closer looks: where, how often, and what several of them add up to."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from blikk_edge.core.geometry import Box, Polygon, intersection
from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import Detection, Label, Motion, Track, View
from blikk_edge.sources.pixels import Scaler
from blikk_edge.transforms.models.closer import BURST, CloserLook
from blikk_edge.transforms.privacy.mask import MaskedDetector
from blikk_edge.transforms.privacy.paint import paint

LUMA = np.zeros((480, 640), np.uint8)
THERE = Box(0.5, 0.5, 0.55, 0.6)


def scene(time: float, *moving: Box, tracks: tuple[Track, ...] = ()) -> Scene:
    frame = Frame(camera="yard", seq=0, time=time, luma=LUMA, convert=lambda: np.zeros((480, 640, 3), np.uint8))
    view = View.MOVING if moving else View.QUIET
    return Scene(frame=frame, motion=Motion(view=view, score=0.4, boxes=moving), tracks=tracks)


def person(score: float, box: Box = THERE) -> Detection:
    return Detection(label=Label.PERSON, sub_label="person", score=score, box=box)


def followed(box: Box = THERE) -> Track:
    return Track(
        id=1,
        label=Label.PERSON,
        sub_label="person",
        score=0.9,
        best_score=0.9,
        box=box,
        first_seen=0.0,
        last_seen=0.0,
        confirmed=True,
    )


class Eyes:
    """Finds what a closer look at a part is to find, and notes where it looked."""

    def __init__(self, *found: Detection) -> None:
        self.found = found
        self.parts: list[Box] = []

    def __call__(self, part: Box) -> tuple[Detection, ...]:
        self.parts.append(part)
        return self.found


class Walker(Eyes):
    """Finds a person with this score who walks to the right, half of his height a look."""

    def __init__(self, score: float) -> None:
        super().__init__()
        self.score = score

    def __call__(self, part: Box) -> tuple[Detection, ...]:
        super().__call__(part)
        return (person(self.score, walked(len(self.parts))),)


def walked(steps: int) -> Box:
    return Box(0.2 + 0.03 * steps, 0.5, 0.25 + 0.03 * steps, 0.6)


def looks(closer: CloserLook, eyes: Eyes, times: list[float], *moving: Box) -> list[float]:
    """The scores of persons that are given, look by look; 0 where there is none."""
    given = []
    for time in times:
        here = (walked(len(eyes.parts) + 1),) if isinstance(eyes, Walker) else moving
        found = closer.look(scene(time, *here), (), eyes)
        given.append(found[-1].score if found else 0.0)
    return given


def test_who_is_clear_and_walks_is_sure_after_two_more_looks():
    first, *more = looks(CloserLook(), Walker(0.85), [0.0, 0.2, 0.4])
    assert first < 0.45 < more[-1]


def test_faint_looks_at_somebody_who_walks_add_up_to_a_person():
    scores = looks(CloserLook(), Walker(0.35), [n / 5 for n in range(8)])
    assert scores == sorted(scores)
    assert scores[0] < 0.45 < scores[-1]


def test_a_bush_that_looks_like_a_person_never_becomes_one():
    eyes = Eyes()
    closer, given = CloserLook(per_minute=600), []
    for number in range(600):
        sways = 0.015 * (number % 3) - 0.015  # the detector's box, not the bush
        eyes.found = (person(0.65, Box(0.5, 0.5 + sways, 0.55, 0.6 + sways)),)
        given += [d.score for d in closer.look(scene(number / 5, THERE), (), eyes)]
    assert len(eyes.parts) > 100
    assert max(given) < 0.45


def test_two_bushes_that_look_like_a_person_in_turn_never_become_one():
    eyes = Eyes()
    closer, given = CloserLook(per_minute=600), []
    for number in range(600):
        left = 0.5 if number % 7 < 3 else 0.53
        eyes.found = (person(0.65, Box(left, 0.5, left + 0.05, 0.6)),)
        given += [d.score for d in closer.look(scene(number / 5, THERE), (), eyes)]
    assert len(eyes.parts) > 100
    assert max(given) < 0.45


def test_who_stands_and_is_clear_twice_is_a_person():
    first, second = looks(CloserLook(), Eyes(person(0.85)), [0.0, 0.2], THERE)
    assert first < 0.45 < second


def test_who_was_clear_before_nobody_was_found_is_not_so_any_more():
    closer, eyes = CloserLook(), Eyes(person(0.85))
    looks(closer, eyes, [0.0], THERE)
    eyes.found = ()
    looks(closer, eyes, [0.2 + n / 5 for n in range(20)], THERE)
    eyes.found = (person(0.7),)
    assert max(looks(closer, eyes, [6.0 + n / 5 for n in range(4)], THERE)) < 0.45
    eyes.found = (person(0.85),)
    assert max(looks(closer, eyes, [7.0], THERE)) < 0.45


def test_somebody_elsewhere_is_somebody_else():
    closer, eyes = CloserLook(), Eyes(person(0.9))
    looks(closer, eyes, [0.0, 0.2], THERE)
    eyes.found = (person(0.9, Box(0.45, 0.5, 0.55, 0.8)),)  # of another height
    (found,) = closer.look(scene(0.4, THERE), (), eyes)
    assert found.score < 0.45


def test_looks_that_find_nobody_never_add_up():
    eyes = Eyes(person(0.08))
    assert max(looks(CloserLook(), eyes, [n / 5 for n in range(600)], THERE)) < 0.45


def test_a_place_where_nobody_is_found_is_left_alone_for_longer_and_longer():
    eyes = Eyes()
    times = [n / 5 for n in range(3000)]
    looked = []
    closer = CloserLook()
    for time in times:
        before = len(eyes.parts)
        closer.look(scene(time, THERE), (), eyes)
        if len(eyes.parts) > before:
            looked.append(time)
    assert len(looked) < 30  # of 3000
    gaps = np.diff(looked)
    assert max(gaps[-3:]) > 60 > max(gaps[:5])


def test_who_comes_where_nobody_was_is_looked_at_at_once():
    closer, eyes = CloserLook(), Eyes()
    looks(closer, eyes, [n / 5 for n in range(3000)], THERE)
    closer.look(scene(601.0), (), eyes)
    before = len(eyes.parts)
    closer.look(scene(604.0, THERE), (), eyes)
    assert len(eyes.parts) == before + 1


def test_what_a_detection_explains_needs_no_closer_look():
    eyes = Eyes(person(0.9))
    car = Detection(label=Label.VEHICLE, sub_label="car", score=0.7, box=THERE.grown(0.2))
    assert CloserLook().look(scene(0.0, THERE), (car,), eyes) == (car,)
    assert eyes.parts == []


def test_a_faint_detection_explains_nothing_and_gives_way_to_a_clear_one():
    eyes = Eyes(person(0.9))
    closer = CloserLook()
    looks(closer, eyes, [0.0, 0.2], THERE)
    (found,) = closer.look(scene(0.4, THERE), (person(0.3),), eyes)
    assert found.score > 0.45


def test_what_fills_the_picture_is_found_in_the_whole_of_it():
    eyes = Eyes()
    CloserLook().look(scene(0.0, Box(0.1, 0.1, 0.4, 0.9)), (), eyes)
    assert eyes.parts == []


def test_a_poster_beside_what_moves_is_nobody():
    poster = person(0.9, Box(0.6, 0.5, 0.65, 0.6))
    assert looks(CloserLook(), Eyes(poster), [0.0, 0.2, 0.4], THERE) == [0.0, 0.0, 0.0]


def test_who_may_be_something_else_is_no_evidence():
    cat = Detection(label=Label.ANIMAL, sub_label="cat", score=0.8, box=THERE)
    scores = looks(CloserLook(), Eyes(cat, person(0.5)), [n / 5 for n in range(10)], THERE)
    assert max(scores) < 0.45


def test_who_is_followed_goes_first_and_is_looked_at_twice_a_second():
    closer, eyes = CloserLook(), Eyes(person(0.9))
    far = Box(0.05, 0.05, 0.2, 0.3)
    given = [any(d.score > 0.9 for d in closer.look(scene(n / 5, tracks=(followed(),)), (), eyes)) for n in range(20)]
    assert 6 <= sum(given) <= 8
    assert all(intersection(part, far) < far.area for part in eyes.parts)


def test_there_are_at_most_so_many_looks_a_minute():
    closer, eyes = CloserLook(per_minute=60), Eyes(person(0.9))
    for number in range(600):  # two minutes, and every time somewhere else
        x = (number * 0.137) % 0.9
        y = (number * 0.071) % 0.85
        closer.look(scene(number / 5, Box(x, y, x + 0.02, y + 0.03)), (), eyes)
    assert BURST < len(eyes.parts) <= BURST + 120


def test_only_the_newest_places_are_remembered():
    closer, eyes = CloserLook(per_minute=6000), Eyes()
    looks(closer, eyes, [0.0, 0.2, 0.4], THERE)  # nobody is there: it rests for a second
    everywhere = [Box(x / 20, y / 20, x / 20 + 0.01, y / 20 + 0.01) for x in range(20) for y in range(10)]
    for number, box in enumerate(everywhere):
        closer.look(scene(0.6 + number / 1000, box), (), eyes)
    before = len(eyes.parts)
    closer.look(scene(0.9, THERE), (), eyes)
    assert len(eyes.parts) == before + 1


@pytest.mark.parametrize("box", [THERE, Box(0, 0, 0.05, 0.05), Box(0.97, 0.9, 1, 1), Box(0.3, 0.3, 0.3, 0.3)])
def test_a_closer_look_is_a_square_around_what_moves(box):
    eyes = Eyes()
    CloserLook().look(scene(0.0, box), (), eyes)
    (part,) = eyes.parts
    assert part.width * 640 == pytest.approx(part.height * 480, abs=1)
    assert part.height * 480 >= 160 - 1e-6
    assert intersection(part, box) == pytest.approx(box.area)


def test_time_that_goes_back_begins_anew():
    closer, eyes = CloserLook(), Eyes(person(0.85))
    looks(closer, eyes, [100.0, 100.2], THERE)
    assert looks(closer, eyes, [50.0], THERE)[0] < 0.9


def test_a_private_part_stays_hidden_in_a_closer_look():
    seen: list[np.ndarray] = []

    class Noting:
        name = "noting"

        def detect(self, bgr: np.ndarray) -> tuple[Detection, ...]:
            seen.append(bgr)
            return ()

    left = Polygon.of([(0, 0), (0.5, 0), (0.5, 1), (0, 1)])
    white = np.full((100, 100, 3), 255, np.uint8)
    MaskedDetector(Noting(), (left,)).detect(white, Box(0.25, 0.25, 0.75, 0.75))
    assert not seen[0][:, :50].any()
    assert (seen[0][:, 55:] == 255).all()
    MaskedDetector(Noting(), (left,)).detect(white, Box(0.6, 0.2, 0.9, 0.5))
    assert (seen[1] == 255).all()


def wall(width: int, height: int) -> np.ndarray:
    """A picture in which each place has its own colour."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.dstack((255 * x / width, 255 * y / height, 128 + 0 * x)).astype(np.uint8)


def picture(path: Path, bgr: np.ndarray, pixel_format: str) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(bgr, format="bgr24").reformat(format=pixel_format)
    frame.pts, frame.time_base = 0, Fraction(1, 5)
    return frame


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv422p", "nv12"])
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_part_shows_what_lies_there_in_the_whole_picture(tmp_path: Path, pixel_format: str, rotate: int):
    scaler = Scaler(480, rotate=rotate)
    taken = picture(tmp_path, wall(1920, 1080), pixel_format)
    frame = scaler.frame(taken, camera="yard", seq=0, time=0.0)
    box = Box(0.2, 0.55, 0.4, 0.75)
    part, whole = frame.part(box), frame.bgr()
    height, width = whole.shape[:2]
    x1, y1, x2, y2 = box.pixels(width, height)
    assert not part.flags.writeable
    for down, across in ((0.1, 0.1), (0.1, 0.9), (0.9, 0.1), (0.9, 0.9)):
        here = part[int(down * part.shape[0]), int(across * part.shape[1])].astype(int)
        there = whole[int(y1 + down * (y2 - y1)), int(x1 + across * (x2 - x1))].astype(int)
        assert np.abs(here - there).max() <= 6
    larger = pixel_format in {"yuv420p", "yuvj420p"}
    assert (part.shape[0] > y2 - y1 + 2) is larger


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("aspect", [0.5, 1.0, 2.2])
def test_no_pixel_of_a_private_area_is_seen_at_the_edge_of_a_part(rotate: int, aspect: float):
    width, height = (1080, 1920) if rotate % 180 else (1920, 1080)
    for number in range(5):
        x1, y1, x2, y2 = 0.2437 + number / 91, 0.3119 + number / 67, 0.4511 + number / 83, 0.5393 + number / 71
        upright = np.zeros((height, width), np.uint8)
        upright[int(y1 * height) : int(y2 * height) + 1, int(x1 * width) : int(x2 * width) + 1] = 1
        planes = np.full((1620, 1920), 128, np.uint8)
        planes[:1080] = np.where(np.rot90(upright, rotate // 90), 235, 16)
        taken = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame = Scaler(480, rotate=rotate).frame(taken, camera="yard", seq=0, time=0.0, aspect=aspect)
        box = Box(x1 - 0.0531, y1 - 0.0717, x2 - 0.1013, y2 + 0.0377)
        area = Polygon(((x1, y1), (x2, y1), (x2, y2), (x1, y2)))
        part = frame.part(box).copy()
        assert part.max() > 200
        paint(part, (area,), box)
        assert part.max() < 60


def test_a_part_of_a_small_stream_is_cut_from_what_is_looked_at(tmp_path: Path):
    frame = Scaler(480).frame(picture(tmp_path, wall(640, 480), "yuv420p"), camera="yard", seq=0, time=0.0)
    assert frame.part(THERE).base is frame.bgr() or np.shares_memory(frame.part(THERE), frame.bgr())
