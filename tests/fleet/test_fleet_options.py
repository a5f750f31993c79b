"""What may stand at `fleet:`."""

from pathlib import Path

import pytest

from blikk_edge.config.loading import load
from blikk_edge.fleet.options import FleetOptions, is_remote
from blikk_edge.grammar.problem import ConfigError

HEAD = "node: hall_1\nmqtt: false\ncameras: {yard: {source: yard.mp4}}\n"


def fleet(folder: Path, text: str) -> FleetOptions | None:
    """What the section says that is written like this."""
    file = folder / "blikk.yaml"
    file.write_text(f"{HEAD}fleet: {text}\n")
    (folder / "yard.mp4").touch()
    return load(file, environ={}).fleet


def test_a_site_is_enough(tmp_path: Path) -> None:
    assert fleet(tmp_path, "hall") == FleetOptions(site="hall", servers=("nats://127.0.0.1:4222",))


def test_addresses_are_completed(tmp_path: Path) -> None:
    made = fleet(tmp_path, "{site: hall, servers: [nats.local, 'tls://[fd00::1]:4333'], near: hall_a, cameras_max: 4}")
    assert made is not None
    assert made.servers == ("nats://nats.local:4222", "tls://[fd00::1]:4333")
    assert (made.near, made.cameras_max) == (("hall_a",), 4)
    assert [is_remote(server) for server in made.servers] == [True, True]
    assert not is_remote("nats://127.0.0.1:4222")


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("{servers: nats.local}", "fleet", "site"),
        ("{site: The Hall}", "fleet.site", "a-z"),
        ("{site: hall, servers: 'nats://user:pa55@nats.local'}", "fleet.servers", "Remove it, and name the file"),
        ("{site: hall, servers: 'http://nats.local'}", "fleet.servers", "not the address of a NATS server"),
        ("{site: hall, servers: 'nats.local:99999'}", "fleet.servers", "not the address of a NATS server"),
        ("{site: hall, nkey: hall.nk}", "fleet.nkey", "no such file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, key: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        fleet(tmp_path, text)
    assert key in str(caught.value)
    assert words in str(caught.value)
    assert "pa55" not in str(caught.value)
