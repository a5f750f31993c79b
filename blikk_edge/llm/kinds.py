"""The kinds of model providers: ours, and those of plug-ins (entry points `blikk.language_models`)."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import voluptuous as vol

from blikk_edge.core.clock import Clock
from blikk_edge.grammar.leaf import Leaf
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import SLUG, TEXT
from blikk_edge.kinds.kind import Kind
from blikk_edge.kinds.plugins import Kinds
from blikk_edge.llm.port import LanguageModel, ModelContext

Factory: TypeAlias = Callable[[Mapping[str, Any], Clock], LanguageModel]
"""What a plug-in brings that was written before there were kinds: it reads its options, all texts, by itself."""


@dataclass(frozen=True, slots=True)
class TextOptions:
    """A mapping of names to texts, which a Factory reads by itself."""

    words: str = "a mapping, as the plug-in describes it"

    def __call__(self, leaf: Leaf) -> Mapping[str, str | Secret]:
        """The texts in the order they were written."""
        if not isinstance(leaf, dict):
            raise Wrong("not a mapping", "Write the plug-in's options below it, indented.")
        values: dict[str, str | Secret] = {}
        wrongs: list[vol.Invalid] = []
        for name, below in leaf.items():
            try:
                SLUG.read(name)
                values[name] = below if isinstance(below, Secret) else TEXT(below)
            except vol.Invalid as wrong:
                wrong.prepend([name])
                wrongs.append(wrong)
        if wrongs:
            raise vol.MultipleInvalid(wrongs)
        return values


def _adapted(name: str, factory: object) -> Kind[ModelContext, LanguageModel] | None:
    if not callable(factory):
        return None

    def make(options: Mapping[str, str | Secret], context: ModelContext) -> LanguageModel:
        given = {name: value.reveal() if isinstance(value, Secret) else value for name, value in options.items()}
        model: LanguageModel = factory(given, context.clock)
        return model

    return Kind(name=name, meaning="Reads its options by itself.", options=lambda _folder: TextOptions(), make=make)


def _lacks(model: object) -> list[str]:
    lacks = [
        f"async {name}()"
        for name in ("complete", "close")
        if not inspect.iscoroutinefunction(getattr(model, name, None))
    ]
    if not isinstance(getattr(model, "name", None), str):
        lacks.append("name: str")
    if not isinstance(getattr(model, "sees", None), bool):
        lacks.append("sees: bool")
    return lacks


_COMPATIBLE: Final = re.compile(
    r"ollama|lm_?studio|vllm|local_?ai|llama_?cpp|llama_?server|litellm|open_?router|groq|gemini|google|mistral|deepseek"
    r"|dashscope|qwen|azure(_openai)?|open_?ai_compatible|github|together|xai|grok|anthropic|claude|chat_?gpt"
)
"""Services and servers by the names that users give them; each has an address that is OpenAI-compatible."""


def _instead(name: str) -> str:
    if _COMPATIBLE.fullmatch(name.lower().replace("-", "_").replace(".", "_").replace(" ", "_")) is None:
        return ""
    return "it is asked by `provider: openai` with its address as `base_url:`, mostly ending in /v1"


MODELS: Final[Kinds[ModelContext, LanguageModel]] = Kinds(
    "language model",
    group="blikk.language_models",
    lacks=_lacks,
    own={"openai": "blikk_edge.llm.openai", "llama": "blikk_edge.llm.gguf", "fleet": "blikk_edge.llm.shared"},
    adapted=_adapted,
    instead=_instead,
)
