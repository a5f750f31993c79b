"""The updater in a process that the tests can end: SLOT_KILL_AT=n kills it (SIGKILL) before its n-th action.

An action changes a file below SLOT_ROOT or starts a program, but for `health`, which is asked as often as time allows.
SLOT_ACTIONS names a file for what it did, one a line. SLOT_LIMITS holds the limits, as JSON.
"""

import json
import os
import signal
import sys
from pathlib import Path

OVERLAY = Path(__file__).parents[2] / "raspi/rootfs/usr/lib/blikk"
sys.path.insert(0, str(OVERLAY))
sys.dont_write_bytecode = True

from blikk_update.places import Limits  # noqa: E402
from blikk_update.program import main  # noqa: E402

ROOT = os.environ["SLOT_ROOT"]
KILL_AT = int(os.environ.get("SLOT_KILL_AT", "-1"))
ACTIONS = os.environ.get("SLOT_ACTIONS")
CHANGING = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.link")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
done: list[str] = []


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open":
        path, _, flags = arguments
        if not isinstance(flags, int) or not flags & WRITING or not str(path).startswith(ROOT):
            return
    elif event in CHANGING:
        folder = arguments[-1]  # rmtree names what it removes by its folder's descriptor
        place = (
            str(Path(f"/proc/self/fd/{folder}").readlink())
            if isinstance(folder, int) and folder > 0
            else str(arguments[0])
        )
        if event == "os.symlink":
            place = str(arguments[1])
        if not place.startswith(ROOT) or (event == "os.mkdir" and Path(place).is_dir()):
            return
    elif event != "subprocess.Popen" or "health" in str(arguments[1]):
        return
    if len(done) == KILL_AT:
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(f"{event} {arguments[:2]}")


sys.addaudithook(watch)
status = main(sys.argv[1:], Limits(**json.loads(os.environ.get("SLOT_LIMITS", "{}"))))
if ACTIONS:
    Path(ACTIONS).write_text("".join(f"{line}\n" for line in done))
sys.exit(status)
