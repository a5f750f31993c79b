"""Real faces through the real detector and the real face model."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from annotated_faces import AnnotatedFace, AnnotatedPicture, detector, gif, scene_of

from blikk_edge.core.geometry import Box
from blikk_edge.core.picture import Picture
from blikk_edge.core.scene import Pixels
from blikk_edge.transforms.privacy.faces import FaceFinder, Seen, _lifted
from blikk_edge.transforms.privacy.heads import Person
from blikk_edge.transforms.privacy.paint import covered as covered_mask
from blikk_edge.transforms.privacy.paint import encode
from blikk_edge.transforms.privacy.redactor import Privacy


class Blind(FaceFinder):
    """Finds nobody."""

    def look(self, bgr: Pixels) -> Seen:
        return Seen(faces=())


def decoded(picture: Picture) -> Pixels:
    bgr = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    assert bgr.shape == (picture.height_px, picture.width_px, 3)
    return np.asarray(bgr, np.uint8)


def is_in_a_person(face: AnnotatedFace, picture: AnnotatedPicture, persons: list[Box]) -> bool:
    height, width = picture.bgr.shape[:2]
    x, y = face.centre
    return any(p.x1 * width <= x <= p.x2 * width and p.y1 * height <= y <= p.y2 * height for p in persons)


def covered(seen, privacy: Privacy, *, in_persons_only: bool) -> tuple[int, list[str]]:
    """How many faces were looked at, and those that are not covered."""
    count, bare = 0, []
    for number, each in enumerate(seen):
        persons = [d.box for d in each.detections]
        height, width = each.picture.bgr.shape[:2]
        people = [Person(d.box, score=d.score) for d in each.detections]
        mask = covered_mask(privacy._plan(each.picture.bgr, people, 10.0 * number).regions, width, height)
        for face in each.picture.faces:
            if in_persons_only and not is_in_a_person(face, each.picture, persons):
                continue
            count += 1
            if not face.covered(mask):
                bare.append(f"{each.picture.name}: {face}")
    return count, bare


def test_every_annotated_face_in_a_person_is_covered(seen, finder):
    count, bare = covered(seen, Privacy(finder), in_persons_only=True)
    assert count >= 60
    assert not bare


def test_every_annotated_face_is_covered_in_a_person_or_not(seen, finder):
    """Also those behind the windows of a train, where the detector finds nobody; but for one of them."""
    count, bare = covered(seen, Privacy(finder), in_persons_only=False)
    assert count >= 65
    assert len(bare) <= 1


@pytest.mark.parametrize(
    ("width_px", "least"), [(200, 0.4), (96, 0.4), (72, 0.3), (48, 0.2), (24, 0.1), (6, 0.1)], ids=str
)
def test_a_small_face_counts_from_less(width_px, least):
    """In a picture of 854 x 480, whose pixels the fine look sees as they are."""
    box = Box(0.1, 0.1, 0.1 + width_px / 854, 0.1 + width_px / 480)
    assert FaceFinder(Path("none.onnx"), threshold=0.4).least_score(box) == pytest.approx(least, rel=0.01)


def test_a_face_that_was_found_counts_and_some_only_because_they_are_small(seen, finder):
    faces = [face for each in seen[:8] for face in finder.find(np.asarray(each.picture.bgr // 4, np.uint8))]
    assert all(face.score >= finder.least_score(face.box) for face in faces)
    assert any(face.score < finder.threshold for face in faces)


def test_what_scores_low_is_doubtful_and_what_scores_too_low_for_its_size_is_faint(seen, finder):
    every = [finder.look(each.picture.bgr) for each in seen]
    faces = [face for each in every for face in each.faces]
    faint = [face for each in every for face in each.faint]
    assert {face.doubt for face in faces if face.score <= finder.threshold} == {1.0}
    assert {face.doubt for face in faces if face.front > 0} == {0.0}
    assert any(0 < face.doubt < 1 for face in faces)
    assert faint
    assert all(finder.threshold / 2 <= face.score < finder.least_score(face.box) for face in faint)


def test_every_face_in_a_person_is_covered_without_a_face_model(seen):
    count, bare = covered(seen, Privacy(None), in_persons_only=True)
    assert count >= 60
    # The box of a man who eats a banana, in a close-up, ends above his chin.
    assert len(bare) <= 1


def test_all_dlib_faces_are_covered(seen, finder):
    dlib = [each for each in seen if each.picture.set == "dlib"]
    count, bare = covered(dlib, Privacy(finder), in_persons_only=False)
    assert (count, bare) == (18, [])


def test_a_head_that_walks_stays_covered_while_no_face_is_found(data, finder):
    """The finder sees the faces once; then only where the persons are is known."""
    persons = detector(data, 0.1)
    frames = [(picture, persons.detect(picture.bgr)) for picture in gif(data, 2)]
    looked, bare = 0, []
    for first in range(0, len(frames) - 6, 3):
        privacy = Privacy(finder)
        for number, (picture, found) in enumerate(frames[first : first + 6]):
            people = [Person(d.box, score=d.score) for d in found]
            with pytest.MonkeyPatch.context() as patch:
                if number:
                    patch.setattr(privacy, "_faces", Blind(finder.model))
                regions = privacy._plan(picture.bgr, people, number / 6).regions
            mask = covered_mask(regions, picture.bgr.shape[1], picture.bgr.shape[0])
            looked += len(picture.faces)
            bare += [f"{picture.name}: {face}" for face in picture.faces if not face.covered(mask)]
    assert looked >= 40
    assert not bare


def test_a_face_in_the_dark_is_found_as_one_in_the_light(seen, yunet):
    finder = FaceFinder(yunet)
    dark = [np.asarray(255 * (each.picture.bgr / 255.0) ** 2.5, np.uint8) for each in seen[:4]]
    found = [len(finder.find(bgr)) for bgr in dark]
    assert found >= [len(each.picture.faces) for each in seen[:4]]
    light = seen[3].picture.bgr
    assert _lifted(light) is light
    half = dark[0].copy()
    half[: half.shape[0] // 2] = 0
    assert _lifted(half)[-50:].mean() == pytest.approx(_lifted(dark[0])[-50:].mean(), rel=0.35)


def test_hardly_a_face_is_taken_for_one_in_the_picture_that_leaves(seen, finder, yunet):
    """YuNet, which makes out heads without features too, and OpenCV's cascade, which knows nothing of ours."""
    sceptic = FaceFinder(yunet, threshold=0.6)
    haar = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    before, after = {"yunet": 0, "haar": 0}, {"yunet": [], "haar": []}
    for each in seen:
        picture = Privacy(finder).picture(scene_of(each.picture.bgr, each.detections), name="person")
        height, width = picture.height_px, picture.width_px

        def found(bgr: Pixels, w: int = width, h: int = height) -> dict[str, list[tuple[float, float, float, float]]]:
            boxes = [f.box for f in sceptic.find(bgr)]
            grey = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
            return {
                "yunet": [(b.x1 * w, b.y1 * h, b.x2 * w, b.y2 * h) for b in boxes],
                "haar": [(x, y, x + a, y + b) for x, y, a, b in haar.detectMultiScale(grey, 1.2, 5)],
            }

        raw, redacted = found(each.picture.bgr), found(decoded(picture))
        for face in each.picture.faces:
            x, y = face.centre
            for kind in before:
                # Of the size of the face: a box around half the picture recognises nobody.
                at_face = [
                    [b for b in boxes if b[0] <= x <= b[2] and b[1] <= y <= b[3] and b[2] - b[0] <= 3 * face.width_px]
                    for boxes in (raw[kind], redacted[kind])
                ]
                before[kind] += bool(at_face[0])
                after[kind] += [each.picture.name] if at_face[1] else []
    assert before["yunet"] >= 60
    assert before["haar"] >= 15
    assert len(after["yunet"]) <= 0.05 * before["yunet"]
    assert after["haar"] == []


