"""Where heads are: an ellipse around each face, and for a person who shows none what the box or the past says."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from blikk_edge.core.geometry import Box, intersection, iou
from blikk_edge.transforms.privacy.faces import Face, head_region
from blikk_edge.transforms.privacy.paint import Ellipse, Region, Rounded

# Of YuNet's box, brow to chin: what holds hair, ears, chin and the face of who looks aside. Who is surely seen from the
# front needs less.
_HEAD_ACROSS = (0.92, 0.78)
_HEAD_DOWN = (0.78, 0.72)
_HEAD_UP = 0.07
# Where a face of low score is, is as doubtful as that it is one.
_DOUBTFUL_HALF = 1.0
# Of who is cut by the border it cannot be said: so near to it, in shares of the picture.
_CUT = 0.005
# Of the square that BlazePose's points give.
_POSE_HALF = 0.55

SURE_SCORE: Final = 0.45
"""From which score on a face can be the own face of a person, whose head then is nowhere else."""

# Who lies shows a face that the networks, which have seen upright ones, are not sure of: in a box wider than high, one
# of a lower score says little of who else is in it.
_LYING_SCORE = 0.8

FAINT_SCORE: Final = 0.25
"""Below this a person may be another box around somebody else, and share their face."""

# A faint box that is not higher than a standing person's may be a head alone, or an arm with it.
_FAINT_HIGH = 2.5
_FAINT_MARGIN = 0.1

# Of the product of a head's half axes: a face a third wider than one that is seen from the side.
_OTHER_SIZE = 2.4

_SAME_PERSON_IOU = 0.5
_INSIDE = 0.8
_LEAST_SIZE = 0.1
_LARGE_SIZE = 0.3
_HAIR = 0.9
_ABOVE = 0.6
_USUAL_HAIR = 0.2
_BESIDE = 0.4
_UPRIGHT = 1.2
_CLEAR_SCORE = 0.7
_SHOULDERS = 3.2

KEPT_S: Final = 2.0
"""For so long after a face was seen a person's head is where it was in their box, if the box is alike."""

_ALIKE_IOU = 0.5
_ALIKE_SIZE = 1.2
# Of 1,000 faces in a clip of people who walk, hidden from the finder, all stay covered; with 1.3 at any age 4 do not.
_KEPT_GROWTH = 1.3
_KEPT_GROWTH_PER_S = 0.5


@dataclass(frozen=True, slots=True)
class Person:
    """A person in one picture.

    Attributes:
        box: The whole person.
        head: Where the head is, if the detector reported it.
        score: The detector's confidence, 0..1.
        detected: Whether the box is of this picture; one that is tracked alone may be half a second old.
    """

    box: Box
    head: Box | None = None
    score: float = 1.0
    detected: bool = True


def face_ellipse(face: Face) -> Ellipse:
    """What is blurred of a face: the head around it, more generously the more doubtful it is."""
    x, y = face.box.centre
    cut = min(face.box.x1, face.box.y1, 1 - face.box.x2, 1 - face.box.y2) < _CUT
    front = 0.0 if cut else face.front
    across, down = (large + front * (small - large) for large, small in (_HEAD_ACROSS, _HEAD_DOWN))
    across, down = (side + face.doubt * max(0.0, _DOUBTFUL_HALF - side) for side in (across, down))
    up = (1 - face.doubt) * _HEAD_UP * face.box.height
    return Ellipse(x, y - up, across * face.box.width, down * face.box.height)


def own_faces(faces: Sequence[Face], persons: Sequence[Person], width_px: int, height_px: int) -> dict[int, Face]:
    """Which persons, by their place in the sequence, show which face; each face is that of one person.

    Who fits best comes first (`_misfit`). A person who overlaps another one by half, or is faint and lies in them, may
    be the same person once more, and share their face. Whose head the detector reported is blurred there as well.
    """
    aspect = width_px / height_px
    sure = [(number, face) for number, face in enumerate(faces) if face.score >= SURE_SCORE]
    pairs = [
        (misfit, at, number)
        for at, person in enumerate(persons)
        if person.head is None
        for number, face in sure
        if face.score >= _least_own_score(person, aspect) and (misfit := _misfit(face.box, person, aspect)) is not None
    ]
    own: dict[int, Face] = {}
    first: dict[int, Person] = {}
    for _, at, number in sorted(pairs):
        person = persons[at]
        other = first.get(number)
        same = other is None or _same_person(person, other)
        if at not in own and same:
            own[at] = faces[number]
            first.setdefault(number, person)
    return own


def _least_own_score(person: Person, aspect: float) -> float:
    return _LYING_SCORE if person.box.width * aspect >= person.box.height else SURE_SCORE


