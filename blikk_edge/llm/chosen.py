"""How a configuration names a language model: the provider, and its keys beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import voluptuous as vol

from blikk_edge.grammar.leaf import Leaf
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Key, Section, default_words
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import errors_of
from blikk_edge.kinds.chosen import Chosen, chosen
from blikk_edge.kinds.kind import Kind
from blikk_edge.llm.kinds import MODELS
from blikk_edge.llm.port import LanguageModel, ModelContext
from blikk_edge.llm.shared import SharedOptions

HANDED_ON: Final = ("model", "base_url", "api_key")
"""Keys that a plug-in is handed too."""


class Providers:
    """Our own providers of these names, whose keys stand side by side, and plug-ins; paths start at `folder`."""

    def __init__(self, folder: Path, names: Sequence[str] = tuple(MODELS.own)) -> None:
        self._folder = folder
        self._sections = {name: _section(MODELS.get(name), folder) for name in names}
        self.keys: Mapping[str, Key] = {
            key.name: replace(key, required=False, default="none" if key.required else default_words(section.of, key))
            for section in self._sections.values()
            for key in section.keys
        }
        """What they want to know, by name; none of them has to be written."""

    @property
    def names(self) -> tuple[str, ...]:
        """Our own."""
        return tuple(self._sections)

    def made(
        self, provider: str, given: Mapping[str, Any], options: Mapping[str, str | Secret] | None = None
    ) -> Chosen[ModelContext, LanguageModel]:
        """The provider with those of the keys that it knows; `options` are a plug-in's. Raises vol.Invalid."""
        if provider not in self._sections:
            handed = {name: given[name] for name in HANDED_ON if name in given}
            return _plugged(provider, {**handed, **(options or {})}, self._folder)
        made = self._ours(provider, given)
        if isinstance(made.options, SharedOptions) and made.options.fallback is not None:
            own = self._ours(made.options.fallback, given)
            return replace(made, options=replace(made.options, own=own))
        return made

    def _ours(self, provider: str, given: Mapping[str, Any]) -> Chosen[ModelContext, LanguageModel]:
        section = self._sections[provider]
        for key in section.keys:
            if key.required and key.name not in given:
                raise Wrong(f"`provider: {provider}` without `{key.name}`", f"Add `{key.name}:`.", "provider")
        known = {key.name: given[key.name] for key in section.keys if key.name in given}
        return Chosen(kinds=MODELS, name=provider, options=(section.make or section.of)(**known))


def _section(kind: Kind[Any, Any], folder: Path) -> Section:
    section = kind.section(folder)
    assert isinstance(section, Section)  # ours all are
    return section


def _plugged(provider: str, options: Leaf, folder: Path) -> Chosen[ModelContext, LanguageModel]:
    """The model of a plug-in, whose options stand below `options:` and in `HANDED_ON`."""
    try:
        return chosen(MODELS, provider, options, folder)
    except vol.Invalid as wrong:
        for each in errors_of(wrong):
            if each.path and each.path[0] not in HANDED_ON:
                each.prepend(["options"])
        raise
