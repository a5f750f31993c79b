"""Fails closed: whenever faces could not be looked for there is no Picture; and nobody else can make one."""

import ast
from pathlib import Path

import cv2
import numpy as np
import pytest
from annotated_faces import scene_of

import blikk_edge
from blikk_edge.core.errors import ModelError, PrivacyError, SourceError
from blikk_edge.core.geometry import Box
from blikk_edge.core.live import LIVE
from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import Detection, Label, Motion, View
from blikk_edge.demo.clip import photographs
from blikk_edge.transforms.privacy import shrink
from blikk_edge.transforms.privacy.faces import FaceFinder
from blikk_edge.transforms.privacy.redactor import Privacy

WALL = np.random.default_rng(5).integers(60, 200, (120, 160, 3)).astype(np.uint8)
SOMEONE = (Detection(label=Label.PERSON, sub_label="person", score=0.8, box=Box(0.2, 0.2, 0.5, 0.9)),)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing", None),
        ("empty", lambda whole: b""),
        ("truncated", lambda whole: whole[: len(whole) // 2]),
        ("short of its last bytes", lambda whole: whole[:-20]),
        ("overwritten", lambda whole: whole[:100_000] + bytes(100_000) + whole[200_000:]),
        ("a web page", lambda whole: b"<html>404</html>"),
    ],
)
def test_no_picture_with_a_face_model_that_is(name, content, yunet, tmp_path):
    path = tmp_path / "yunet.onnx"
    if content is not None:
        path.write_bytes(content(yunet.read_bytes()))
    with pytest.raises(PrivacyError, match=r"porch: no picture.*yunet\.onnx"):
        Privacy(FaceFinder(path)).picture(scene_of(WALL, SOMEONE), name="person")


def test_no_picture_with_a_model_that_is_no_face_finder(data):
    tflite = data / "models/face/blazeface/face_detection_short_range.tflite"
    with pytest.raises(PrivacyError):
        Privacy(FaceFinder(tflite)).picture(scene_of(WALL, SOMEONE), name="person")


def test_no_live_view_without_a_face_model_as_it_shows_whom_nobody_has_found():
    privacy = Privacy(None)
    with pytest.raises(PrivacyError, match="porch: no live view without a face model"):
        privacy.picture(scene_of(WALL, ()), name=LIVE)
    assert privacy.picture(scene_of(WALL, SOMEONE), name="person").persons == 1
    assert Privacy(None, blur=False).picture(scene_of(WALL, ()), name=LIVE).jpeg  # the owner has said so


def test_a_model_that_is_missing_says_how_to_get_it(tmp_path):
    with pytest.raises(ModelError, match="blikk models pull"):
        FaceFinder(tmp_path / "yunet.onnx").find(WALL)


def test_a_model_that_comes_back_serves_again(yunet, tmp_path):
    path = tmp_path / "yunet.onnx"
    privacy = Privacy(FaceFinder(path))
    with pytest.raises(PrivacyError):
        privacy.picture(scene_of(WALL, SOMEONE), name="person")
    path.write_bytes(yunet.read_bytes())
    assert privacy.picture(scene_of(WALL, SOMEONE), name="person").heads == 1


class Broken:
    """A YuNet that opens and then fails."""

    def __init__(self, fault: BaseException | float) -> None:
        self._fault = fault

    def setInputSize(self, size):
        pass

    def detect(self, canvas):
        if isinstance(self._fault, BaseException):
            raise self._fault
        return 1, np.full((1, 15), self._fault, np.float32)


@pytest.mark.parametrize("fault", [cv2.error("out of memory"), float("nan"), float("inf")], ids=str)
def test_no_picture_when_looking_for_faces_fails_on_the_way(fault, yunet):
    finder = FaceFinder(yunet)
    finder._network._yunet = Broken(fault)
    with pytest.raises(PrivacyError, match="faces could not be looked for"):
        Privacy(finder).picture(scene_of(WALL, SOMEONE), name="person")


@pytest.mark.parametrize("with_model", [True, False])
def test_no_picture_of_a_frame_the_detector_has_not_looked_at(with_model, finder):
    scene = scene_of(WALL, (), analysed=False)
    with pytest.raises(PrivacyError, match="detector has not looked"):
        Privacy(finder if with_model else None).picture(scene, name="snapshot")


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((120, 160), np.uint8),
        np.zeros((120, 160, 4), np.uint8),
        np.zeros((120, 160, 3), np.float32),
    ],
    ids=lambda pixels: f"{pixels.shape} {pixels.dtype}",
)
@pytest.mark.parametrize("blur", [True, False])
def test_no_picture_of_what_is_no_picture(pixels, blur, finder):
    scene = scene_of(WALL, ())
    scene.frame._convert = pixels.copy
    with pytest.raises(PrivacyError, match="is no picture"):
        Privacy(finder, blur=blur).picture(scene, name="person")


