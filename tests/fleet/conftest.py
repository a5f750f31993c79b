"""A NATS server for the tests of a module, a site of its own for each, and a node's store."""

from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from nats_server import NatsServer

from blikk_edge.store.store import Store

_SITES = count()


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One server for all sites of a module."""
    with NatsServer(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
def site() -> str:
    """A site of its own for each test."""
    return f"site_{next(_SITES)}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The store of a node."""
    with closing(Store(tmp_path / "node.db")) as made:
        made.open()
        yield made
