"""The files of the card image say what they should, as far as that can be seen without building it."""

import json
import lzma
import os
import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from blikk_edge.app.checking import check
from blikk_edge.cli.service import unit

ROOT = Path(__file__).parents[2]
RASPI = ROOT / "raspi"
OVERLAY = RASPI / "rootfs"
UNITS = OVERLAY / "usr" / "lib" / "systemd" / "system"
SCRIPTS = sorted(
    path
    for path in RASPI.rglob("*")
    if path.is_file() and re.match(rb"#!.*\b(?:ba)?sh\b", path.read_bytes().partition(b"\n")[0])
)


def lines(path: Path) -> list[str]:
    """The entries of one of our lists."""
    return [line for line in (re.sub(r"\s*#.*", "", raw) for raw in path.read_text().splitlines()) if line]


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command's end, whatever it is."""
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def of_kind(path: Path) -> str:
    return "bash" if b"bash" in path.read_bytes().partition(b"\n")[0] else "sh"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(RASPI)))
def test_a_script_is_read_by_its_shell(script: Path) -> None:
    assert os.access(script, os.X_OK)
    done = run(of_kind(script), "-n", script)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck: apt install shellcheck")
@pytest.mark.parametrize("script", [*SCRIPTS, RASPI / "lib"], ids=lambda path: str(path.relative_to(RASPI)))
def test_shellcheck_finds_nothing(script: Path) -> None:
    done = run("shellcheck", "--external-sources", script, cwd=RASPI)
    assert (done.returncode, done.stdout) == (0, "")


def test_no_mirror_but_that_of_debian_is_named() -> None:
    hosts = {
        host
        for path in RASPI.rglob("*")
        if path.is_file()
        for host in re.findall(r"https?://([\w.-]+)", path.read_text(errors="replace"))
    }
    github = {"github.com", "token.actions.githubusercontent.com"}
    assert hosts <= github | {"deb.debian.org", "downloads.raspberrypi.com", "localhost"}


def test_each_package_is_named_once() -> None:
    packages = lines(RASPI / "packages")
    assert len(packages) == len(set(packages))
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", package) for package in packages)


def test_a_card_slot_needs_its_regulators() -> None:
    assert {"fixed", "gpio_regulator", "sdhci_iproc", "bcm2835"} <= set(lines(RASPI / "initramfs.modules"))


def test_the_default_seed_lets_nobody_in() -> None:
    seed = yaml.safe_load((RASPI / "boot" / "user-data").read_text())
    assert seed["hostname"] == "blikk"
    assert set(seed) == {"hostname", "manage_etc_hosts"}
    assert yaml.safe_load((RASPI / "boot" / "meta-data").read_text())["instance-id"]
    ours = yaml.safe_load((OVERLAY / "etc/cloud/cloud.cfg.d/90_blikk.cfg").read_text())
    assert (ours["users"], ours["ssh_pwauth"], ours["disable_root"]) == ([], False, True)
    assert ours["datasource"]["NoCloud"]["seedfrom"] == "file:///boot/firmware/"


@pytest.mark.parametrize(
    ("seed", "asked"),
    [
        ("#cloud-config\nhostname: blikk\n", False),
        ("#cloud-config\nenable_ssh: true\n", True),
        ("#cloud-config\nusers:\n- name: ada\n  ssh_authorized_keys:\n    - ssh-ed25519 AAAA\n", True),
        ("#cloud-config\nssh_pwauth: true\n", True),
        ("#cloud-config\nssh_pwauth: false\n", False),
        ("#cloud-config\n# enable_ssh: true\n", False),
        (None, False),
    ],
)
def test_ssh_runs_only_where_it_was_asked_for(tmp_path: Path, seed: str | None, asked: bool) -> None:
    path = tmp_path / "user-data.txt"
    if seed is not None:
        path.write_text(seed)
    places = {**os.environ, "BLIKK_BOOT": str(tmp_path), "BLIKK_SEED": str(path)}
    command = OVERLAY / "usr/lib/blikk/ssh-asked"
    assert (run(command, env=places).returncode == 0) is asked
    (tmp_path / "ssh").touch()
    assert run(command, env=places).returncode == 0