def test_no_picture_when_the_frame_has_no_pixels(finder):
    scene = scene_of(WALL, ())
    scene.frame._convert = lambda: None  # a bug of the source: reported as one, and no Picture either
    with pytest.raises(AttributeError):
        Privacy(finder).picture(scene, name="person")


def test_no_picture_that_jpeg_cannot_hold():
    with pytest.raises(PrivacyError, match="no JPEG of 70000 x 16"):
        Privacy(None).picture(scene_of(np.zeros((16, 70_000, 3), np.uint8), ()), name="person")


def test_the_frame_itself_is_never_changed(finder):
    scene = scene_of(WALL, SOMEONE)
    Privacy(finder).picture(scene, name="person")
    assert np.array_equal(scene.frame.bgr(), WALL)
    with pytest.raises(ValueError, match="read-only"):
        scene.frame.bgr()[0, 0] = 0


def test_without_blur_an_unanalysed_frame_makes_a_plain_picture(tmp_path):
    """An edge-side setting; the model is not even opened."""
    privacy = Privacy(FaceFinder(tmp_path / "none.onnx"), blur=False)
    picture = privacy.picture(scene_of(WALL, (), analysed=False), name="snapshot")
    assert (picture.faces, picture.heads, picture.persons) == (0, 0, 0)
    assert privacy.state.startswith("blur is off")


def test_a_picture_says_what_it_shows_and_when(finder):
    picture = Privacy(finder).picture(scene_of(WALL, SOMEONE), name="person", event="e1")
    assert (picture.camera, picture.name, picture.event, picture.time) == ("porch", "person", "e1", 1_700_000_000.0)
    assert (picture.width_px, picture.height_px) == (160, 120)


def test_only_privacy_makes_a_picture_and_shrink_alters_one():
    package = Path(blikk_edge.__file__).parent
    makers = {
        str(path.relative_to(package)) for path in package.rglob("*.py") if makes_a_picture(ast.parse(path.read_text()))
    }
    # these are handed a JPEG that was redacted: by a node that published or exported it, or asks a worker about it, or
    # by the node of a Stream
    handed = {"wire/reader.py", "wire/exports.py", "app/streaming.py", "fleet/jobs.py"}
    assert makers == {"transforms/privacy/redactor.py", "transforms/privacy/shrink.py"} | handed
    for path in handed:
        named = {node.id for node in ast.walk(ast.parse((package / path).read_text())) if isinstance(node, ast.Name)}
        assert not {"Frame", "Scene", "encode_jpeg", "imencode"} & named


def test_shrink_is_given_pictures_and_never_names_a_frame():
    tree = ast.parse(Path(shrink.__file__).read_text())
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "Picture" in named
    assert not {"Frame", "Scene"} & named
    assert not {"blikk_edge.core.scene", "blikk_edge.core.stages"} & modules


@pytest.mark.parametrize(
    ("code", "guilty"),
    [
        ("Picture(camera='a', jpeg=b'')", True),
        ("core.picture.Picture(**kwargs)", True),
        ("replace(picture, jpeg=raw)", True),
        ("object.__setattr__(picture, 'jpeg', raw)", True),
        ("from blikk_edge.core.picture import Picture as P", True),
        ("match item:\n    case Picture(): pass", False),
        ("replace(picture, event='e')", False),
    ],
)
def test_the_search_for_makers_of_pictures_finds(code, guilty):
    assert makes_a_picture(ast.parse(code)) is guilty


def makes_a_picture(tree: ast.AST) -> bool:
    """Whether code calls Picture, imports it under another name, or writes a `jpeg` into one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if any(alias.name == "Picture" and alias.asname not in {None, "Picture"} for alias in node.names):
                return True
        elif isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            keywords = {keyword.arg for keyword in node.keywords}
            names = {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
            if called == "Picture" or (called == "replace" and "jpeg" in keywords):
                return True
            if called in {"__setattr__", "setattr"} and "jpeg" in names:
                return True
    return False


def test_without_a_face_model_a_person_whom_the_detector_missed_is_blurred_by_the_face() -> None:
    folder = photographs_or_skip()
    bgr = cv2.imread(str(folder / "astronaut.png"))
    frame = Frame(camera="door", seq=1, time=1.0, luma=bgr[:, :, 0], convert=bgr.copy)
    scene = Scene(frame=frame, motion=Motion(view=View.QUIET), analysed=True)
    picture = Privacy(None).picture(scene, name="snapshot")
    assert picture.persons == 1
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    shown = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert len(cascade.detectMultiScale(shown, 1.1, 4)) == 0


def photographs_or_skip() -> Path:
    try:
        return photographs()
    except SourceError:
        pytest.skip("no photographs: scripts/photographs")
