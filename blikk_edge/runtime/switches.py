"""The positions of a camera's switches, as they outlive the process."""

import json

from blikk_edge.runtime.pipeline import Pipeline


def switches_to_json(pipeline: Pipeline) -> str:
    """The switches as JSON text, with the configured threshold that the one set over MQTT replaced."""
    return json.dumps(
        {"detect": pipeline.detect, "threshold": pipeline.threshold, "configured": pipeline.configured_threshold}
    )


def set_switches(pipeline: Pipeline, text: str | None) -> None:
    """Set the switches as `switches_to_json` wrote them; whatever cannot be read stays as it is.

    A threshold that was configured anew since then counts more than the one set over MQTT.
    """
    try:
        kept = json.loads(text or "{}")
    except ValueError:
        return
    if not isinstance(kept, dict):
        return
    if isinstance(detect := kept.get("detect"), bool):
        pipeline.detect = detect
    threshold = kept.get("threshold")
    same = kept.get("configured") == pipeline.configured_threshold
    if same and isinstance(threshold, int | float) and 0.0 <= threshold <= 1.0:
        pipeline.threshold = float(threshold)
