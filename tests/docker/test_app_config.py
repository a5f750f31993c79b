"""The app's description against what the Supervisor takes of 2026: no key that it would drop, none that it warns of."""

import os
import re
import shutil
import struct
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol
import yaml

ROOT = Path(__file__).parents[2]
APP = ROOT / "docker" / "app"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
LANGUAGES = ("en", "de", "es")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


CONFIG = read(APP / "config.yaml")

ELEMENT = vol.Match(
    r"^(bool|email|url|port|device(\(subsystem=[a-z]+\))?|str(\(\d*,\d*\))?|password(\(\d*,\d*\))?"
    r"|int(\(-?\d*,\d*\))?|float(\([\d.]*,[\d.]*\))?|match\(.+\)|list\(.+\))\??$"
)
VERSION_TAG = vol.Match(r"^\d+\.\d+\.\d+$")
# depth at most two: an option, or a list of mappings of options
OPTION = vol.Any(ELEMENT, [vol.Any(ELEMENT, {str: ELEMENT})], {str: vol.Any(ELEMENT, [ELEMENT])})
SUPERVISOR = vol.Schema(
    {
        vol.Required("name"): str,
        vol.Required("version"): VERSION_TAG,
        vol.Required("slug"): vol.Match(r"^[-_.A-Za-z0-9]+$"),
        vol.Required("description"): str,
        # others are deprecated
        vol.Required("arch"): [vol.In(["aarch64", "amd64"])],
        vol.Required("url"): vol.Url(),
        vol.Required("startup"): vol.In(["initialize", "system", "services", "application", "once"]),
        vol.Required("boot"): vol.In(["auto", "manual", "manual_only"]),
        "init": bool,
        "stage": vol.In(["stable", "experimental", "deprecated"]),
        # one image for all architectures: {arch} in it is deprecated
        vol.Required("image"): vol.Match(r"^[a-z0-9.-]+(/[a-z0-9._-]+)+$"),
        "homeassistant": VERSION_TAG,
        "ingress": bool,
        "ingress_port": vol.All(int, vol.Range(0, 65535)),
        "ingress_entry": str,
        "ingress_stream": bool,
        "panel_icon": str,
        "panel_title": str,
        "panel_admin": bool,
        "ports": {vol.Match(r"^\d+(/(tcp|udp))?$"): vol.Any(int, None)},
        "ports_description": {str: str},
        "devices": [str],
        **dict.fromkeys(("video", "usb", "gpio", "uart", "udev", "audio", "devicetree", "tmpfs", "apparmor"), bool),
        # addon_config, and lines of text, make it warn
        "map": [
            {
                vol.Required("type"): vol.In(["app_config", "share", "media", "ssl", "homeassistant_config"]),
                "read_only": bool,
                "path": str,
            }
        ],
        "environment": {vol.Match(r"^\w+$"): str},
        "services": [vol.Match(r"^(mqtt|mysql):(provide|want|need)$")],
        "discovery": [str],
        "backup": vol.In(["hot", "cold"]),
        "backup_exclude": [str],
        "breaking_versions": [VERSION_TAG],
        "timeout": vol.All(int, vol.Range(10, 300)),
        vol.Required("options"): dict,
        vol.Required("schema"): {str: OPTION},
    }
)
"""Without what this app is to do without: host network, privileges, access to the APIs of Supervisor and Docker."""


def test_the_supervisor_takes_it():
    SUPERVISOR(CONFIG)


@pytest.mark.parametrize(
    "change",
    [
        {"arch": ["armv7"]},
        {"host_network": True},
        {"privileged": ["SYS_ADMIN"]},
        {"hassio_api": True},
        {"map": ["addon_config:rw"]},
        {"image": "ghcr.io/blikk-edge/{arch}-app"},
        {"schema": {"cameras": [{"zones": [{"name": "str"}]}]}},
        {"timeout": 5},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_the_supervisor_refuses_or_warns_of_is_seen(change: dict[str, Any]):
    with pytest.raises(vol.Invalid):
        SUPERVISOR(CONFIG | change)


def test_the_versions_are_the_packages():
    assert CONFIG["version"] == VERSION
    dockerfile = (APP / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^FROM (\S+)$", dockerfile, re.MULTILINE) == [f"ghcr.io/blikk-edge/blikk-edge:{VERSION}"]
    assert f'io.hass.version="{VERSION}"' in dockerfile


def test_options_and_their_schema_have_the_same_keys():
    assert set(CONFIG["options"]) == set(CONFIG["schema"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_option_is_named_and_described(language: str):
    translated = read(APP / "translations" / f"{language}.yaml")
    assert set(translated) == {"configuration"}
    assert set(translated["configuration"]) == set(CONFIG["schema"])
    for key, option in CONFIG["schema"].items():
        entry = translated["configuration"][key]
        assert entry["name"]
        assert entry["description"]
        below = option[0] if isinstance(option, list) and isinstance(option[0], dict) else {}
        assert set(entry.get("fields", {})) == set(below)
        assert all(field["name"] and field["description"] for field in entry.get("fields", {}).values())


def test_no_other_file_is_taken_for_an_app():
    # the Supervisor reads every file of this name in a repository of apps, but for hidden folders
    found = []
    for root, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in {"build", "dist"}]
        found += [Path(root, name) for name in names if name in {"config.yaml", "config.yml", "config.json"}]
    assert found == [APP / "config.yaml"]
    assert vol.Schema({"name": str, "url": vol.Url(), "maintainer": str})(read(ROOT / "repository.yaml"))


def test_the_app_store_has_what_it_shows():
    for name in ("DOCS.md", "CHANGELOG.md", "README.md"):
        assert (APP / name).read_text(encoding="utf-8").startswith("#")
    for name, least_px in (("icon.png", 128), ("logo.png", 250)):
        head = (APP / name).read_bytes()[:24]
        width_px, height_px = struct.unpack(">II", head[16:24])
        assert head.startswith(b"\x89PNG")
        assert width_px >= least_px
        assert (width_px == height_px) == (name == "icon.png")


def test_ingress_leads_to_the_port_of_the_pages_and_only_administrators_see_it_in_the_sidebar():
    run = (APP / "run.py").read_text(encoding="utf-8")
    (port,) = re.findall(r"^    \w+_port: int = (\d+)$", run, re.MULTILINE)
    assert (CONFIG["ingress"], CONFIG["ingress_port"], CONFIG["panel_admin"]) == (True, int(port), True)
    assert not {"ports", "webui", "watchdog", "host_network"} & set(CONFIG)


def test_apparmor_reads_the_profile():
    text = (APP / "apparmor.txt").read_text(encoding="utf-8")
    assert re.findall(r"^profile (\S+)", text, re.MULTILINE) == [CONFIG["slug"]]
    parser = shutil.which("apparmor_parser", path="/usr/sbin:/sbin:/usr/bin")
    if parser is None:
        pytest.skip("no apparmor_parser: apt-get install apparmor")
    done = subprocess.run(
        [parser, "--skip-kernel-load", "--skip-cache", str(APP / "apparmor.txt")], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
