#!/usr/bin/env python3
"""What Raspberry Pi Imager reads about the image: a manifest to open, and the entry for a list of systems.

    raspi/manifest.py --version 0.1.0 --image card.img --packed dist/blikk-edge-0.1.0-arm64.img.xz [--url URL]

Beside the packed image it writes `<name>.rpi-imager-manifest` and `<name>.os_list.json`.
"""

import argparse
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

HOME = "https://github.com/blikk-edge/blikk-edge"
ICONS = "https://downloads.raspberrypi.com/imager/icons"
DEVICES = (
    ("Raspberry Pi 4", "pi4-64bit", "Raspberry Pi 4 Model B, 400, and Compute Module 4"),
    ("Raspberry Pi 3", "pi3-64bit", "Raspberry Pi 3 Model A+, B and B+, and Compute Module 3"),
    ("Raspberry Pi Zero 2 W", "pi3-64bit", "Raspberry Pi Zero 2 W"),
)
"""Each board: its name, from which that of its icon is made; its tag, by which Imager finds systems for it; and what it
stands for."""


def entry(*, version: str, image: Path, packed: Path, url: str) -> dict[str, object]:
    """The image as one system of Imager's list. Sizes are in bytes, hashes SHA-256."""
    return {
        "name": f"Blikk Edge {version}",
        "description": "Turns cameras into Home Assistant observations, faces blurred before a pixel leaves",
        "icon": f"{HOME}/raw/main/custom_components/blikk/brand/icon.png",
        "website": HOME,
        "url": url,
        "extract_size": image.stat().st_size,
        "extract_sha256": sha256(image),
        "image_download_size": packed.stat().st_size,
        "image_download_sha256": sha256(packed),
        "release_date": datetime.fromtimestamp(packed.stat().st_mtime, UTC).date().isoformat(),
        "init_format": "cloudinit",
        "architecture": "armv8",
        "devices": sorted({tag for _, tag, _ in DEVICES}),
        "capabilities": [],
    }


def manifest(system: dict[str, object]) -> dict[str, object]:
    """A whole list with this system alone, which Imager opens by a double click."""
    devices = [
        {
            "name": name,
            "tags": [tag],
            "icon": f"{ICONS}/{name.replace('Raspberry Pi', 'RPi').replace(' ', '_')}.png",
            "description": description,
            "matching_type": "exclusive",
            "capabilities": [],
        }
        for name, tag, description in DEVICES
    ]
    return {"imager": {"devices": devices}, "os_list": [system]}


def sha256(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", required=True)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--packed", type=Path, required=True)
    parser.add_argument("--url", help="where the packed image will be (default: the release on GitHub)")
    options = parser.parse_args()
    url = options.url or f"{HOME}/releases/download/v{options.version}/{options.packed.name}"
    system = entry(version=options.version, image=options.image, packed=options.packed, url=url)
    stem = options.packed.name.removesuffix(".img.xz")
    for suffix, content in ((".rpi-imager-manifest", manifest(system)), (".os_list.json", system)):
        text = json.dumps(content, indent=2) + "\n"
        options.packed.with_name(stem + suffix).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
