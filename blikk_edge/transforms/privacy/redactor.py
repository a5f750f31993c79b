"""Privacy: a Scene in, a Picture out. The only way out for pixels; it fails closed."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from blikk_edge.core.debug import DEBUG
from blikk_edge.core.errors import ModelError, PrivacyError
from blikk_edge.core.geometry import Box, Polygon, iou
from blikk_edge.core.live import LIVE
from blikk_edge.core.picture import Picture
from blikk_edge.core.scene import Pixels, Scene
from blikk_edge.core.sightings import Detection, Label, Track
from blikk_edge.transforms.models.builtin import BuiltinDetector
from blikk_edge.transforms.privacy.faces import FaceFinder
from blikk_edge.transforms.privacy.heads import HeadMemory, Person, face_ellipse, others_beside, own_faces, unseen_head
from blikk_edge.transforms.privacy.paint import Ellipse, Region, blur, encode, paint
from blikk_edge.transforms.privacy.plates import WITHOUT_PLATES, find_plates

_PERSON_MARGIN = 0.1
# A detection and a track with this overlap are one person seen twice.
_SAME_PERSON_IOU = 0.6
_MIN_SIDE_PX = 16

NO_LIVE: Final = "no live view without a face model: who does not face the camera would not be blurred"
NO_DEBUG: Final = (
    "no picture without a face model: who does not face the camera would not be blurred; `blikk models pull` fetches "
    "it, and `blikk debug --unblurred` shows a clip of your own as it is"
)

_EVERY_FRAME: Final = {LIVE: NO_LIVE, DEBUG: NO_DEBUG}


@dataclass(frozen=True, slots=True)
class _Redaction:
    """What is to be blurred, by why."""

    faces: tuple[Region, ...] = ()
    heads: tuple[Region, ...] = ()
    persons: tuple[Region, ...] = ()
    others: tuple[Region, ...] = ()
    plates: tuple[Region, ...] = ()

    @property
    def regions(self) -> tuple[Region, ...]:
        return self.faces + self.heads + self.persons + self.others + self.plates


class Privacy:
    """Makes Pictures of one camera; implements `core.stages.Redactor`.

    In this order: the polygons of `private` are painted black, faces are looked for in what is left, the head around
    every face is blurred, and the upper part of every person who does not show a face of their own, or where their head
    was a moment ago. Persons are all detections and tracks of that label with at least `person_threshold`. Without a
    face finder (`faces=None`) whole persons are blurred, and those whose face OpenCV's built-in detector finds.
    With `plates` what may be a number plate on a vehicle is blurred too.

    `blur=False` leaves polygons and JPEG only; it is a setting of the device that nothing remote may reach.
    `quality` is that of the JPEG, 1..100. Not shared between threads.
    """

    def __init__(
        self,
        faces: FaceFinder | None,
        *,
        private: Sequence[Polygon] = (),
        quality: int = 85,
        blur: bool = True,
        plates: bool = True,
        person_threshold: float = 0.25,
    ) -> None:
        self._faces = faces
        self._private = tuple(private)
        self._quality = quality
        self._blur = blur
        self._plates = plates
        self._person_threshold = person_threshold
        self._builtin = BuiltinDetector()
        self._memory = HeadMemory()
        self._last: tuple[object, Picture] | None = None

    @property
    def state(self) -> str:
        """What is blurred now, in words for logs and reports."""
        if not self._blur:
            return "blur is off: only private polygons are painted"
        if self._faces is None:
            return "no face model: whole persons are blurred"
        return f"faces are looked for with {self._faces.model.stem}"

    def picture(self, scene: Scene, *, name: str, event: str | None = None) -> Picture:
        """A redacted JPEG of the scene, as large as the frame's analysis picture.

        Raises PrivacyError, and makes no Picture, where faces could not be looked for: the frame was not analysed (run
        the detector on it first), the face model is missing, damaged or failed, the pixels are no picture. A live view
        and the debugger show every frame, be somebody found in it or not: without a face model, where only who faces
        the camera is found, none is made for them.
        """
        if self._faces is None and self._blur and (why := _EVERY_FRAME.get(name)) is not None:
            raise PrivacyError(f"{scene.frame.camera}: {why}")
        bgr = _own_pixels(scene)
        # One frame often serves several Pictures (an event's and the snapshot); faces are looked for once.
        same = (
            scene.frame.camera,
            scene.frame.time,
            scene.analysed,
            scene.detections,
            scene.tracks,
            zlib.crc32(bgr.data),
        )
        if self._last is None or self._last[0] != same:
            self._last = same, self._made(scene, bgr)
        return replace(self._last[1], name=name, event=event)

    def _made(self, scene: Scene, bgr: Pixels) -> Picture:
        """The Picture, yet without a name, of pixels that it may write to."""
        paint(bgr, self._private)
        redaction = self._redact(scene, bgr) if self._blur else _Redaction()
        height, width = bgr.shape[:2]
        return Picture(
            camera=scene.frame.camera,
            name="",
            time=scene.frame.time,
            jpeg=encode(bgr, self._quality),
            width_px=width,
            height_px=height,
            faces=len(redaction.faces),
            heads=len(redaction.heads),
            persons=len(redaction.persons),
        )

    def _redact(self, scene: Scene, bgr: Pixels) -> _Redaction:
        """Blur `bgr` in place."""
        camera = scene.frame.camera
        if not scene.analysed:
            raise PrivacyError(f"{camera}: no picture of a frame that the detector has not looked at")
        persons = _persons(scene, self._person_threshold)
        try:
            plan = self._plan(bgr, persons, scene.frame.time)
            redaction = replace(plan, plates=self._plates_on(bgr, scene))
            blur(bgr, redaction.regions)
        except (ModelError, cv2.error) as error:
            raise PrivacyError(f"{camera}: no picture, faces could not be looked for: {error}") from error
        # A blur across the edge of a polygon smears the surroundings into it.
        paint(bgr, self._private)
        return redaction

    def _plates_on(self, bgr: Pixels, scene: Scene) -> tuple[Box, ...]:
        if not self._plates:
            return ()
        try:
            return find_plates(bgr, _vehicles(scene))
        except cv2.error as error:
            raise PrivacyError(f"{scene.frame.camera}: no picture, plates could not be looked for: {error}") from error

    def _plan(self, bgr: Pixels, persons: Sequence[Person], time: float) -> _Redaction:
        if self._faces is None:
            people = (*(person.box for person in persons), *self._builtin.people_by_face(bgr))
            return _Redaction(persons=tuple(person.grown(_PERSON_MARGIN) for person in people))
        seen = self._faces.look(bgr)
        around = {face: face_ellipse(face) for face in seen.faces}
        height, width = bgr.shape[:2]
        own = own_faces(seen.faces, persons, width, height)
        known = {at: around[face] for at, face in own.items()}
        kept = {
            at: head for at in range(len(persons)) if at not in own and (head := self._kept_head(time, persons, at))
        }
        others = others_beside(known | kept, persons, seen.faint, width, height)
        unseen = (unseen_head(each, width, height) for at, each in enumerate(persons) if at not in known | kept)
        self._memory.keep(time, [(persons[at].box, head) for at, head in known.items()])
        return _Redaction(
            faces=tuple(around.values()),
            heads=(*kept.values(), *unseen),
            others=tuple(map(face_ellipse, others)),
        )

    def _kept_head(self, time: float, persons: Sequence[Person], at: int) -> Ellipse | None:
        if not persons[at].detected:
            return None
        others = (other.box for number, other in enumerate(persons) if number != at)
        return self._memory.head(time, persons[at].box, others)


def _own_pixels(scene: Scene) -> Pixels:
    """A copy of the frame's colour pixels, checked; raises PrivacyError."""
    bgr = scene.frame.bgr()
    if bgr.dtype != np.uint8 or bgr.ndim != 3 or bgr.shape[2] != 3 or min(bgr.shape[:2]) < _MIN_SIDE_PX:
        raise PrivacyError(f"{scene.frame.camera}: {bgr.shape} {bgr.dtype} is no picture")
    return np.array(bgr, order="C")


