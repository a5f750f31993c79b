"""Decoding in hardware: only where it makes the same pictures for less, and said once."""

from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
from reading import read, replay, terms

from blikk_edge.sources import hardware
from blikk_edge.sources.capture import Capture
from blikk_edge.sources.decode_budget import DecodeBudget
from blikk_edge.sources.file import open_file

# There is no device here: other decoders of libav are put into its place.
TWIN, ALIEN = "h264", "mpeg4"


@pytest.fixture
def clip(make_clip) -> Path:
    return make_clip("a.mp4", frames=50, options={"g": "25", "bf": "2"})


def posing(monkeypatch: pytest.MonkeyPatch, name: str, *, cheap: bool) -> None:
    """Let a software decoder pose as hardware; a `cheap` one seems to take no time."""
    moments = iter([0.0, 1.0, 1.0, 1.1] if cheap else [0.0, 1.0, 1.0, 2.0])
    monkeypatch.setattr(hardware, "HARDWARE", MappingProxyType({"h264": (name,)}))
    monkeypatch.setattr(hardware, "time", SimpleNamespace(thread_time=lambda: next(moments)))


def used(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "blikk.decoder"]


@pytest.mark.skipif(bool(list(Path("/dev").glob("video1?"))), reason="this machine may have a decoder")
def test_without_a_device_software_decodes_and_it_is_said_once(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    source = replay(clip)

    assert len(read(source)) == len(read(source)) + 1 == 11

    assert used(caplog) == ["cam: h264 is decoded by software: no device here decodes it for less"]


@pytest.mark.parametrize(
    ("name", "cheap", "chosen"), [(TWIN, True, TWIN), (TWIN, False, "software"), (ALIEN, True, "software")]
)
def test_what_is_cheaper_and_makes_the_same_pictures_is_used(
    clip: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    cheap: bool,
    chosen: str,
) -> None:
    wanted = [(frame.time, frame.luma.tobytes()) for frame in read(replay(clip))]
    caplog.clear()
    caplog.set_level("INFO")
    posing(monkeypatch, name, cheap=cheap)

    frames = read(replay(clip))

    assert [(frame.time, frame.luma.tobytes()) for frame in frames] == wanted
    assert used(caplog)[0].startswith(f"cam: h264 is decoded by {chosen}")


def jpegs(make_clip, **given: object) -> Path:
    return make_clip("a.mkv", codec="mjpeg", pix_fmt="yuvj420p", frames=40, options={"q:v": "3"}, **given)


def live(clip: Path, **given: object) -> Capture:
    return open_file(str(clip), terms("clip", **({"budget": DecodeBudget(4.0)} | given)), realtime=True, loop=False)


@pytest.mark.parametrize(("cheaper", "used_height"), [(100.0, 720), (0.0, 1440)])
def test_jpegs_of_more_than_is_looked_at_are_decoded_smaller_where_that_is_cheaper(
    make_clip, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, cheaper: float, used_height: int
) -> None:
    monkeypatch.setattr(hardware, "CHEAPER", cheaper)  # what a trial costs is a matter of the machine
    caplog.set_level("INFO")
    clip = jpegs(make_clip, size=(2560, 1440))

    (whole,) = read(replay(clip), 1)
    (small,) = read(live(clip), 1)

    how = "at 1/2 of 2560x1440" if cheaper else "whole: 1/2 of 2560x1440 takes"
    assert used(caplog)[-1].startswith(f"cam: mjpeg is decoded {how}")
    assert whole.luma.shape == (1440, 2560)
    assert small.luma.shape[0] == used_height
    assert small.bgr().shape == whole.bgr().shape
    assert np.mean(np.abs(small.bgr().astype(int) - whole.bgr())) < 3


def test_jpegs_that_are_as_small_as_is_looked_at_are_decoded_whole(make_clip) -> None:
    (frame,) = read(live(jpegs(make_clip, size=(640, 480))), 1)
    assert frame.luma.shape == (480, 640)


def test_jpegs_that_would_look_different_are_decoded_whole(
    make_clip, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(hardware, "ALIKE_LEVELS", 0.0)
    (frame,) = read(live(jpegs(make_clip, size=(2560, 1440))), 1)
    assert frame.luma.shape == (1440, 2560)
    assert "it looks different" in used(caplog)[-1]
