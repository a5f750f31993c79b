"""What is free goes back to the operating system."""

import psutil

from blikk_edge.core.heap import give_back


def test_what_was_freed_below_something_in_use_is_given_back():
    process = psutil.Process()
    blocks = [bytearray(60_000) for _ in range(500)]
    above = bytearray(60_000)
    held = process.memory_info().rss
    del blocks
    give_back()
    assert process.memory_info().rss < held - 20_000_000
    assert above
