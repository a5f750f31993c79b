"""A stream of a file: everything in it once, from its beginning to its end."""

import asyncio
import contextlib
import math
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from agent_props import MOVES

from blikk_edge import Stream
from blikk_edge.app.replays import replay
from blikk_edge.app.streaming import settings_for
from blikk_edge.core.errors import BlikkError, ConfigError, SourceError
from blikk_edge.core.observation import Observation, Observed
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Measure, MeasureInfo
from blikk_edge.core.stages import Step

pytestmark = pytest.mark.usefixtures("no_thread_left")

Make = Callable[..., Stream]


def descriptors() -> set[str]:
    """What this process has open."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(descriptor.readlink()))
    return {each for each in found if "/" in each}


def test_iteration_gives_what_a_replay_gives_and_ends(plain: Make, squares: Path) -> None:
    with plain(squares) as stream:
        found = list(stream.subscribe())
        assert stream.latest == found[-1]
        began = stream._link._clip.clock.start
    parameters = {"source": str(squares), "models": {"offline": True}}
    settings = settings_for(parameters, camera="camera", folder=squares.parent, environ={})
    replayed = [each for each in replay(squares, settings=settings, start=began) if isinstance(each, Observation)]
    assert [replace(each, id="") for each in found] == [replace(each, id="") for each in replayed]
    firsts = [each for n, each in enumerate(found) if n == 0 or each.time - found[n - 1].until > 5]
    assert len(firsts) == len(MOVES)


def test_each_subscriber_has_all_of_it_however_late_and_slow(plain: Make, squares: Path) -> None:
    with plain(squares) as stream:
        slow, other = stream.subscribe(limit=1), stream.subscribe(every="60s")
        first = slow.get(30)
        assert isinstance(first, Observation)
        assert stream.time - first.until < 15  # the file waits for who reads slowly: the second move is at 22 s
        found = [first, *slow]
        assert slow.dropped == 0
        folded = list(other)
        assert len(folded) == 2
        assert sum(each.folded for each in folded) == sum(each.folded for each in found)
        assert stream.wait(1)
        assert list(stream.subscribe()) == found  # after the end
        assert list(stream.subscribe(labels="person")) == []
        assert list(stream.subscribe(["event", "appeared"])) == []
        assert [each.kind for each in stream.subscribe("motion")] == [Observed.MOTION] * len(found)
        assert str(slow).splitlines()[0].endswith(" motion")
        assert stream.now() == "camera: nobody; motion"


def test_what_it_shows_is_a_picture_also_after_the_end(plain: Make, squares: Path) -> None:
    with plain(squares) as stream:
        assert stream.picture().startswith(b"\xff\xd8\xff")
        stream.wait()
        assert stream.picture().startswith(b"\xff\xd8\xff")
        assert stream.events() == ()
        assert stream.ask("How many people came?").count == 0


def test_leaving_early_leaves_nothing_behind(plain: Make, squares: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with plain(squares):  # what libraries open once
        pass
    before = descriptors()
    with pytest.raises(ZeroDivisionError), plain(squares) as stream:
        left_after_the_first(stream)
    assert descriptors() <= before
    assert not list(tmp_path.glob("blikk-stream-*"))


def test_the_folder_of_a_process_that_was_killed_is_removed_by_the_next(
    plain: Make, squares: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    program = (
        f"import time; from blikk_edge import Stream\n"
        f"with Stream({str(squares)!r}, models={{'offline': True}}): print('open', flush=True); time.sleep(600)"
    )
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", program], env=environ, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"open\n"
        with plain(squares):
            assert len(list(tmp_path.glob("blikk-stream-*"))) == 2  # that of one who lives stays
        killed.kill()
    with plain(squares):
        assert len(list(tmp_path.glob("blikk-stream-*"))) == 1
    assert not list(tmp_path.glob("blikk-stream-*"))


def test_a_store_of_ones_own_is_kept(plain: Make, squares: Path, tmp_path: Path) -> None:
    with plain(squares, store=tmp_path / "kept.db") as stream:
        stream.wait()
    assert (tmp_path / "kept.db").stat().st_size > 0


def test_use_at_the_wrong_time_says_what_is_wrong(plain: Make, squares: Path) -> None:
    stream = plain(squares)
    with pytest.raises(BlikkError, match="not open yet"):
        stream.subscribe()
    with stream:
        with pytest.raises(BlikkError, match="opened already"):
            stream.open()
        waiting = stream.subscribe("ring")
        got: list[object] = []
        reader = threading.Thread(target=lambda: got.append(waiting.get()))
        reader.start()
        stream.close()
        stream.close()
        reader.join(30)
        assert got == [None]
        for use in (stream.subscribe, stream.picture, stream.wait, stream.now, stream.events, lambda: stream.ask("?")):
            with pytest.raises(BlikkError, match="closed"):
                use()
    with pytest.raises(BlikkError, match="opened already"):
        stream.open()


async def test_a_question_that_makes_no_sense_is_an_error_that_names_what_is_wrong(plain: Make, squares: Path) -> None:
    async with plain(squares) as stream:
        for wrong in (
            {"since": "yesterday"}, {"since": math.nan}, {"until": math.inf}, {"since": True},
            {"since": datetime.now(UTC)}, {"limit": "all"}, {"limit": 2**70}, {"limit": 1.5}, {"limit": 0},
            {"zone": 5}, {"label": 5},
        ):  # fmt: skip
            (name,) = wrong
            with pytest.raises(ConfigError, match=name):
                stream.events(**wrong)
            with pytest.raises(ConfigError, match=name):
                await stream.aevents(**wrong)
        with pytest.raises(ConfigError, match="since"):
            stream.ask("How many people came?", since="yesterday")
        with pytest.raises(ConfigError, match="until"):
            await stream.aask("How many people came?", until=math.nan)
        with pytest.raises(ConfigError, match="question"):
            stream.ask(None)
        with pytest.raises(ConfigError, match="kinds"):
            stream.subscribe(5)


def test_a_child_process_cannot_use_its_parents_stream(plain: Make, squares: Path) -> None:
    with plain(squares) as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads and fork: that is the point
        child = os.fork()
        if child == 0:
            try:
                stream.subscribe()
            except BlikkError as error:
                stream.close()  # harmless
                os._exit(0 if "another process" in str(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert list(stream.subscribe())


def test_a_file_that_is_no_video_is_an_error_at_once(plain: Make, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(SourceError, match=r"bad\.mp4"), plain(tmp_path / "bad.mp4"):
        pytest.fail("it opened")


async def test_coroutines_have_the_same(plain: Make, squares: Path) -> None:
    async with plain(squares) as stream, plain(squares) as other:

        async def read(subscription) -> list[Observation]:
            return [each async for each in subscription]

        never = asyncio.create_task(stream.subscribe("ring").aget())
        await asyncio.sleep(0)
        never.cancel()
        one, two = await asyncio.gather(read(stream.subscribe()), read(other.subscribe()))
        assert [each.kind for each in one] == [each.kind for each in two]
        assert (await stream.aask("Did anybody come?")).count == 0
        assert await stream.aevents(label="person") == ()
        assert (await stream.apicture()).startswith(b"\xff\xd8\xff")
        assert await stream.subscribe("ring").aget(0) is None


def left_after_the_first(stream: Stream) -> None:
    """Leave a loop, and fail."""
    for observation in stream.subscribe():
        if observation:
            break
    raise ZeroDivisionError


async def test_who_is_cancelled_while_it_opens_leaves_nothing_open(plain: Make, squares: Path) -> None:
    for turns in (0, 1, 5):
        stream = plain(squares)
        opening = asyncio.create_task(stream.__aenter__())
        for _ in range(turns):
            await asyncio.sleep(0.02)
        await asyncio.sleep(0)
        opening.cancel()
        try:
            await opening
        except asyncio.CancelledError:
            with pytest.raises(BlikkError):
                stream.subscribe()
        else:  # it was open by then
            await stream.__aexit__(None, None, None)


def test_a_file_that_waits_for_its_reader_never_counts_as_hung(plain: Make, squares: Path) -> None:
    with plain(squares) as stream:
        (camera,) = stream._link._app._cameras
        assert camera.stall_s == math.inf
    with plain(squares, realtime=True) as stream:
        (camera,) = stream._link._app._cameras
        assert camera.stall_s == 40.0


class Brightness(Step):
    """How bright the picture is."""

    name = "brightness"
    measures = (MeasureInfo(name="brightness", min_change=5.0),)

    def __call__(self, scene: Scene) -> Scene:
        measure = Measure(name="brightness", value=float(scene.frame.luma.mean()))
        return replace(scene, measures=(*scene.measures, measure))


def broken(scene: Scene) -> Scene:
    raise KeyError("secret")


def test_steps_in_python_measure_and_a_broken_one_stops_nothing(plain: Make, squares: Path, caplog) -> None:
    with plain(squares, transforms=[broken, Brightness, lambda scene: scene]) as stream:
        found = list(stream.subscribe("measure"))
        assert [measure.name for each in found for measure in each.measures][:1] == ["brightness"]
        assert "KeyError in broken" in (stream.state.problem or "")
    assert "secret" not in caplog.text
    assert list(stream._hub._backlog)  # motion was reported all the same
