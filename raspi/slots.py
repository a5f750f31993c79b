#!/usr/bin/env python3
"""What a release gives to the cards that are out there: an archive of the slot, and the signed index.

    raspi/slots.py pack SLOT dist/blikk-edge-0.2.0-arm64.slot.tar.xz
    raspi/slots.py key ~/blikk-update-key.pem
    raspi/slots.py index --key ~/blikk-update-key.pem dist/index.json dist/blikk-edge-0.2.0-arm64.slot.tar.xz ...

`pack` writes the archive of a folder /opt/blikk/<version>, and what the index says about it beside it (`.json`).
`key` makes the maintainers' key, once: the private part with a passphrase, outside this checkout, and the public part
among those of the image, to be committed.
`index` writes index.json and index.json.sig; archives are fetched from the same folder. Its serial is the time, in
seconds, so each has a higher one than the one before.

openssl asks for the passphrase; where nobody can answer, it is taken from BLIKK_UPDATE_PASSPHRASE.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
KEYS = PROJECT / "raspi/rootfs/usr/share/blikk/update-keys"
LAYOUT = 1
"""Of a slot; a card whose updater knows only older ones wants a new image."""


def pack(slot: Path, archive: Path, *, machine: str, python: str, preset: int = 6) -> dict[str, object]:
    """Write the archive; what the index says about it. Files are root's, in the order of their names.

    `preset` is xz's: 0 for the fastest, 9 for the smallest.
    """
    with tarfile.open(archive, "w:xz", preset=preset) as tar:
        for path in sorted(slot.rglob("*")):
            tar.add(path, path.relative_to(slot), recursive=False, filter=_of_root)
    return {
        "version": slot.name,
        "url": archive.name,
        "size": archive.stat().st_size,
        # each file takes whole blocks
        "unpacked": sum(-(-path.lstat().st_size // 4096) * 4096 for path in slot.rglob("*")),
        "sha256": _sha256(archive),
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
    _openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, *_passphrase("-passin"), "-in", path, "-out", signature)
    return signature


def make_key(private: Path, keys: Path) -> Path:
    """Make a key; its public part is the next of `keys`. Exits where the private one could come into the checkout."""
    private = private.resolve()
    if private.is_relative_to(PROJECT):
        sys.exit(f"{private} is in the checkout, where it could be committed: name a place outside it")
    if private.exists():
        sys.exit(f"{private} is there already; a key is made once")
    keys.mkdir(parents=True, exist_ok=True)
    numbers = (int(path.stem) for path in keys.glob("*.pem") if path.stem.isdecimal())
    public = keys / f"{1 + max(numbers, default=0)}.pem"
    before = os.umask(0o077)
    try:
        _openssl("genpkey", "-algorithm", "ed25519", "-aes-256-cbc", *_passphrase("-pass"), "-out", private)
    finally:
        os.umask(before)
    _openssl("pkey", "-in", private, *_passphrase("-passin"), "-pubout", "-out", public)
    return public


def _openssl(*arguments: str | Path) -> None:
    if subprocess.run(["openssl", *arguments], check=False).returncode != 0:  # noqa: S603, S607 - the user's own
        sys.exit(f"`openssl {arguments[0]}` failed")


def _passphrase(option: str) -> tuple[str, ...]:
    return (option, "env:BLIKK_UPDATE_PASSPHRASE") if "BLIKK_UPDATE_PASSPHRASE" in os.environ else ()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    indexing.add_argument("--serial", type=int, help="higher than that of each index before (default: the time)")
    indexing.add_argument("--days", type=int, default=180, help="until it expires (default: 180)")
    indexing.add_argument("index", type=Path)
    indexing.add_argument("archives", type=Path, nargs="*")
    making = commands.add_parser("key")
    making.add_argument("private", type=Path)
    making.add_argument("--keys", type=Path, default=KEYS, help="where the public part goes (default: the image's)")
    options = parser.parse_args()
    if options.command == "key":
        public = make_key(options.private, options.keys)
        sys.stdout.write(f"commit {public}; keep {options.private} where only maintainers are: there is no other\n")
        return
    if options.command == "pack":
        entry = pack(options.slot.resolve(), options.archive, machine=options.machine, python=options.python)
        _beside(options.archive).write_text(json.dumps(entry, indent=1) + "\n", encoding="utf-8")
        return
    now = datetime.now(UTC)
    serial = int(now.timestamp()) if options.serial is None else options.serial
    releases = [_entry(archive) for archive in options.archives]
    options.index.write_bytes(index(releases, serial=serial, issued=now, days=options.days))
    sign(options.index, options.key)


def _entry(archive: Path) -> dict[str, object]:
    """What `pack` said about an archive. Exits where it is another one."""
    entry: dict[str, object] = json.loads(_beside(archive).read_text(encoding="utf-8"))
    if (entry["size"], entry["sha256"]) != (archive.stat().st_size, _sha256(archive)):
        sys.exit(f"{archive} is not the file that {_beside(archive).name} is about; nothing was signed")
    return entry


def _beside(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.json")


if __name__ == "__main__":
    main()
