"""The positions of a camera's switches, as they outlive the process."""

import json
from typing import Any

from blikk_edge.core.house import SummaryMode
from blikk_edge.runtime.pipeline import Pipeline


def switches_to_json(pipeline: Pipeline, summary: SummaryMode, configured_summary: SummaryMode) -> str:
    """The switches as JSON text, with the configured values that those set over MQTT replaced."""
    return json.dumps(
        {
            "detect": pipeline.detect,
            "threshold": pipeline.threshold,
            "configured": pipeline.configured_threshold,
            "summary": summary,
            "configured_summary": configured_summary,
        }
    )


def set_switches(pipeline: Pipeline, text: str | None) -> None:
    """Set the switches as `switches_to_json` wrote them; whatever cannot be read stays as it is.

    A threshold that was configured anew since then counts more than the one set over MQTT.
    """
    kept = _kept(text)
    if isinstance(detect := kept.get("detect"), bool):
        pipeline.detect = detect
    threshold = kept.get("threshold")
    same = kept.get("configured") == pipeline.configured_threshold
    if same and isinstance(threshold, int | float) and 0.0 <= threshold <= 1.0:
        pipeline.threshold = float(threshold)


def summary_switch(text: str | None, configured: SummaryMode) -> SummaryMode:
    """How summaries are made: as set over MQTT, unless they were configured anew since then."""
    kept = _kept(text)
    mode = kept.get("summary")
    same = kept.get("configured_summary") == configured
    return SummaryMode(mode) if same and mode in list(SummaryMode) else configured


def _kept(text: str | None) -> dict[str, Any]:
    try:
        kept = json.loads(text or "{}")
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}
