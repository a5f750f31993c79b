"""Starts one Home Assistant after the other in processes that have its modules already: most of a start is imports.

Run by the Python of Home Assistant's environment. Each line that it reads is a start as JSON: the `config` folder, the
file `out` that gets what is printed, the folder `cwd`. It answers with the process id. At the end of its input it ends
what still runs.
"""

import contextlib
import gc
import json
import os
import signal
import sys
import threading
from typing import Any

import homeassistant.__main__ as program
import homeassistant.bootstrap
import homeassistant.components.assist_pipeline
import homeassistant.components.hassio
import homeassistant.components.mqtt.discovery
import homeassistant.components.stream
import homeassistant.runner  # noqa: F401


def next_start() -> dict[str, Any]:
    """The next start, in a process of its own. It does not return in the process that reads."""
    running: set[int] = set()
    for line in sys.stdin:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)[0]) > 0:
                running.discard(ended)
        if (pid := os.fork()) == 0:
            start: dict[str, Any] = json.loads(line)
            return start
        running.add(pid)
        print(pid, flush=True)
    for pid in running:
        os.kill(pid, signal.SIGKILL)
    for pid in running:
        os.waitpid(pid, 0)
    sys.exit()


assert threading.active_count() == 1, threading.enumerate()
gc.freeze()
start = next_start()
os.setsid()
os.chdir(start["cwd"])
out = os.open(start["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
nothing = os.open(os.devnull, os.O_RDONLY)
for descriptor, place in ((nothing, 0), (out, 1), (out, 2)):
    os.dup2(descriptor, place)
os.close(out)
os.close(nothing)
sys.path[0] = start["cwd"]  # as for `python -m homeassistant`
sys.argv = ["homeassistant", "--config", start["config"], "--log-no-color", "--skip-pip"]
sys.exit(program.main())
