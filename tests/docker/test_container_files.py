"""Dockerfiles, Compose file and quadlet: nothing is unpinned, nothing has more rights than it needs."""

import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from blikk_edge import config

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = sorted(COMPOSE["services"])
PINNED = re.compile(r"[^:@\s]+:[\w.-]*\d[\w.-]*(@sha256:[0-9a-f]{64})?")
"""An image with a tag that has a number in it."""


def instructions(text: str) -> list[str]:
    """Each on one line, without comments."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


def test_base_images_have_a_version():
    stages: set[str] = set()
    for line in instructions(DOCKERFILE):
        if line.startswith("FROM "):
            _, image, *name = line.split()
            assert image in stages or PINNED.fullmatch(image), image
            stages |= set(name[1:])


def test_debian_packages_have_a_version():
    for line in instructions(DOCKERFILE):
        for installed in re.findall(r"apt-get install (.*?)(?:&&|$)", line):
            packages = [word.strip("'") for word in installed.split() if not word.startswith("-")]
            assert packages
            assert all(re.fullmatch(r"[a-z0-9.+-]+=[\w.:~+-]+\*?", package) for package in packages)


def test_python_packages_are_locked_with_hashes():
    for line in instructions(DOCKERFILE):
        for installed in re.findall(r"pip install (.*?)(?:&&|$)", line):
            # our own is built from what was copied, without an index
            assert "--require-hashes" in installed or "--no-index" in installed
    setuptools = re.search(r"^setuptools==", (ROOT / "requirements" / "test.txt").read_text("utf-8"), re.MULTILINE)
    assert setuptools, "the build takes it from there"


def test_the_files_that_are_installed_together_pin_the_same():
    pins: dict[str, set[str]] = {}
    for name in re.findall(r"-r requirements/(\w+)\.txt", DOCKERFILE):
        for line in (ROOT / "requirements" / f"{name}.txt").read_text("utf-8").splitlines() if name != "build" else ():
            if found := re.match(r"([\w.-]+)==([^ ;]+)(.*?) *\\", line):
                pins.setdefault(found[1] + found[3], set()).add(found[2])
    assert pins
    assert {name: versions for name, versions in pins.items() if len(versions) > 1} == {}


def test_the_image_says_who_runs_it_and_how_it_is():
    said = instructions(DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :])
    assert "USER 10001:10001" in said
    assert 'ENTRYPOINT ["tini", "--", "blikk"]' in said
    assert any(line.startswith("HEALTHCHECK ") and line.endswith('["blikk", "health"]') for line in said)
    assert f'image.version="{VERSION}"' in DOCKERFILE


def test_nothing_of_the_machine_that_builds_is_written_down():
    for path in (DOCKER / "Dockerfile", DOCKER / "slim", DOCKER / "app" / "Dockerfile"):
        assert not re.search(r"(?i)https?_proxy|index-url|trusted-host|/root/", path.read_text(encoding="utf-8")), path


def test_the_build_sees_nothing_but_what_it_copies():
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    seen = {rule[1:] for rule in rules if rule.startswith("!")}
    assert "*" in rules
    copied = {
        word.rstrip("/").split("/")[0] if word.startswith("requirements") else word
        for line in instructions(DOCKERFILE)
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert copied == seen
    assert all((ROOT / path).exists() for path in seen)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_right_that_it_does_not_need(name: str):
    service = COMPOSE["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"] == ["/tmp"]
    assert service["pids_limit"] <= 500
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & set(service)
    assert PINNED.fullmatch(service["image"])
    for volume in service["volumes"]:
        source, _, rest = volume.partition(":")
        assert source in COMPOSE["volumes"] or (rest.endswith(":ro") and (DOCKER / source).is_file())


def test_the_image_of_the_node_has_the_packages_version():
    image = f"ghcr.io/blikk-edge/blikk-edge:{VERSION}"
    assert COMPOSE["services"]["node"]["image"] == image
    assert f"\nImage={image}\n" in (DOCKER / "blikk-edge.container").read_text(encoding="utf-8")


def test_only_this_machine_reaches_the_broker_as_it_comes():
    assert COMPOSE["services"]["broker"]["ports"] == ["${MQTT_PUBLISH:-127.0.0.1}:1883:1883"]
    assert "ports" not in COMPOSE["services"]["node"]
    settings = (DOCKER / "mosquitto.conf").read_text(encoding="utf-8")
    assert "allow_anonymous false" in settings


def _interpolated(environ: dict[str, str]) -> dict[str, str]:
    """The node's environment as Compose makes it: `${NAME:-default}` and `${NAME:?text}`."""

    def value(found: re.Match[str]) -> str:
        return environ.get(found["name"]) or (found["rest"] or "").removeprefix(":-")

    pattern = re.compile(r"\$\{(?P<name>\w+)(?P<rest>:[-?][^}]*)?\}")
    node: dict[str, Any] = COMPOSE["services"]["node"]["environment"]
    return {name: pattern.sub(value, text) for name, text in node.items()}


def test_one_address_in_the_environment_is_all():
    environ = _interpolated({"CAMERA": "rtsp://me:secret@192.168.1.20/stream1"})
    settings = config.load(DOCKER / "blikk.yaml", environ=environ)
    assert settings.mqtt is not None
    assert (settings.node.id, settings.mqtt.host, settings.mqtt.port) == ("front_door", "broker", 1883)
    (camera,) = settings.cameras
    assert (camera.id, camera.name) == ("camera", "Front door")
    assert COMPOSE["services"]["node"]["environment"]["CAMERA"].startswith("${CAMERA:?")


def test_the_example_names_every_variable_that_the_compose_file_takes():
    taken = set(re.findall(r"\$\{(\w+)", (DOCKER / "compose.yaml").read_text(encoding="utf-8")))
    named = set(re.findall(r"^#?([A-Z_]+)=", (DOCKER / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert named == taken


def test_the_quadlet_has_no_right_that_it_does_not_need():
    quadlet = configparser.ConfigParser(strict=False)
    quadlet.optionxform = str  # type: ignore[assignment,method-assign]  # its keys have capitals
    quadlet.read(DOCKER / "blikk-edge.container")
    container = quadlet["Container"]
    assert (container["ReadOnly"], container["NoNewPrivileges"], container["DropCapability"]) == ("true", "true", "all")
    assert quadlet["Service"]["RestartPreventExitStatus"] == "2 78"