def test_a_pattern_planted_on_every_face_does_not_come_out(seen, finder):
    rng = np.random.default_rng(7)
    leaked, shown = [], []
    for each in seen:
        bgr = each.picture.bgr.copy()
        spots = []
        for face in each.picture.faces:
            if face.box is None or not is_in_a_person(face, each.picture, [d.box for d in each.detections]):
                continue
            x1, y1, x2, y2 = (max(0, round(v)) for v in face.box)
            # Two-pixel dots, so that JPEG itself does not wash them out.
            shape = (y2 - y1 + 1) // 2, (x2 - x1 + 1) // 2
            dots = np.kron(rng.choice((-30, 30), shape), np.ones((2, 2), int))[: y2 - y1, : x2 - x1]
            place = slice(y1, y1 + dots.shape[0]), slice(x1, x1 + dots.shape[1])
            bgr[place] = np.clip(bgr[place].astype(int) + dots[:, :, None], 0, 255).astype(np.uint8)
            spots.append((place, dots))
        scene = scene_of(bgr, each.detections)
        redacted = decoded(Privacy(finder).picture(scene, name="person"))
        bare = decoded(Privacy(finder, blur=False).picture(scene, name="person"))
        leaked += [correlation(redacted[place], dots) for place, dots in spots]
        shown += [correlation(bare[place], dots) for place, dots in spots]
    assert len(shown) >= 25
    assert min(shown) > 0.3
    # A face of 12 px has 49 dots, so chance alone correlates by 0.14 up or down; the mean has no such excuse.
    assert np.mean(leaked) < 0.05
    assert max(leaked) < 0.35
    assert min(np.array(shown) - np.array(leaked)) > 0.2


