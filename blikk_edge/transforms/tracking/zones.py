"""Says in which zones each track is: bottom centre in polygon, steadied against flapping at the edge."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blikk_edge.core.geometry import Polygon
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Label, Track
from blikk_edge.core.stages import Step

CHANGE_LOOKS = 2  # a change of zone counts from the second look in a row that shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A named part of the picture.

    Attributes:
        name: Its id in the configuration.
        polygon: Its corners, each x and y in 0..1 of the picture.
        labels: What counts in it.
    """

    name: str
    polygon: Polygon
    labels: tuple[Label, ...] = tuple(Label)


@dataclass(slots=True)
class _Place:
    """Where a track is, and for how many looks in a row it has been seen across each zone's edge."""

    zones: frozenset[str]
    last_seen: float
    across: dict[str, int]


class Zones(Step):
    """A Step that sets `Track.zones`, names in the order of the zones.

    A new track is where it is first seen; after that it enters or leaves a zone at the second look in a row that shows
    it there; until that one it may not rest. A look that misses the track, and a frame nobody looked at, change
    nothing.
    """

    name = "zones"

    def __init__(self, zones: Sequence[Zone]) -> None:
        self._zones = tuple(zones)
        self._places: dict[int, _Place] = {}

    def __call__(self, scene: Scene) -> Scene:
        """The scene with the zones of its tracks."""
        if not self._zones:
            return scene
        tracks = tuple(self._placed(track) for track in scene.tracks)
        alive = {track.id for track in tracks}
        self._places = {key: place for key, place in self._places.items() if key in alive}
        return replace(scene, tracks=tracks)

    def reset(self) -> None:
        """Forget where the tracks were."""
        self._places.clear()

    def _placed(self, track: Track) -> Track:
        place = self._places.get(track.id)
        if place is None:
            place = self._places[track.id] = _Place(self._inside(track), track.last_seen, {})
        elif track.last_seen > place.last_seen:
            place.last_seen = track.last_seen
            self._step(place, self._inside(track))
        zones = tuple(zone.name for zone in self._zones if zone.name in place.zones)
        return replace(track, zones=zones, rest_s=0.0 if place.across and not track.missed else track.rest_s)

    def _inside(self, track: Track) -> frozenset[str]:
        point = track.box.bottom_centre
        # PNPOLY's edges are half open: a box that ends at the picture's border would stand in no zone drawn up to it.
        foot = (min(point[0], 1 - 1e-6), min(point[1], 1 - 1e-6))
        return frozenset(z.name for z in self._zones if track.label in z.labels and z.polygon.contains(foot))

    @staticmethod
    def _step(place: _Place, inside: frozenset[str]) -> None:
        differ = place.zones ^ inside
        place.across = {name: place.across.get(name, 0) + 1 for name in differ}
        for name, looks in place.across.items():
            if looks >= CHANGE_LOOKS:
                place.zones ^= {name}
        place.across = {name: looks for name, looks in place.across.items() if looks < CHANGE_LOOKS}
