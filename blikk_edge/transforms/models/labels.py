"""What a detector's own classes are to the user: class name to Label, and the class lists of the models we know."""

from pathlib import Path

from blikk_edge.core.errors import ModelError
from blikk_edge.core.sightings import Label

COCO: tuple[str, ...] = tuple(
    """person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
    stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe,
    backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat,
    baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl,
    banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant,
    bed, dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink,
    refrigerator, book, clock, vase, scissors, teddy bear, hair drier, toothbrush""".replace("\n    ", " ").split(", ")
)
"""The 80 classes of COCO 2017, in the order of its category ids."""

COCO_GAPS: frozenset[int] = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
"""Category ids 1..90 that COCO's paper names and its annotations never use."""

UNNAMED = "???"


def _with_gaps() -> tuple[str, ...]:
    names = iter(COCO)
    return tuple(UNNAMED if category in COCO_GAPS else next(names) for category in range(1, 91))


COCO_90: tuple[str, ...] = _with_gaps()
"""The same classes at row `category id - 1`, as the TensorFlow detection models number them."""

CLASSES: dict[Label, frozenset[str]] = {
    Label.PERSON: frozenset({"person", "people", "pedestrian", "human", "man", "woman", "child", "boy", "girl"}),
    Label.VEHICLE: frozenset(
        {"vehicle", "bicycle", "bike", "car", "motorcycle", "motorbike", "bus", "train", "truck", "van", "boat"}
        | {"scooter", "tractor"}
    ),
    Label.ANIMAL: frozenset(
        {"animal", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "deer", "fox"}
        | {"raccoon", "rabbit", "squirrel", "goat", "pig", "chicken", "wild boar"}
    ),
    # COCO has no parcel: what somebody may put down at a door is the nearest it knows.
    Label.PACKAGE: frozenset(
        {"backpack", "handbag", "suitcase", "package", "parcel", "box", "carton", "cardboard box", "mail"}
    ),
}
"""Every class name that means something to the user; any other class is ignored."""

_LABELS = {name: label for label, names in CLASSES.items() for name in names}


def label_of(class_name: str) -> Label | None:
    """The Label of a detector's class; None for what nobody asked for. Case, `_` and `-` do not matter."""
    return _LABELS.get(class_name.strip().lower().replace("_", " ").replace("-", " "))


def read_labels(path: Path) -> tuple[str, ...]:
    """The class names of a label file: one a line by row, or every line `<index> name` or `<index>: name`.

    Rows without a name are `???`. Raises ModelError where the file cannot be read or names nothing that we can report.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"label file {path} cannot be read: {error}") from error
    while lines and not lines[-1].strip():
        lines.pop()
    names = _numbered(lines) or tuple(line.strip() or UNNAMED for line in lines)
    if not any(label_of(name) for name in names):
        known = ", ".join(sorted(CLASSES[Label.PACKAGE] | {"person", "car", "dog"}))
        raise ModelError(
            f"label file {path} names no class that Blikk knows; give one name a line, for example: {known}"
        )
    return names


def _numbered(lines: list[str]) -> tuple[str, ...] | None:
    names: dict[int, str] = {}
    for line in filter(str.strip, lines):
        index, _, name = line.strip().replace(":", " ", 1).partition(" ")
        if not index.isdecimal() or not name.strip() or int(index) > 10_000:
            return None
        names[int(index)] = name.strip()
    return tuple(names.get(index, UNNAMED) for index in range(max(names) + 1)) if names else None
