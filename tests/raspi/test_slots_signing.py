"""The key of the maintainers, and what is signed with it."""

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from slot_card import RASPI, make_slot

sys.path.insert(0, str(RASPI / "rootfs/usr/lib/blikk"))
from blikk_update.errors import IntegrityError
from blikk_update.index import read, verify

SECRET = {**os.environ, "BLIKK_UPDATE_PASSPHRASE": "open sesame"}
TAG = "https://github.com/blikk-edge/blikk-edge/.github/workflows/release.yaml@refs/tags/v0.2.0"


def slots(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, RASPI / "slots.py", *arguments]
    return subprocess.run(command, env=SECRET | environ, capture_output=True, text=True, check=False)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Two keys of maintainers, `key1` and `key2`."""
    for number in (1, 2):
        done = slots("key", tmp_path / f"key{number}", "--keys", tmp_path / "keys")
        assert done.returncode == 0, done.stderr
        assert f"commit {tmp_path}/keys/{number}.pem" in done.stdout
    return tmp_path / "keys"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A packed slot, and what the index says about it."""
    make_slot(tmp_path / "0.2.0")
    path = tmp_path / "blikk-edge-0.2.0-arm64.slot.tar.xz"
    assert slots("pack", tmp_path / "0.2.0", path).returncode == 0
    return path


def test_a_key_has_a_passphrase_and_lies_outside_the_checkout(keys: Path, tmp_path: Path) -> None:
    private = tmp_path / "key1"
    assert private.stat().st_mode & 0o777 == 0o600
    assert "ENCRYPTED PRIVATE KEY" in private.read_text()
    assert sorted(path.name for path in keys.iterdir()) == ["1.pem", "2.pem"]
    assert all("BEGIN PUBLIC KEY" in path.read_text() for path in keys.iterdir())
    again = slots("key", private, "--keys", keys)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)
    inside = RASPI / "update-key.pem"
    done = slots("key", inside, "--keys", keys)
    assert (done.returncode, inside.exists()) == (1, False)
    assert "outside it" in done.stderr


def test_an_index_is_good_with_either_key_and_with_no_other(keys: Path, tmp_path: Path, archive: Path) -> None:
    index = tmp_path / "index.json"
    for name in ("key1", "key2"):
        assert slots("index", "--key", tmp_path / name, index, archive).returncode == 0
        verify(index.read_bytes(), index.with_name("index.json.sig").read_bytes(), keys)
    (keys / "2.pem").unlink()
    with pytest.raises(IntegrityError):
        verify(index.read_bytes(), index.with_name("index.json.sig").read_bytes(), keys)
    now = datetime.now(UTC)
    found = read(index.read_bytes(), source="https://example.org/index.json", now=now, serial=0)
    (release,) = found.releases
    assert abs(found.serial - now.timestamp()) < 3600
    assert (release.version, release.url) == ("0.2.0", f"https://example.org/{archive.name}")
    assert (release.size, release.sha256) == (
        archive.stat().st_size,
        hashlib.sha256(archive.read_bytes()).hexdigest(),
    )


def test_an_archive_that_is_not_as_it_was_packed_is_not_signed(keys: Path, tmp_path: Path, archive: Path) -> None:
    archive.write_bytes(archive.read_bytes() + b"more")
    done = slots("index", "--key", tmp_path / "key1", tmp_path / "index.json", archive)
    assert (done.returncode, "nothing was signed" in done.stderr) == (1, True)
    assert not (tmp_path / "index.json").exists()


GH = """\
#!/usr/bin/env python3
import pathlib, shutil, sys

release = pathlib.Path({release!r})
if sys.argv[2] == "download":
    assert sys.argv[3] == "v0.2.0"
    for path in release.iterdir():
        shutil.copy(path, ".")
else:
    assert sys.argv[2:4] == ["upload", "v0.2.0"]
    for name in ("index.json", "index.json.sig"):
        assert name in sys.argv
        shutil.copy(name, release)
"""
COSIGN = """\
#!/usr/bin/env python3
import json, pathlib, sys

bundle = json.loads(pathlib.Path(sys.argv[sys.argv.index("--bundle") + 1]).read_text())
assert sys.argv[sys.argv.index("--certificate-identity") + 1] == bundle["by"], "another workflow"
assert pathlib.Path(sys.argv[-1]).read_text() == bundle["of"], "another file"
"""


@pytest.fixture
def release(tmp_path: Path, archive: Path) -> Path:
    """A release as its workflow leaves it, for stand-ins of the programs that talk to GitHub and Sigstore."""
    folder = tmp_path / "release"
    folder.mkdir()
    for path in (archive, archive.with_name(f"{archive.name}.json")):
        path.rename(folder / path.name)
    sums = subprocess.check_output("sha256sum -- *", shell=True, cwd=folder, text=True)
    (folder / "SHA256SUMS").write_text(sums)
    (folder / "SHA256SUMS.sigstore.json").write_text(json.dumps({"by": TAG, "of": sums}))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("gh", GH.format(release=str(folder))), ("cosign", COSIGN)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return folder


def sign_release(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    environ = SECRET | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    command = [RASPI / "sign-release", "0.2.0", tmp_path / "key1"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_a_release_is_signed_and_cards_take_it(keys: Path, tmp_path: Path, release: Path) -> None:
    done = sign_release(tmp_path)
    assert done.returncode == 0, done.stderr
    verify((release / "index.json").read_bytes(), (release / "index.json.sig").read_bytes(), keys)


@pytest.mark.parametrize("wrong", ["archive", "list", "added"])
def test_what_the_workflow_did_not_build_is_not_signed(keys: Path, tmp_path: Path, release: Path, wrong: str) -> None:
    (archive,) = release.glob("*.slot.tar.xz")
    if wrong == "archive":
        archive.write_bytes(b"another")
    elif wrong == "list":
        archive.write_bytes(b"another")
        (release / "SHA256SUMS").write_text(
            subprocess.check_output("sha256sum -- *.slot*", shell=True, cwd=release, text=True)
        )
    else:
        for path in (archive, archive.with_name(f"{archive.name}.json")):
            path.with_name(path.name.replace("0.2.0", "0.9.0")).write_bytes(path.read_bytes())
    assert sign_release(tmp_path).returncode != 0
    assert not (release / "index.json").exists()