def _persons(scene: Scene, threshold: float) -> list[Person]:
    """Every person of the scene once, largest first: what was detected, and what is tracked and was not detected.

    Who was not detected may be where he was last seen, which can be half a second ago, or have walked on.
    """
    sightings = (
        *((d.label, d.score, Person(d.box, d.head, d.score)) for d in scene.detections),
        # who was found in this frame is among the detections, where their box is no guess
        *(
            (t.label, t.best_score, Person(place, score=t.best_score, detected=False))
            for t in scene.tracks
            if t.missed
            for place in _places(t, scene)
        ),
    )
    persons: list[Person] = []
    for label, score, person in sightings:
        wanted = label is Label.PERSON and score >= threshold and person.box.area > 0
        if wanted and all(iou(person.box, other.box) < _SAME_PERSON_IOU for other in persons):
            persons.append(person)
    return sorted(persons, key=lambda person: -person.box.area)


def _vehicles(scene: Scene) -> list[Box]:
    """Every vehicle of the scene, surest first: what was detected, and what is tracked and was not detected."""
    missed = [track for track in scene.tracks if track.missed]
    seen: list[tuple[Detection | Track, Box]] = [(each, each.box) for each in scene.detections]
    seen += [(track, place) for track in missed for place in _places(track, scene)]
    vehicles = [
        (each, box) for each, box in seen if each.label is Label.VEHICLE and each.sub_label not in WITHOUT_PLATES
    ]
    return [box for each, box in sorted(vehicles, key=lambda sighting: -sighting[0].score)]


def _places(track: Track, scene: Scene) -> tuple[Box, ...]:
    """Where what this look has missed may be: where it was last seen, and where it is expected by now."""
    expected = track.expected(scene.frame.time)
    return (track.box,) if expected is None else (track.box, expected)
