"""The power is cut before each action of an update: the link names a whole slot, and the next start mends the rest.

SIGKILL ends the process; what it wrote is in the kernel's cache and is not lost, as it can be with a real cut.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from slot_card import UNHEALTHY, Card, card_in

SHARDS = 4


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Card]:
    with card_in(tmp_path) as card:
        card.cut_power()
        shutil.copytree(card.root, tmp_path / "before", symlinks=True)
        yield card


def again(card: Card) -> None:
    """The card as it was at first, with its node."""
    card.cut_power()
    shutil.rmtree(card.root)
    shutil.copytree(card.root.with_name("before"), card.root, symlinks=True)
    card.start()


def actions(card: Card, *command: str) -> list[str]:
    """What a command does when nothing ends it."""
    log = card.root.with_name("actions")
    card.update(*command, SLOT_ACTIONS=str(log))
    return log.read_text().splitlines()


def cut(card: Card, number: int, *command: str) -> bool:
    """End a command before that action, and the node with it; whether it came so far."""
    done = card.update(*command, SLOT_KILL_AT=str(number))
    card.cut_power()
    card.assert_whole()
    return done.returncode < 0


def assert_works(card: Card) -> None:
    """A start works: the node of a whole slot runs on a whole database that is its own."""
    done = card.update("recover", "--boot")
    assert (done.returncode, done.stderr) == (0, "")
    card.assert_whole()
    card.start()
    version = card.current
    state = card.own / "state.json"
    assert not state.exists() or json.loads(state.read_text())["change"] is None
    assert not (card.own / "databases/0.1.0.new").exists()
    card.cut_power()
    ran = card.ran()
    if version == "0.1.0":
        assert set(ran) == {"0.1.0"}, "the old database, as it was"
    else:
        assert (ran[0], ran[-1]) == ("0.1.0", version)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_an_update_may_be_cut_off_anywhere(card: Card, shard: int) -> None:
    card.publish({"version": "0.2.0", "layout": 3})
    again(card)
    whole = len(actions(card, "apply"))
    assert whole > 30
    for number in range(shard, whole, SHARDS):
        again(card)
        assert cut(card, number, "apply")
        assert_works(card)
    card.start()
    assert card.update("apply").returncode == 0, "the next night it is installed"
    assert card.current == "0.2.0"


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_way_back_may_be_cut_off_anywhere(card: Card, shard: int) -> None:
    card.publish({"version": "0.2.0", "layout": 3, "behaviour": "crash"})
    card.limits |= UNHEALTHY
    again(card)
    done = actions(card, "apply")
    back = max(number for number, line in enumerate(done) if "'start'" in line and number < len(done) - 4) + 1
    assert len(done) - back > 15
    for number in range(back + shard, len(done), SHARDS):
        again(card)
        assert cut(card, number, "apply")
        assert_works(card)
        assert card.current == "0.1.0"


@pytest.mark.parametrize("shard", range(SHARDS))
def test_what_mends_may_be_cut_off_too(card: Card, shard: int) -> None:
    card.publish({"version": "0.2.0", "layout": 3, "behaviour": "unhealthy"})
    again(card)
    with card.updating("apply") as process:
        card.until(lambda: card.is_on_trial("0.2.0"))
        process.kill()
    card.cut_power()
    half = card.root.with_name("half")
    shutil.copytree(card.root, half, symlinks=True)
    whole = len(actions(card, "recover", "--boot"))
    assert whole > 10
    for number in range(shard, whole, SHARDS):
        shutil.rmtree(card.root)
        shutil.copytree(half, card.root, symlinks=True)
        assert cut(card, number, "recover", "--boot")
        assert_works(card)
        assert card.current == "0.1.0"


def test_a_version_that_is_cut_off_twice_on_trial_is_not_tried_a_third_time(card: Card) -> None:
    card.publish({"version": "0.2.0", "behaviour": "unhealthy"})
    for times in (1, 2):
        card.start()
        with card.updating("apply") as process:
            card.until(lambda: card.is_on_trial("0.2.0"))
            process.kill()
        card.cut_power()
        assert card.update("recover", "--boot").returncode == 0
        assert len(card.status()["bad"]) == times - 1
    card.start()
    assert "0.2.0 is not installed" in card.update("apply").stderr


def test_the_next_command_mends_too(card: Card) -> None:
    card.publish({"version": "0.2.0", "behaviour": "unhealthy", "layout": 3})
    card.start()
    with card.updating("apply") as process:
        card.until(lambda: card.is_on_trial("0.2.0"))
        process.kill()
    done = card.update("check")
    assert "0.2.0: the update was cut off while the new version was on trial; 0.1.0 is back" in done.stdout
    card.until(card.is_healthy)
    assert card.current == "0.1.0"


def test_a_state_that_cannot_be_read_stops_no_node(card: Card) -> None:
    card.own.mkdir()
    (card.own / "state.json").write_text(json.dumps({"serial": 1})[:-3])
    done = card.update("recover", "--boot")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is damaged" in done.stderr
    card.start()
