"""How a camera's switches stand, as it outlives the process."""

import json
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from blikk_edge.core.ports import Memory
from blikk_edge.core.status import CameraState, SummaryMode


class Switches:
    """The switches of one camera: as configured, or as somebody has set them since. To be read from any thread.

    `detect`: whether anything is looked at; `threshold`: the motion score from which something counts as happening,
    0..1; `summary`: how its summaries are made. What is configured anew counts more than what was set before.
    """

    def __init__(self, camera: str, *, threshold: float, summary: SummaryMode = SummaryMode.OFF) -> None:
        self.detect = True
        self.threshold = threshold
        self.summary = summary
        self._key = f"switches/{camera}"
        self._configured_threshold = threshold
        self._configured_summary = summary

    def load(self, memory: Memory, modes: Collection[SummaryMode] = tuple(SummaryMode)) -> None:
        """Stand as `keep` has left them, where that can be read; summaries in one of `modes`. Raises StoreError."""
        kept = _kept(memory.recall(self._key))
        if isinstance(detect := kept.get("detect"), bool):
            self.detect = detect
        threshold = kept.get("threshold")
        same = kept.get("configured") == self._configured_threshold
        if same and isinstance(threshold, int | float) and 0.0 <= threshold <= 1.0:
            self.threshold = float(threshold)
        mode = kept.get("summary")
        if kept.get("configured_summary") == self._configured_summary and mode in list(modes):
            self.summary = SummaryMode(mode)

    def keep(self, memory: Memory) -> None:
        """Let them outlive the process. Raises StoreError."""
        content = {
            "detect": self.detect,
            "threshold": self.threshold,
            "configured": self._configured_threshold,
            "summary": self.summary,
            "configured_summary": self._configured_summary,
        }
        memory.remember(self._key, json.dumps(content))

    def shown_in(self, state: CameraState) -> CameraState:
        """A camera's state with how they stand now."""
        return replace(state, detect=self.detect, threshold=self.threshold, summary=self.summary)


def _kept(text: str | None) -> dict[str, Any]:
    try:
        kept = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}
