"""When a pipeline looks at what appeared: after the event, in the redacted picture, and what becomes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from stage_props import PERSON, ScriptedDetector, StampRedactor, frame, pipeline

from blikk_edge.core.appearance import Appearance, Colour, Embedding, Look
from blikk_edge.core.concepts import Concept, ConceptSwitches
from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import Event, Observation, Observed, Sighting
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Item
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.core.status import CameraState
from blikk_edge.runtime.pipeline import Pipeline, VisionTools

CARRIER = Concept(id="parcel_person", text="person carrying a parcel", threshold=0.7, labels=(Label.PERSON,))
NORTH, EAST = (Embedding.packed("m", bytes.fromhex(numbers)) for numbers in ("003c0000", "0000003c"))


@dataclass
class ScriptedReader:
    """Says what the script says of each look, and keeps what it was shown."""

    scores: list[float] = field(default_factory=lambda: [0.0])
    whole_of: Embedding = NORTH
    pictures: list[Picture] = field(default_factory=list)
    looked: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)

    def look(self, picture: Picture, objects: Sequence[Sighting], concepts: Mapping[str, str]) -> Sequence[Look]:
        self.pictures.append(picture)
        looks = []
        for seen in objects:
            self.looked.append((seen.track, concepts))
            score = self.scores.pop(0) if len(self.scores) > 1 else self.scores[0]
            seen_as = Appearance(track=seen.track, label=seen.label, colours=(Colour.RED,), embedding=NORTH)
            looks.append(Look(appearance=seen_as, scores=dict.fromkeys(concepts, score)))
        return looks

    def whole(self, picture: Picture) -> Look | None:
        return Look(appearance=Appearance(colours=(Colour.GREY,), embedding=self.whole_of))


def watched(*concepts: Concept) -> Pipeline:
    line = pipeline()
    return Pipeline(
        camera="door",
        gate=line._gate,
        select=line._select,
        track=line._follow[0],
        zones=line._follow[1],
        reporter=line.reporter,
        labels=tuple(Label),
        concepts=concepts,
    )


def run(line: Pipeline, tools: VisionTools, frames: range) -> list[Item]:
    scenes = (line.glance(frame(n / 5)) for n in frames)
    return [item for scene in scenes if scene is not None for item in line.step(scene, tools)]


def tools(reader: ScriptedReader | None, found: object = None) -> VisionTools:
    detector = ScriptedDetector(found if callable(found) else lambda look: (PERSON,))
    return VisionTools(detector, StampRedactor(), reader)


def test_whoever_appears_is_looked_at_once_after_the_event_was_given() -> None:
    reader = ScriptedReader()
    items = run(watched(), tools(reader), range(50))
    observations = [item for item in items if isinstance(item, Observation) and item.appearances]
    assert [item.kind for item in observations] == [Observed.APPEARED]
    assert observations[0].appearances[0].embedding == NORTH
    assert len(reader.looked) == 1
    event = next(at for at, item in enumerate(items) if isinstance(item, Event))
    assert event < items.index(observations[0])
    # only what was redacted is looked at
    assert [picture.jpeg for picture in reader.pictures] == [b"jpeg"]


def test_where_no_picture_can_be_made_nothing_is_looked_at() -> None:
    reader = ScriptedReader()
    blind = tools(reader)
    assert isinstance(blind.redactor, StampRedactor)
    blind.redactor.broken = True
    items = run(watched(), blind, range(10))
    assert reader.looked == []
    (appeared,) = [item for item in items if isinstance(item, Observation) and item.kind is Observed.APPEARED]
    assert appeared.appearances == ()


def test_without_a_reader_everything_is_as_it_was() -> None:
    with_reader = [item for item in run(watched(), tools(ScriptedReader()), range(60)) if isinstance(item, Observation)]
    without = [item for item in run(watched(), tools(None), range(60)) if isinstance(item, Observation)]
    assert [replace(item, appearances=()) for item in with_reader] == without


def test_those_who_come_together_have_a_look_each_the_largest_four() -> None:
    crowd = tuple(replace(PERSON, box=Box(0.15 * n, 0.1, 0.15 * n + 0.1, 0.5 + n / 20)) for n in range(6))
    reader = ScriptedReader()
    items = run(watched(), tools(reader, lambda look: crowd), range(10))
    (appeared,) = [item for item in items if isinstance(item, Observation) and item.kind is Observed.APPEARED]
    assert len(appeared.objects) == 6
    assert len(appeared.appearances) == len(reader.looked) == 4


def concept_states(items: list[Item]) -> list[bool]:
    return [dict(item.concepts)["parcel_person"] for item in items if isinstance(item, CameraState)]


def test_a_concept_is_on_while_an_object_that_fits_is_there_and_off_after_it() -> None:
    def found(look: int) -> tuple[Detection, ...]:
        return (PERSON,) if look < 10 else ()

    items = run(watched(CARRIER), tools(ScriptedReader([0.9]), found), range(200))
    states = concept_states(items)
    assert True in states
    assert states[-1] is False
    assert states == sorted(states[: states.index(True)]) + states[states.index(True) :]
    assert states[states.index(True) :] == sorted(states[states.index(True) :], reverse=True)  # once on, once off


def test_a_better_view_of_an_event_is_compared_too() -> None:
    def found(look: int) -> tuple[Detection, ...]:
        far = replace(PERSON, box=Box(0.44, 0.35, 0.56, 0.9))
        return (far if look < 10 else PERSON,)

    reader = ScriptedReader([0.1, 0.9])
    items = run(watched(CARRIER), tools(reader, found), range(60))
    assert len(reader.looked) >= 2
    assert len([item for item in items if isinstance(item, Observation) and item.appearances]) == 1
    assert concept_states(items)[-1] is True


def test_what_fitted_fits_until_it_is_well_below_the_threshold() -> None:
    switches = ConceptSwitches([CARRIER])
    told = []
    for at, score in enumerate((0.6, 0.7, 0.55, 0.69, 0.49, 0.55)):
        switches.seen(1, {"parcel_person": score})
        switches.step({1}, 100.0 * at)
        told.append(switches.now[0][1])
    assert told == [False, True, True, True, False, False]


def test_only_objects_of_its_labels_are_compared() -> None:
    switches = ConceptSwitches([CARRIER])
    assert switches.of(Label.PERSON) == {"parcel_person": "person carrying a parcel"}
    assert switches.of(Label.VEHICLE) == {}


def test_a_place_that_looks_otherwise_is_another_scene() -> None:
    reader = ScriptedReader()
    line, look_with = watched(), tools(reader, lambda look: ())
    run(line, look_with, range(5))
    reader.whole_of = EAST
    kinds = []
    for start in (70, 140):
        line.want("snapshot")
        items = run(line, look_with, range(5 * start, 5 * start + 5))
        looks = [item for item in items if isinstance(item, Observation) and item.appearances]
        kinds.append([(item.kind, item.appearances[0].embedding) for item in looks])
    assert kinds == [[(Observed.SCENE, EAST)], []]
