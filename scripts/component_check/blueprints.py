"""The blueprints: that they can be read and that inputs are declared, used, and few."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from component_check.files import Input, load_json, load_yaml

FOLDER = Path("blueprints") / "automation" / "blikk"
MAX_INPUTS = 25


def check(root: Path) -> Iterator[str]:
    """Faults of the blueprints."""
    paths = sorted((root / FOLDER).glob("*.yaml"))
    if not paths:
        yield f"{FOLDER}: there are no blueprints"
    version = load_json(root, "hacs.json").get("homeassistant")
    for path in paths:
        file = path.relative_to(root)
        content = load_yaml(root, file)
        blueprint = content.pop("blueprint", None)
        if not isinstance(blueprint, dict):
            yield f"{file}: it has no blueprint section"
            continue
        yield from (f"{file}: {fault}" for fault in _head(blueprint, file, version))
        declared = _declared(blueprint)
        used = set(_used(content))
        for name in sorted(used - declared.keys()):
            yield f"{file}: !input {name} is not declared"
        for name in sorted(declared.keys() - used):
            yield f"{file}: input {name} is never used"
        for name, value in declared.items():
            if not (isinstance(value, dict) and value.get("name") and value.get("selector")):
                yield f"{file}: input {name} has no name or no selector"
        if len(declared) > MAX_INPUTS:
            yield f"{file}: {len(declared)} inputs; {MAX_INPUTS} are enough"


def _head(blueprint: dict[str, Any], file: Path, version: object) -> Iterator[str]:
    for key in ("name", "description", "author"):
        if not blueprint.get(key):
            yield f"it has no {key}"
    if blueprint.get("domain") != "automation":
        yield "it is of no automation"
    if not str(blueprint.get("source_url", "")).endswith(f"/{file.as_posix()}"):
        yield "source_url does not name this file"
    if (blueprint.get("homeassistant") or {}).get("min_version") != version:
        yield f"min_version is not that of hacs.json, {version}"


def _declared(blueprint: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in (blueprint.get("input") or {}).items():
        found |= value["input"] if isinstance(value, dict) and "input" in value else {name: value}
    return found


def _used(content: object) -> Iterator[str]:
    if isinstance(content, Input):
        yield str(content)
    elif isinstance(content, dict | list):
        for part in content.values() if isinstance(content, dict) else content:
            yield from _used(part)
