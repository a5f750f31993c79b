"""What every test may ask for: where the test data lies, and free loopback ports."""

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import ports
import pytest
from hypothesis import settings

from blikk_edge.core.errors import ModelError, SourceError
from blikk_edge.demo import clip
from blikk_edge.transforms.models.folders import ModelFolders, default_cache, folders_from_environment, resolve
from blikk_edge.transforms.models.registry import REGISTRY

# how long an example takes says something about the machine, not about the code
settings.register_profile("blikk", deadline=None)
settings.load_profile("blikk")

# these run in Home Assistant's own environment: `ha/test_component_kit.py` does it
collect_ignore = ["ha_component"]

# A worker that takes a long file last is alone with it at the end: these come first, by how long they take, then all
# others of the rooms that start whole programs.
LONG = (
    "ha/test_component_kit.py",
    "ha/test_component_run.py",
    "ha/test_restarts_run.py",
    "ha/test_home_assistant_run.py",
    "raspi/test_slots_cut.py",
    "e2e/test_replay_command.py",
    "raspi/test_slots_real.py",
    "sources/test_source_rtsp.py",
    "e2e/test_demo.py",
    "e2e/test_main_job.py",
    "e2e/test_summaries.py",
    "e2e/test_purge_command.py",
    "ha/",
    "e2e/",
    "web/",
    "raspi/",
)

DATA = Path(os.environ.get("BLIKK_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the long ones forward, and leave the order as it is otherwise."""
    rooms = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(rooms).as_posix()
        return next((place for place, start in enumerate(LONG) if path.startswith(start)), len(LONG))

    items.sort(key=place)


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """A command that is run within the test sets up the log of the whole process."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real models, clips and pictures; skips where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"no test data at {DATA}; set BLIKK_TEST_DATA")
    return DATA


@pytest.fixture(scope="session")
def photographs() -> Path:
    """scikit-image's photographs; skips where they are absent."""
    try:
        return clip.photographs()
    except SourceError:
        pytest.skip("no photographs: scripts/photographs")


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the models that stand in for the defaults, and nothing else; skips where they are absent."""
    folder = tmp_path_factory.mktemp("stand_ins")
    model_folders = ModelFolders(cache=default_cache(), folders=folders_from_environment(), offline=True)
    for entry in REGISTRY.values():
        if entry.wheel is not None:
            try:
                shutil.copy(resolve(entry.name, model_folders=model_folders).path, folder)
            except ModelError:
                pytest.skip(f"no {entry.name}: .venv/bin/blikk models pull {entry.name}")
    return folder


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nobody has, and that stays so until the test takes it."""
    return ports.free_port()
