"""What of a scene is looked at again in the redacted Picture: how things look, and which concepts fit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from blikk_edge.core.appearance import Appearance
from blikk_edge.core.concepts import Concept, ConceptSwitches
from blikk_edge.core.errors import PrivacyError
from blikk_edge.core.observation import Event, Observed, Sighting
from blikk_edge.core.picture import FRAME, Picture
from blikk_edge.core.reporter import Changed
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Track
from blikk_edge.core.stages import AppearanceReader, Redactor
from blikk_edge.core.visit import sighting

LOOKS_MAX: Final = 4
"""Objects that are looked at in one scene, the largest."""

WHOLE_EVERY_S: Final = 60.0
"""A whole picture is looked at so often at most."""


class Tools(Protocol):
    """What of a vision worker's tools is used."""

    @property
    def redactor(self) -> Redactor:
        """The way out for pixels."""
        ...

    @property
    def appearances(self) -> AppearanceReader | None:
        """Who looks; None where nothing is searched for."""
        ...


class Looks:
    """The looks of one camera's objects. Only a Picture is looked at: where none can be made, nothing is.

    An object is looked at once, when it has appeared. Where concepts are watched for, it is looked at again when its
    event is shown better. `skipped` counts the looks for which there was no time.
    """

    def __init__(self, concepts: Sequence[Concept]) -> None:
        self._switches = ConceptSwitches(concepts)
        self._looked: frozenset[int] = frozenset()  # the tracks of this scene
        self._whole_at = float("-inf")
        self.skipped = 0

    def clear(self) -> None:
        """Who was there is forgotten."""
        self._switches.clear()

    def concepts(self, tracks: Sequence[Track], time: float) -> tuple[tuple[str, bool], ...]:
        """Whether each concept is there now, with these tracks."""
        if not self._switches:
            return ()
        self._switches.step({track.id for track in tracks}, time)
        return self._switches.now

    def of(
        self, changed: Changed, everybody: Callable[[], Scene], tools: Tools
    ) -> Mapping[str, tuple[Appearance, ...]]:
        """How those look who appeared in this scene, by the id of the Observation that reports it."""
        self._looked = frozenset()
        reader, scene = tools.appearances, changed.scene
        news = [made for made in changed.made if made.kind in {Observed.APPEARED, Observed.SCENE}]
        if reader is None or not news or not scene.analysed:
            return {}
        try:
            picture = tools.redactor.picture(everybody(), name=FRAME)
        except PrivacyError:
            return {}  # whoever makes the Pictures of this scene reports it
        found: dict[str, tuple[Appearance, ...]] = {}
        looks: tuple[Appearance, ...]
        for made in news:
            if made.kind is Observed.SCENE:
                whole = reader.whole(picture)
                looks = () if whole is None else (whole.appearance,)
            else:
                looks = self._look(reader, picture, made.objects)
            if looks:
                found[made.id] = looks
        return found

    def shown(self, picture: Picture, event: Event, scene: Scene, tools: Tools) -> None:
        """An event is shown better than before: who is in it may fit a concept better, too."""
        if tools.appearances is None or not self._switches:
            return
        members = {each.track for each in event.objects} - self._looked
        here = [sighting(track) for track in scene.tracks if track.id in members and not track.missed]
        self._look(tools.appearances, picture, here)

    def whole(self, picture: Picture, tools: Tools) -> Appearance | None:
        """How a Picture of a place where nobody is looks; None where it is not looked at now."""
        if tools.appearances is None or 0 <= picture.time - self._whole_at < WHOLE_EVERY_S:
            return None
        self._whole_at = picture.time
        look = tools.appearances.whole(picture)
        return None if look is None else look.appearance

    def _look(self, reader: AppearanceReader, picture: Picture, objects: Sequence[Sighting]) -> tuple[Appearance, ...]:
        largest = sorted(objects, key=lambda seen: -seen.box.area)[:LOOKS_MAX]
        found: tuple[Appearance, ...] = ()
        for seen in largest:
            for look in reader.look(picture, [seen], self._switches.of(seen.label)):
                self._switches.seen(seen.track, look.scores)
                self.skipped += look.skipped
                found = (*found, look.appearance)
        self._looked |= {seen.track for seen in largest}
        return found
