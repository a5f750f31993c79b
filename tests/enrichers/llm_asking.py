"""Prompts, pictures and models as the tests of language models use them."""

from collections.abc import Callable
from typing import Any

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.picture import Picture
from blikk_edge.llm.openai_api import OpenAiModel
from blikk_edge.llm.port import Prompt

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 1, "maxLength": 60},
        "importance": {"enum": ["low", "normal", "high"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 50},
        "labels": {"type": "array", "items": {"enum": ["person", "vehicle"]}, "maxItems": 3},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "alert": {"type": "boolean"},
        "note": {"type": ["string", "null"], "maxLength": 20},
    },
    "required": ["title", "importance", "count", "labels", "confidence", "alert", "note"],
    "additionalProperties": False,
}

KEY = "sk-sesame-0123456789"

Made = Callable[..., OpenAiModel]


def prompt(*pictures: Picture, **changed: Any) -> Prompt:
    """A prompt of two lines."""
    asked: dict[str, Any] = {
        "system": "You tell what a camera saw.",
        "user": "08:15:07 person 1 in porch 1.4s\n08:15:09 person 1 in porch 3.4s",
        "schema_name": "summary",
        "schema": SCHEMA,
        "pictures": pictures,
    }
    return Prompt(**{**asked, **changed})


def picture(jpeg: bytes, name: str = "person") -> Picture:
    """A Picture of these bytes."""
    return Picture(camera="porch", name=name, time=0.0, jpeg=jpeg, width_px=64, height_px=48)


def model_at(base_url: str, **changed: Any) -> OpenAiModel:
    """The model `tiny` at this address."""
    return OpenAiModel(**{"base_url": base_url, "model": "tiny", "api_key": KEY, "clock": SystemClock(), **changed})
