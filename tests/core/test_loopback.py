"""Which hosts are this machine, and which only look so."""

import pytest

from blikk_edge.core.loopback import is_loopback


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        *("", "broker.local", "192.168.1.9", "0.0.0.0", "::", "::ffff:192.168.1.9"),
        # what a name server or a reader of addresses may turn into something else
        *("localhost.example.org", "127.0.0.1.example.org", "a.localhost", "127.1", "0x7f000001", "2130706433"),
    ],
)
def test_any_other(host: str) -> None:
    assert not is_loopback(host)
