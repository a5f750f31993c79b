"""Record what the simulated cameras of `fleet.py` show: a real clip's scenes and observations, with their times.

    python bench/fleet_reel.py [--out bench/fleet_reel.json]

Needs the test data (BLIKK_TEST_DATA). The clip is replayed as `blikk replay` does it; kept are what the detector finds
in each frame, as boxes, and what the pipeline reports of it. No pixels.
"""

import argparse
import json
import os
from pathlib import Path

from labelled_clips import PEOPLE
from rig import ROOT, data_folder

from blikk_edge.app.pipelines import pipeline
from blikk_edge.app.replays import DEFAULTS, clip_source
from blikk_edge.app.vision_models import VisionModels
from blikk_edge.core.observation import Observation
from blikk_edge.runtime.replay import stepped

OUT = ROOT / "bench" / "fleet_reel.json"


def recorded(clip: Path) -> dict[str, object]:
    """The reel of a clip; times are seconds from its start."""
    camera = DEFAULTS.cameras[0]
    tools = VisionModels(DEFAULTS).tools(DEFAULTS, None)(camera.id)
    scenes: list[object] = []
    reported: list[object] = []
    last = 0.0
    for frame, items in stepped(clip_source(clip, camera, 0.0), pipeline(DEFAULTS, camera, (), ()), tools):
        if frame is not None:
            last = frame.time
            found = [
                [each.label.value, round(each.score, 2), *(round(side, 3) for side in (b.x1, b.y1, b.x2, b.y2))]
                for each in tools.detector.detect(frame.bgr())
                if (b := each.box)
            ]
            if found:
                scenes.append([round(last, 2), found])
        reported += [[round(i.time, 2), i.kind.value] for i in items if isinstance(i, Observation)]
    return {"clip": clip.name, "length_s": round(last, 2), "scenes": scenes, "observations": reported}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    data = data_folder()
    if data is None:
        raise SystemExit("no test data; name its folder in BLIKK_TEST_DATA")
    os.environ.setdefault("BLIKK_MODELS", str(data / "models"))
    reel = recorded(data / PEOPLE)
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in reel.items()]
    out.write_text("{" + ",\n".join(parts).replace("]], [", "]],\n[") + "}\n")
    print(f"{out}: {len(reel['scenes'])} scenes, {len(reel['observations'])} observations, {reel['length_s']} s")


if __name__ == "__main__":
    main()
