"""What HACS, the Supervisor and the frontend look for around the component."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import voluptuous as vol

from component_check.files import COMPONENT, DOMAIN, load_json

_VERSION = vol.Match(r"^\d{4}\.\d{1,2}\.\d+$", msg="is no version of Home Assistant")
_HACS = vol.Schema(
    {
        vol.Required("name"): vol.All(str, vol.Length(min=1)),
        vol.Required("homeassistant"): _VERSION,
        "content_in_root": False,
        "country": vol.Any(str, [str]),
        "filename": str,
        "hacs": str,
        "hide_default_branch": bool,
        "persistent_directory": str,
        "render_readme": bool,
        "zip_release": bool,
    }
)
_SIDES = {"icon.png": (256, 256), "icon@2x.png": (512, 512), "logo.png": (128, 256), "logo@2x.png": (256, 512)}
"""An icon's width and height; least and most of a logo's shorter side."""
_NOT_OURS = {"node_modules", "build", "dist"}
_PNG, _RGBA = b"\x89PNG\r\n\x1a\n", 6


def check(root: Path) -> Iterator[str]:
    """Faults of hacs.json, the brand pictures and the names of files."""
    hacs = load_json(root, "hacs.json")
    try:
        _HACS(hacs)
    except vol.MultipleInvalid as invalid:
        yield from (f"hacs.json: {error}" for error in invalid.errors)
    if bool(hacs.get("zip_release")) != ("filename" in hacs):
        yield "hacs.json: zip_release and filename go together"
    if not (root / "README.md").exists():
        yield "README.md: it is missing"
    folders = [path.name for path in (root / COMPONENT.parent).iterdir() if (path / "manifest.json").exists()]
    if folders != [DOMAIN]:
        yield f"{COMPONENT.parent}: one integration is wanted there, not {', '.join(sorted(folders))}"
    for name in _SIDES:
        yield from _picture(root, name)
    yield from _app_files(root)


def _picture(root: Path, name: str) -> Iterator[str]:
    file = COMPONENT / "brand" / name
    try:
        head = (root / file).read_bytes()[:26]
    except OSError:
        yield f"{file}: it is missing"
        return
    if len(head) < 26 or not head.startswith(_PNG):
        yield f"{file}: it is no PNG"
        return
    width, height, _, colour = struct.unpack(">IIBB", head[16:26])
    least, most = _SIDES[name]
    if name.startswith("icon") and (width, height) != (least, most):
        yield f"{file}: {width} x {height} pixels, {least} x {most} are wanted"
    if name.startswith("logo") and not (least <= height <= most and width >= height):
        yield f"{file}: {width} x {height} pixels; it must be wide, and {least} to {most} high"
    if colour != _RGBA:
        yield f"{file}: it has no transparency"


def _app_files(root: Path) -> Iterator[str]:
    """The Supervisor takes every config.yaml of a repository for an app, but for those in hidden folders."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _NOT_OURS and not name.startswith("."))
        for name in {"config.yaml", "config.yml", "config.json"}.intersection(names):
            if "Dockerfile" not in names:
                yield f"{(Path(folder) / name).relative_to(root)}: the Supervisor would take it for an app"
