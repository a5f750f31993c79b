"""What the code names and what is translated: neither without the other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from component_check.files import COMPONENT, load_json, modules
from component_check.translations import ENGLISH

_WORD = r'"([a-z0-9_]+)"'
_BY_HOME_ASSISTANT = {"config.abort.already_configured", "config.abort.already_in_progress"} | {
    f"config.abort.{reason}_successful" for reason in ("reconfigure", "reauth")
}
"""Texts that Home Assistant's own helpers ask for."""


def check(root: Path) -> Iterator[str]:
    """Texts that are named but not there, or there but never named."""
    english, sources = load_json(root, ENGLISH), modules(root)
    for name, source in sources.items():
        for key in sorted(set(_named(name, source)) - _known(english)):
            yield f"{ENGLISH}: {key} is missing; {COMPONENT / name}.py names it"
    words = _words(sources)
    for key in sorted(_known(english) - _BY_HOME_ASSISTANT):
        if key.rpartition(".")[2] not in words:
            yield f"{ENGLISH}: {key} is never used"


def _named(module: str, source: str) -> Iterator[str]:
    """The keys that a module names outright; what is put together at run time is seen by tests."""
    for key in re.findall(rf"(?:\berror|\b_invalid)\(\s*{_WORD}", source):
        yield f"exceptions.{key}"
    for key in re.findall(rf"translation_domain=DOMAIN,\s*translation_key={_WORD}", source):
        yield f"exceptions.{key}"
    for key in re.findall(rf"_attr_translation_key = {_WORD}", source):
        yield f"entity.{module}.{key}"
    if module == "config_flow":
        for reason in re.findall(rf"async_abort\(reason={_WORD}", source):
            yield f"config.abort.{reason}"
        for error in re.findall(rf"errors(?:\[\w+|\[\"base\")\] = {_WORD}", source):
            yield f"config.error.{error}"
        for error in re.findall(rf'\{{(?:\w+|"base"): {_WORD}\}}', source):
            yield f"config.error.{error}"
        before, _, after = source.partition("OptionsFlowWithReload):")
        for part, name in ((before, "config"), (after, "options")):
            for step in re.findall(rf"step_id={_WORD}", part):
                yield f"{name}.step.{step}"


def _known(english: dict[str, Any]) -> set[str]:
    found = {f"exceptions.{key}" for key in english.get("exceptions", {})}
    found |= {f"issues.{key}" for key in english.get("issues", {})}
    for flow in ("config", "options"):
        for part in ("abort", "error", "step"):
            found |= {f"{flow}.{part}.{key}" for key in english.get(flow, {}).get(part, {})}
    for domain, entities in english.get("entity", {}).items():
        found |= {f"entity.{domain}.{key}" for key in entities}
    return found


def _words(sources: dict[str, str]) -> set[str]:
    """Every word in quotes, the steps, and what templates such as `last_{}` make of the words."""
    everything = "\n".join(sources.values())
    words = set(re.findall(_WORD, everything)) | set(re.findall(r"async_step_(\w+)", everything))
    templates = re.findall(r'"([a-z0-9_]*\{\}[a-z0-9_]*)"', everything)
    return words | {template.format(word) for template in templates for word in words}
