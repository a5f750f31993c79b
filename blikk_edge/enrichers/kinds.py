"""The kinds of enrichers: ours, and those of plug-ins (entry points `blikk.enrichers`)."""

from typing import Any, Final

from blikk_edge.core.ports import Enricher
from blikk_edge.kinds.plugins import Kinds, has

ENRICHERS: Final[Kinds[Any, Enricher]] = Kinds(
    "enricher",
    group="blikk.enrichers",
    lacks=has("name", "run"),
    own={
        "summary": "blikk_edge.enrichers.summaries.kind",
        "digest": "blikk_edge.enrichers.summaries.digest_kind",
        "dispatch": "blikk_edge.enrichers.summaries.dispatch_kind",
        "questions": "blikk_edge.enrichers.questions.kind",
    },
    written={"digest": "summary.digest", "dispatch": "ingest.every_s", "questions": "cameras.<id>.questions"},
)
"""Ours are made with a `WriterContext`, those of plug-ins with a `Context`."""
