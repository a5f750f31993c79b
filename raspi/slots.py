#!/usr/bin/env python3
"""What a release gives to the cards that are out there: an archive of the slot, and the signed index.

    raspi/slots.py pack SLOT dist/blikk-edge-0.2.0-arm64.slot.tar.xz
    raspi/slots.py index --key update-key.pem --serial 7 dist/index.json dist/blikk-edge-0.2.0-arm64.slot.tar.xz ...

`pack` writes the archive of a folder /opt/blikk/<version>, and what the index says about it beside it (`.json`).
`index` writes index.json and index.json.sig; archives are fetched from the same folder. Each has a higher serial than
the one before. The key:

    openssl genpkey -algorithm ed25519 -out update-key.pem
    openssl pkey -in update-key.pem -pubout -out raspi/rootfs/usr/share/blikk/update-keys/1.pem
"""

import argparse
import hashlib
import json
import subprocess
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

LAYOUT = 1
"""Of a slot; a card whose updater knows only older ones wants a new image."""


def pack(slot: Path, archive: Path, *, machine: str, python: str) -> dict[str, object]:
    """Write the archive; what the index says about it. Files are root's, in the order of their names."""
    with tarfile.open(archive, "w:xz") as tar:
        for path in sorted(slot.rglob("*")):
            tar.add(path, path.relative_to(slot), recursive=False, filter=_of_root)
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "version": slot.name,
        "url": archive.name,
        "size": archive.stat().st_size,
        # each file takes whole blocks
        "unpacked": sum(-(-path.lstat().st_size // 4096) * 4096 for path in slot.rglob("*")),
        "sha256": digest,
        "layout": LAYOUT,
        "machine": machine,
        "python": python,
    }


def index(releases: list[dict[str, object]], *, serial: int, issued: datetime, days: int) -> bytes:
    """The index, to be signed as it is."""
    content = {
        "product": "blikk-edge",
        "serial": serial,
        "issued": issued.isoformat(timespec="seconds"),
        "expires": (issued + timedelta(days=days)).isoformat(timespec="seconds"),
        "releases": releases,
    }
    return (json.dumps(content, indent=1) + "\n").encode()


def sign(path: Path, key: Path) -> Path:
    """Write the Ed25519 signature of a file beside it."""
    signature = path.with_name(f"{path.name}.sig")
    command: list[str | Path] = ["openssl", "pkeyutl", "-sign", "-rawin"]
    subprocess.run([*command, "-inkey", key, "-in", path, "-out", signature], check=True)  # noqa: S603
    return signature


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def main() -> None:
    """Write one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("slot", type=Path)
    packing.add_argument("archive", type=Path)
    packing.add_argument("--machine", default="aarch64")
    packing.add_argument("--python", default="3.13")
    indexing = commands.add_parser("index")
    indexing.add_argument("--key", type=Path, required=True)
    indexing.add_argument("--serial", type=int, required=True)
    indexing.add_argument("--days", type=int, default=180, help="until it expires (default: 180)")
    indexing.add_argument("index", type=Path)
    indexing.add_argument("archives", type=Path, nargs="*")
    options = parser.parse_args()
    if options.command == "pack":
        entry = pack(options.slot.resolve(), options.archive, machine=options.machine, python=options.python)
        _beside(options.archive).write_text(json.dumps(entry, indent=1) + "\n", encoding="utf-8")
        return
    releases = [json.loads(_beside(archive).read_text(encoding="utf-8")) for archive in options.archives]
    now = datetime.now(UTC)
    options.index.write_bytes(index(releases, serial=options.serial, issued=now, days=options.days))
    sign(options.index, options.key)


def _beside(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.json")


if __name__ == "__main__":
    main()