def others_beside(
    heads: Mapping[int, Ellipse], persons: Sequence[Person], faint: Iterable[Face], width_px: int, height_px: int
) -> tuple[Face, ...]:
    """Faint faces that may be of somebody behind or beside a person of whom the head alone is blurred.

    `heads` has those heads by the place of their persons in the sequence. Such a face lies in the upper part of their
    box, where a second head would be, and is not much larger than theirs.
    """
    parts = [(head_region(persons[at].box, width_px, height_px), head) for at, head in heads.items()]
    return tuple(
        face
        for face in faint
        if any(
            _lies_in(face.box, part) and face.box.area <= _OTHER_SIZE * head.across * head.down for part, head in parts
        )
    )


def _lies_in(face: Box, part: Box) -> bool:
    x, y = face.centre
    return part.x1 <= x <= part.x2 and part.y1 <= y <= part.y2


def _same_person(person: Person, other: Person) -> bool:
    """Whether a box may hold nobody but the person of another one."""
    if iou(person.box, other.box) >= _SAME_PERSON_IOU:
        return True
    return person.score < FAINT_SCORE and intersection(person.box, other.box) >= _INSIDE * person.box.area


def _misfit(face: Box, person: Person, aspect: float) -> float | None:
    """How far a face is from where that of this person would be; None where it cannot be theirs.

    A face is a sixth of a standing person, as roots of areas, and lies below the upper edge of the box by the height of
    hair or a hat. In a close-up it is a third or more. A lying person has no upper end: only a large face counts. A box
    that is not clear and wide for the face may be around two persons.
    """
    box = person.box
    if box.area <= 0 or (person.score < _CLEAR_SCORE and box.width > _SHOULDERS * face.width):
        return None
    x, y = face.centre
    beside = abs(x - box.centre[0]) / box.width
    if beside > _BESIDE or not box.y1 <= y <= box.y2:
        return None
    size = math.sqrt(face.area / box.area)
    gap = (face.y1 - box.y1) / face.height
    upright = box.width * aspect < _UPRIGHT * box.height
    if size < _LARGE_SIZE and not (upright and size >= _LEAST_SIZE and -_ABOVE <= gap <= _HAIR):
        return None
    return beside + abs(gap - _USUAL_HAIR) / 2


def unseen_head(person: Person, width_px: int, height_px: int) -> Region:
    """Where the head is of a person who shows no face: what the detector said, else all of the upper part.

    Of a box so faint that it may be a piece of somebody, all of it.
    """
    if person.head is None:
        width, height = person.box.width * width_px, person.box.height * height_px
        if person.score < FAINT_SCORE and height <= _FAINT_HIGH * width:
            return Rounded(person.box.grown(_FAINT_MARGIN))
        region = head_region(person.box, width_px, height_px)
        # The head of who lies is at an end, where round ones would leave some of it.
        return region if width >= height else Rounded(region)
    x, y = person.head.centre
    return Ellipse(x, y, _POSE_HALF * person.head.width, _POSE_HALF * person.head.height)


@dataclass(frozen=True, slots=True)
class _Kept:
    time: float
    person: Box
    head: Ellipse


class HeadMemory:
    """Where the heads of a camera's persons were in their boxes, when they last showed a face.

    Who turns away for a moment is blurred where the head was, larger from moment to moment; who bends down has another
    box.
    """

    def __init__(self) -> None:
        self._kept: tuple[_Kept, ...] = ()

    def keep(self, time: float, seen: Iterable[tuple[Box, Ellipse]]) -> None:
        """Whose heads were seen at this time; what is older than KEPT_S is forgotten."""
        new = tuple(_Kept(time, person, head) for person, head in seen)
        still = (
            kept
            for kept in self._kept
            if 0 <= time - kept.time <= KEPT_S and not any(_alike(kept.person, one.person) for one in new)
        )
        self._kept = (*new, *still)

    def head(self, time: float, person: Box, others: Iterable[Box] = ()) -> Ellipse | None:
        """Where the head of this person is, if a person alike showed it a moment ago.

        None where another one showed theirs as near, or where one of the `others` that are there now is alike too.
        """
        near = [kept for kept in self._kept if 0 <= time - kept.time <= KEPT_S and iou(kept.person, person) > 0.2]
        if len(near) != 1 or not _alike(near[0].person, person):
            return None
        if any(_alike(near[0].person, other) for other in others):
            return None
        kept = near[0]
        across, down = person.width / kept.person.width, person.height / kept.person.height
        moved = replace(
            kept.head,
            x=person.x1 + (kept.head.x - kept.person.x1) * across,
            y=person.y1 + (kept.head.y - kept.person.y1) * down,
        )
        growth = _KEPT_GROWTH + _KEPT_GROWTH_PER_S * (time - kept.time)
        return replace(moved, across=moved.across * growth, down=moved.down * growth)


def _alike(one: Box, other: Box) -> bool:
    """Whether two boxes may be one person in the same pose, a moment later."""
    across = max(one.width, other.width) / max(1e-9, min(one.width, other.width))
    down = max(one.height, other.height) / max(1e-9, min(one.height, other.height))
    return max(across, down) <= _ALIKE_SIZE and iou(one, other) >= _ALIKE_IOU
