"""The bench of a site in trouble, in its short form: what it finds wrong with the records of a site is wrong."""

import subprocess
import sys
from pathlib import Path

from nats_server import nats_server_binary
from patience import PATIENCE

BENCH = Path(__file__).parents[2] / "bench" / "fleet.py"


def test_a_site_whose_node_dies_and_whose_node_is_paused_loses_and_doubles_nothing() -> None:
    nats_server_binary()
    command = [sys.executable, str(BENCH), "--quick", "--check", "--within", str(30 * PATIENCE)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=150 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("0 lost, 0 doubled, 0 under two owners") == 2
