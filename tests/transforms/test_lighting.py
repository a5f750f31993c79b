"""By which light a camera sees, and contrast where there is little."""

import numpy as np
import pytest

from blikk_edge.core.sightings import Lighting
from blikk_edge.transforms.lighting import HOLD_S, LightMeter, stretched

NOISE = np.random.default_rng(1)


def view(level: float, colour: float) -> np.ndarray:
    """A picture around a grey level, whose colours lie so far apart."""
    y, x = np.mgrid[0:240, 0:320]
    grey = level * (0.5 + x / 320)
    bgr = np.stack((grey - colour * (y > 120), grey, grey + colour), axis=2)
    return np.clip(bgr + NOISE.normal(0, 2, (240, 320, 1)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("level", "colour", "lighting"),
    [(120, 20, Lighting.DAY), (30, 8, Lighting.LOW), (90, 0, Lighting.INFRARED), (20, 0, Lighting.INFRARED)],
)
def test_the_first_picture_says_by_which_light(level, colour, lighting):
    assert LightMeter().measure(view(level, colour), 0.0) is lighting


def test_another_light_must_last_and_one_in_between_changes_nothing():
    meter = LightMeter()
    assert meter.measure(view(50, 20), 0.0) is Lighting.LOW
    assert meter.measure(view(70, 20), 10.0) is Lighting.LOW
    assert meter.measure(view(70, 20), 20.0) is Lighting.LOW  # between the two limits
    assert meter.measure(view(120, 20), 30.0) is Lighting.LOW
    assert meter.measure(view(50, 20), 30.5) is Lighting.LOW
    assert meter.measure(view(120, 20), 31.0) is Lighting.LOW
    assert meter.measure(view(120, 20), 31.0 + HOLD_S) is Lighting.DAY


def test_little_contrast_is_stretched_and_black_stays_black():
    dim = view(30, 0)
    dim[:60, :60] = 0
    shown = stretched(dim)
    assert np.ptp(np.percentile(shown[60:], (5, 95))) > 3 * np.ptp(np.percentile(dim[60:], (5, 95)))
    assert not shown[5:55, 5:55].any()


def test_noise_alone_is_not_blown_up():
    flat = np.clip(NOISE.normal(40, 8, (160, 160, 3)), 1, 255).astype(np.uint8)
    assert stretched(flat).std() < 50


def test_what_has_all_its_contrast_keeps_it():
    full = view(128, 0)
    assert abs(float(stretched(full).mean()) - float(full.mean())) < 25