def correlation(pixels: Pixels, dots: np.ndarray) -> float:
    """Of the pattern with what is left of the pixels after what is smooth was taken away, -1..1."""
    grey = pixels.astype(np.float64).mean(axis=2)
    rough = grey - cv2.GaussianBlur(grey, (0, 0), 3)
    deviation = rough.std() * dots.std()
    return float(((rough - rough.mean()) * (dots - dots.mean())).mean() / deviation) if deviation > 0 else 0.0


def test_grace_hopper_is_one_sure_face_and_the_cat_is_none(data, finder):
    for name, faces in (("grace_hopper.bmp", 1), ("cat.bmp", 0)):
        found = finder.find(cv2.imread(str(data / "images/coral" / name)))
        assert sum(face.score >= finder.threshold for face in found) == faces


def test_every_head_of_a_crowd_is_blurred(finder):
    bgr = np.random.default_rng(3).integers(90, 110, (480, 854, 3)).astype(np.uint8)
    crowd = [Box(x / 10, y / 3, x / 10 + 0.05, y / 3 + 0.3) for x in range(10) for y in range(3)]
    assert len(Privacy(finder)._plan(bgr, [Person(box) for box in crowd], 0.0).heads) == len(crowd)


def test_the_jpeg_holds_no_metadata_and_no_thumbnail(seen, finder):
    jpeg = Privacy(finder).picture(scene_of(seen[0].picture.bgr, seen[0].detections), name="person").jpeg
    assert segments(jpeg) <= {"JFIF", "DQT", "SOF", "DHT", "SOS"}
    assert jpeg.endswith(b"\xff\xd9")


def test_a_jpeg_is_as_fine_as_its_quality():
    noise = np.random.default_rng(1).integers(0, 255, (120, 160, 3)).astype(np.uint8)
    assert len(encode(noise, 40)) < len(encode(noise, 85)) < len(encode(noise, 95))


def segments(jpeg: bytes) -> set[str]:
    """The kinds of segments up to the scan, by ITU-T T.81 annex B; application data by its name."""
    names = {0xDB: "DQT", 0xC0: "SOF", 0xC4: "DHT", 0xDA: "SOS"}
    assert jpeg[:2] == b"\xff\xd8"
    kinds, at = set(), 2
    while True:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4])
        body = jpeg[at + 4 : at + 2 + length]
        if marker == 0xE0:
            assert body[:5] == b"JFIF\0"
            assert body[12:14] == b"\0\0"  # no thumbnail
            kinds.add("JFIF")
        else:
            kinds.add(names.get(marker, hex(marker)))
        at += 2 + length
        if marker == 0xDA:
            return kinds


@pytest.mark.parametrize(("pause_s", "stays"), [(0.1, True), (5.0, False)])
def test_the_network_stays_open_only_where_pictures_follow_each_other_fast(yunet, pause_s, stays):
    """The times are of the end of one search and the begin of the next."""
    times = iter((0.0, 1.0, 1.0 + pause_s, 9.0))
    subject = FaceFinder(yunet, stopwatch=lambda: next(times))
    wall = np.zeros((96, 128, 3), np.uint8)
    subject.find(wall)
    assert subject._network._yunet is None
    subject.find(wall)
    assert (subject._network._yunet is not None) is stays
