"""The plug-in is found by its entry point, reads its options, and measures what is drawn here."""

from importlib.metadata import entry_points

import numpy as np
import pytest
from blikk_angle import KIND, Angle, AngleOptions

from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import Motion, View


def scene(degrees: float) -> Scene:
    """A bright dial with a dark needle that points into this direction: 0 is up, 90 is right."""
    rows, columns = np.mgrid[0:240, 0:320].astype(float)
    x, y = columns - 160, 120 - rows
    along = x * np.sin(np.radians(degrees)) + y * np.cos(np.radians(degrees))
    beside = x * np.cos(np.radians(degrees)) - y * np.sin(np.radians(degrees))
    luma = np.full((240, 320), 230, np.uint8)
    luma[(along > 0) & (along < 75) & (np.abs(beside) < 4)] = 20
    frame = Frame(camera="boiler", seq=0, time=0.0, luma=luma, convert=lambda: np.dstack([luma] * 3))
    return Scene(frame=frame, motion=Motion(view=View.QUIET))


@pytest.mark.parametrize("degrees", [0, 40, 130, 250])
def test_the_needle_is_measured(degrees: float) -> None:
    step = Angle(AngleOptions(centre=(0.5, 0.5), radius=0.3), None)
    (measure,) = step(scene(degrees)).measures
    assert (measure.name, measure.unit) == ("angle", "°")
    assert abs((measure.value - degrees + 180) % 360 - 180) < 2


def test_it_is_found_by_its_name() -> None:
    (found,) = entry_points(group="blikk.transforms", name="angle")
    assert found.load() is KIND
