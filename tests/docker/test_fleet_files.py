"""Compose file, manifest of Kubernetes and configurations of a fleet: they fit together, and have no right too many."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from blikk_edge import config
from blikk_edge.config.collect import load_collect
from blikk_edge.config.worker import load_worker

ROOT = Path(__file__).parents[2]
FLEET = ROOT / "docker" / "fleet"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
IMAGE = f"registry.example/blikk-edge-fleet:{VERSION}"
COMPOSE = yaml.safe_load((FLEET / "compose.yaml").read_text(encoding="utf-8"))
MANIFEST = list(yaml.safe_load_all((FLEET / "kubernetes.yaml").read_text(encoding="utf-8")))
WORKLOADS = {each["metadata"]["name"]: each for each in MANIFEST if each["kind"] in {"StatefulSet", "Deployment"}}
OURS = {"node": "blikk.yaml", "worker": "worker.yaml", "collect": "collect.yaml", "web": "web.yaml"}


def named(text: str) -> set[str]:
    """The variables that a configuration takes and has no default for."""
    return set(re.findall(r"!env (\w+)$", text, re.MULTILINE))


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_a_service_has_no_right_that_it_does_not_need(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["tmpfs"]) <= {"/tmp", "/var/run/postgresql"}
    assert service["pids_limit"] <= 500
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & set(service)
    assert re.fullmatch(r"[^:@\s]+:[\w.-]*\d[\w.-]*", service["image"])
    for volume in service["volumes"]:
        place, _, rest = volume.partition(":")
        assert place in COMPOSE["volumes"] or (rest.endswith(":ro") and (FLEET / place).exists())


def test_secrets_are_files_that_are_named_for_who_needs_them() -> None:
    uses: dict[str, set[str]] = {}
    for name, service in COMPOSE["services"].items():
        for secret in service["secrets"]:
            uses.setdefault(secret if isinstance(secret, str) else secret["source"], set()).add(name)
    assert {name for name, of in uses.items() if of} == set(COMPOSE["secrets"])
    assert all(list(secret) == ["file"] for secret in COMPOSE["secrets"].values())
    assert all(Path(secret["file"]).parent == Path("secrets") for secret in COMPOSE["secrets"].values())
    own = {"nats_certificate_key": {"nats"}, "node": {"node"}, "worker": {"worker"}, "collector": {"collect"}}
    own |= {name: {"web"} for name in ("viewer", "web_certificate", "web_certificate_key", "pages")}
    assert {name: uses[name] for name in own} == own
    assert uses["centre"] == {"collect", "postgres"}
    said = str([service.get("environment") for service in COMPOSE["services"].values()]) + str(MANIFEST)
    assert not re.search(r"(?i)password(?!s|_FILE)|token:|seed|\bSU[A-Z2-7]{20}", said)
    assert "docker/fleet/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", OURS)
def test_a_service_of_ours_finds_what_its_configuration_names(name: str) -> None:
    service, text = COMPOSE["services"][name], (FLEET / OURS[name]).read_text(encoding="utf-8")
    assert service["image"] == IMAGE
    assert service["build"]["args"] == {"FLEET": "yes"}
    assert named(text) <= set(service["environment"])
    there = {f"/run/secrets/{each}" if isinstance(each, str) else each["target"] for each in service["secrets"]}
    assert set(re.findall(r"/run/secrets/\w+", text)) <= there
    assert ("!secret" in text) == ("/config/secrets.yaml" in there)
    assert f"./{OURS[name]}:/config/{OURS[name]}:ro" in service["volumes"]
    assert not service.get("ports") or name == "web"


def test_only_this_machine_reaches_nats_and_the_page_as_they_come() -> None:
    ports = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert ports == {
        "nats": ["${NATS_PUBLISH:-127.0.0.1}:4222:4222"],
        "web": ["${WEB_PUBLISH:-127.0.0.1}:8433:8433"],
    }
    assert COMPOSE["services"]["web"]["profiles"] == ["web"], "nobody needs its secrets who does not ask for it"


def test_the_example_names_every_variable_that_the_compose_file_takes() -> None:
    taken = set(re.findall(r"\$\{(\w+)", (FLEET / "compose.yaml").read_text(encoding="utf-8")))
    given = set(re.findall(r"^#?([A-Z_]+)=", (FLEET / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert given == taken
    keys = set(
        re.findall(r"\$(HALL_\w+)", re.sub("#.*", "", (FLEET / "hall" / "account.conf").read_text(encoding="utf-8")))
    )
    assert keys == set(COMPOSE["services"]["nats"]["environment"])


@pytest.fixture
def there(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """The configurations in a folder, with files in the place of their secrets; and their environment."""
    for name in OURS.values():
        shutil.copy(FLEET / name, tmp_path)
    (tmp_path / "secrets.yaml").write_text(
        "centre: tell-nobody-4711\nmqtt: tell-nobody-4712\nviewer: tell-nobody-4713\nview: tell-nobody-4714-4715\n"
    )
    files = {"NKEY": tmp_path / "key.nk", "CA": tmp_path / "ca.pem"}
    files |= {"CERTIFICATE": tmp_path / "web.pem", "CERTIFICATE_KEY": tmp_path / "web.key"}
    for file in files.values():
        file.touch()
    environ = {name: str(file) for name, file in files.items()}
    environ |= {"HOME": str(tmp_path), "MQTT_HOST": "broker", "MODEL_URL": "http://model:8080/v1", "MODEL": "tiny"}
    return tmp_path, environ


@pytest.mark.parametrize("node", ["rack_1", "blikk-node-0"])
def test_the_configurations_are_understood(there: tuple[Path, dict[str, str]], node: str) -> None:
    folder, environ = there
    settings = config.load(folder / "blikk.yaml", environ=environ | {"NODE": node})
    assert settings.fleet is not None
    assert settings.shares
    assert settings.node.id == node.replace("-", "_")
    worker = load_worker(folder / "worker.yaml", environ=environ)
    (site,) = load_collect(folder / "collect.yaml", environ=environ | {"NATS_HOST": "nats.nats.svc"}).centre.sites
    pages = load_collect(folder / "web.yaml", environ=environ | {"NATS_HOST": "nats.nats.svc"})
    assert pages.http is not None
    assert (pages.http.port, pages.http.url) == (8433, "https://127.0.0.1:8433")
    for fleet in (settings.fleet, worker.fleet, site.fleet, pages.centre.sites[0].fleet):
        assert (fleet.site, fleet.nkey) == ("hall", folder / "key.nk")
        assert fleet.tls is not None
    assert site.fleet.servers == ("nats://nats.nats.svc:4222",)


def test_the_script_of_the_database_is_one() -> None:
    subprocess.run(["sh", "-n", str(FLEET / "postgres.sh")], check=True)
    assert (FLEET / "postgres.sh").stat().st_mode & 0o111


def test_the_compose_file_keeps_to_its_schema() -> None:
    tool = Path(sys.executable).with_name("check-jsonschema")
    if not tool.exists():
        pytest.skip("no check-jsonschema; scripts/venv check installs it")
    command = [str(tool), "--builtin-schema", "vendor.compose-spec", str(FLEET / "compose.yaml")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def _pod(name: str) -> dict[str, Any]:
    found: dict[str, Any] = WORKLOADS[name]["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_a_pod_has_no_right_that_it_does_not_need(name: str) -> None:
    pod = _pod(name)
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"} & set(pod)
    whole = pod["securityContext"]
    assert (whole["runAsNonRoot"], whole["runAsUser"]) == (True, 10001)
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["image"] == IMAGE
    assert "memory" in container["resources"]["limits"]
    assert not {"ports", "hostPort", "envFrom"} & set(container)
    written = {each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")}
    assert written == {"/data", "/tmp"}


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_a_pod_finds_what_it_names(name: str) -> None:
    workload, pod = WORKLOADS[name], _pod(name)
    assert workload["metadata"]["namespace"] == "blikk"
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert workload["spec"]["selector"]["matchLabels"] == labels == {"app.kubernetes.io/name": name}
    (container,) = pod["containers"]
    volumes = {each["name"] for each in pod["volumes"]}
    volumes |= {each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", [])}
    assert {each["name"] for each in container["volumeMounts"]} == volumes
    file = OURS[container["name"]]
    given = {each["name"]: each.get("value", "") for each in container["env"]}
    assert named((FLEET / file).read_text(encoding="utf-8")) <= set(given)
    mounts = {each["mountPath"] for each in container["volumeMounts"]}
    assert {str(Path(given[each]).parent) for each in ("NKEY", "CA")} <= mounts
    sources = str(pod["volumes"])
    assert f"'path': '{file}'" in sources
    assert ("secrets.yaml" in sources) == ("!secret" in (FLEET / file).read_text(encoding="utf-8"))


def test_the_manifest_brings_no_secret_and_lets_nobody_in() -> None:
    kinds = [each["kind"] for each in MANIFEST]
    assert "Secret" not in kinds
    assert sorted(WORKLOADS) == ["blikk-collect", "blikk-node", "blikk-worker"]
    (policy,) = [each["spec"] for each in MANIFEST if each["kind"] == "NetworkPolicy"]
    assert policy == {"podSelector": {}, "policyTypes": ["Ingress"]}
    (service,) = [each for each in MANIFEST if each["kind"] == "Service"]
    assert WORKLOADS["blikk-node"]["spec"]["serviceName"] == service["metadata"]["name"]