def test_the_example_on_the_card_is_a_whole_configuration(tmp_path: Path) -> None:
    shutil.copy(RASPI / "boot" / "blikk-example.yaml", tmp_path / "blikk.yaml")
    (tmp_path / "secrets.yaml").write_text("mqtt_password: open sesame\n")
    assert not check(tmp_path / "blikk.yaml", os.environ).problems


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with our units and the programs that they start."""
    root = tmp_path / "root"
    shutil.copytree(OVERLAY, root)
    program = root / "usr" / "bin" / "blikk"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    targets = root / "usr/lib/systemd/system"
    text = unit(Path("/etc/blikk/blikk.yaml"), user=False, blikk=Path("/usr/bin/blikk"))  # as raspi/customize does
    (targets / "blikk-edge.service").write_text(text)
    for name in ("basic", "sysinit", "shutdown", "network-online", "time-sync", "multi-user", "getty"):
        (targets / f"{name}.target").write_text(f"[Unit]\nDescription={name}\n")
    return root


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")


@needs_systemd
@pytest.mark.parametrize("name", ["blikk-edge.service", "blikk-import.service", "blikk-setup.service"])
def test_systemd_understands_a_unit_wholly(tree: Path, name: str) -> None:
    done = run("systemd-analyze", "verify", f"--root={tree}", name)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("name", ["blikk-edge.service", "blikk-import.service", "blikk-setup.service"])
def test_a_unit_may_do_no_more_than_it_needs(tree: Path, name: str) -> None:
    done = run("systemd-analyze", "security", "--offline=true", f"--root={tree}", "--threshold=20", name)
    assert done.returncode == 0, done.stdout[-200:]


SYSTEM = {
    "name": str,
    "description": str,
    "icon": str,
    "url": str,
    "website": str,
    "extract_size": int,
    "extract_sha256": str,
    "image_download_size": int,
    "image_download_sha256": str,
    "release_date": str,
    "init_format": str,
    "architecture": str,
    "devices": list,
    "capabilities": list,
}
"""The keys of one system in Imager's schema (doc/json-schema and doc/schema-notes.md there), and their types."""

BOARD = {
    "name": str,
    "tags": list,
    "icon": str,
    "description": str,
    "matching_type": str,
    "capabilities": list,
}
"""The keys of one board, as Imager's own list has them."""


def of_types(entry: dict[str, Any]) -> dict[str, type]:
    return {key: type(value) for key, value in entry.items()}


def test_the_manifest_has_what_imager_reads(tmp_path: Path) -> None:
    image, packed = tmp_path / "card.img", tmp_path / "blikk-edge-1.2.3-arm64.img.xz"
    image.write_bytes(bytes(100_000))
    packed.write_bytes(lzma.compress(image.read_bytes()))
    done = run(RASPI / "manifest.py", "--version", "1.2.3", "--image", image, "--packed", packed)
    assert (done.returncode, done.stderr) == (0, "")
    whole = json.loads((tmp_path / "blikk-edge-1.2.3-arm64.rpi-imager-manifest").read_text())
    assert set(whole) == {"imager", "os_list"}
    (system,) = whole["os_list"]
    assert of_types(system) == SYSTEM
    assert system == json.loads((tmp_path / "blikk-edge-1.2.3-arm64.os_list.json").read_text())
    assert system["extract_size"] == 100_000
    assert system["extract_sha256"] == sha256(image.read_bytes()).hexdigest()
    assert system["image_download_size"] == packed.stat().st_size
    assert system["image_download_sha256"] == sha256(packed.read_bytes()).hexdigest()
    assert system["init_format"] == "cloudinit", "Imager 1 and 2 know it"
    assert system["url"].endswith("/releases/download/v1.2.3/blikk-edge-1.2.3-arm64.img.xz")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", system["release_date"])
    assert all(system[key] for key in ("name", "description", "icon", "website"))
    boards = whole["imager"]["devices"]
    assert [of_types(board) for board in boards] == [BOARD] * 3
    assert {board["matching_type"] for board in boards} <= {"exclusive", "inclusive"}
    assert {tag for board in boards for tag in board["tags"]} == set(system["devices"])


FIELDS = {
    f"X-Env-Layer-{name}" for name in ("Name", "Version", "Category", "Desc", "Requires", "Provides", "Conflicts")
}


def test_the_layer_of_rpi_image_gen_is_one() -> None:
    """By the rules of its own lint: a block of comments with fields of a closed list, and YAML below it."""
    layers = RASPI / "rpi-image-gen" / "layer"
    (layer,) = layers.glob("*.yaml")
    text = layer.read_text()
    block = re.search(r"^# METABEGIN\n(.*?)^# METAEND$", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    meta = [line.removeprefix("# ") for line in block[1].splitlines()]
    fields = dict(line.split(": ", 1) for line in meta if not line.startswith(" "))
    assert set(fields) <= FIELDS
    assert fields["X-Env-Layer-Name"] == layer.stem
    assert re.fullmatch(r"\d+\.\d+\.\d+", fields["X-Env-Layer-Version"])
    documents = list(yaml.safe_load_all(text))
    of_boards = {"linux-image-arm64", "raspi-firmware", "firmware-brcm80211", "initramfs-tools"}
    assert set(documents[-1]["mmdebstrap"]["packages"]) == set(lines(RASPI / "packages")) - of_boards
    hook = layers / f"{layer.stem}.d" / "hooks" / "customize50-blikk"
    assert os.access(hook, os.X_OK)
    assert (layers / re.findall(r'"\$LAYER_DIR/(.*?)"', hook.read_text())[0]).resolve() == RASPI / "customize"
    assert not list(RASPI.rglob("config.yaml")), "Home Assistant's Supervisor reads every file of this name as an app"
