"""The TypeScript client: its tests run in Node against a node that runs, its package is installed, its page is true."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from broker import Broker, make_certificates
from nowhere import NOWHERE
from npm_packages import installed, names_no_registry, run
from patience import PATIENCE
from ports import free_port
from staging import BLIKK, portrait, write_clip

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "typescript"
CONTRACT = ROOT / "contract"
TSC = ("node", "node_modules/typescript/bin/tsc", "-p")


def test_the_types_were_written_from_these_schemas() -> None:
    digest = hashlib.sha256()
    for path in sorted((CONTRACT / "schemas").iterdir(), key=lambda path: path.name):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    head = (CLIENT / "src" / "contract.ts").read_text(encoding="utf-8")[:300]
    assert digest.hexdigest() in head, "in clients/typescript: npm ci && npm run types"


def test_the_lock_names_no_registry() -> None:
    assert names_no_registry(CLIENT)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package as built, with what it needs installed; skips where that cannot be had."""
    root = tmp_path_factory.mktemp("typescript")
    folder = root / "clients" / "typescript"
    shutil.copytree(CLIENT, folder, ignore=shutil.ignore_patterns("node_modules", "dist", "build"))
    (root / "contract").symlink_to(CONTRACT)
    (folder / "node_modules").symlink_to(installed(CLIENT))
    built = run(folder, *TSC, ".")
    assert built.returncode == 0, built.stdout
    return folder


@pytest.fixture(scope="module")
def clip(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A visitor who shows the face is there from 2 to 6 s of 10."""
    face = cv2.resize(portrait(photographs), (240, 240))
    pictures = [np.full((240, 320, 3), 150, np.uint8) for _ in range(100)]
    for number, picture in enumerate(pictures[20:60]):
        picture[:, 2 * number : 2 * number + 240] = face
    path = tmp_path_factory.mktemp("clip") / "visitor.mp4"
    write_clip(path, pictures)
    return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    (folder := tmp_path / "broker").mkdir()
    with Broker(folder) as broker:
        yield broker


def test_it_does_what_it_says_against_a_node_that_runs(
    package: Path, clip: Path, broker: Broker, tmp_path: Path
) -> None:
    checked = run(package, "node", "scripts/types.mjs", "--check")
    assert checked.returncode == 0, checked.stderr
    (folder := tmp_path / "locked").mkdir()
    certificates = make_certificates(folder)
    expired = folder / "expired.crt"
    made = run(
        folder,
        *("openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
        *("-days", "-1", "-out", expired.name),
    )
    assert made.returncode == 0, made.stderr
    settings = {
        "blikk": str(BLIKK),
        "environ": {**os.environ, **NOWHERE, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        "folder": str(tmp_path),
        "clip": str(clip),
        "contract": str(CONTRACT),
        "broker": broker.port,
        "port": free_port(),
        "nobody": free_port(),
        "certificate": str(certificates.server),
        "key": str(certificates.server_key),
        "ca": str(certificates.ca),
        "expired": str(expired),
        "patience": PATIENCE,
    }
    write_examples(package, port=settings["port"], broker=broker.port)
    compiled = run(package, *TSC, "test")
    assert compiled.returncode == 0, compiled.stdout
    with Broker(folder, password=("user", "password")) as locked:
        written = json.dumps({**settings, "locked": locked.port})
        limit = f"--test-timeout={PATIENCE * 60_000}"
        done = run(package, "node", "--test", limit, "build/", within_s=90, BLIKK_TEST_SETTINGS=written)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(re.findall(r"^# (pass|fail|cancelled|skipped) (\d+)$", done.stdout, re.MULTILINE))
    assert (counts["fail"], counts["cancelled"], counts["skipped"]) == ("0", "0", "0")
    assert int(counts["pass"]) > 15


def write_examples(package: Path, *, port: int, broker: int) -> None:
    """The examples of README.md and the guide among the tests, with the addresses of the node and the broker here."""
    pages = (package / "README.md", ROOT / "docs" / "guide" / "typescript.md")
    page = "".join(each.read_text(encoding="utf-8") for each in pages)
    (folder := package / "test" / "readme").mkdir()
    for number, code in enumerate(re.findall(r"```ts\n(.*?)```", page, re.DOTALL)):
        here = code.replace("ws://127.0.0.1:8428", f"ws://127.0.0.1:{port}")
        here = here.replace("mqtt://broker.local", f"mqtt://127.0.0.1:{broker}")
        (folder / f"{number}.ts").write_text(here, encoding="utf-8")


@pytest.fixture(scope="module")
def consumer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program's folder in which the packed package is installed with its own dependency, and nothing else."""
    folder = tmp_path_factory.mktemp("consumer")
    packed = run(package, "npm", "pack", "--silent", "--pack-destination", str(folder))
    assert packed.returncode == 0, packed.stderr
    unpacked = folder / "node_modules" / "blikk-edge"
    unpacked.mkdir(parents=True)
    (archive,) = folder.glob("blikk-edge-*.tgz")
    done = run(folder, "tar", "--extract", "--file", archive.name, "--strip-components=1", "--directory", str(unpacked))
    assert done.returncode == 0, done.stderr
    (folder / "node_modules" / "ws").symlink_to(package / "node_modules" / "ws")
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def test_the_package_has_what_is_needed_and_nothing_else(consumer: Path) -> None:
    unpacked = consumer / "node_modules" / "blikk-edge"
    files = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    sources = {path.stem for path in (CLIENT / "src").glob("*.ts")}
    built = {f"dist/{name}{ending}" for name in sources for ending in (".js", ".d.ts")}
    assert files == {"LICENSE", "README.md", "package.json"} | built
    assert (unpacked / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    declared: dict[str, Any] = json.loads((unpacked / "package.json").read_text())
    assert set(declared["dependencies"]) == {"ws"}


def test_its_types_need_nothing_else(consumer: Path, package: Path) -> None:
    (consumer / "program.ts").write_text(
        'import { blikk, type Observation } from "blikk-edge";\n'
        'const node = blikk({ url: "ws://127.0.0.1:8428", token: "t", mqtt: { url: "mqtt://b", node: "n" } });\n'
        "export const seen: AsyncIterable<Observation> = node.observations();\n"
        "// @ts-expect-error: the label is none\n"
        'export const ghosts = node.events({ labels: ["ghost"] });\n'
    )
    tsc = str(package / "node_modules" / "typescript" / "bin" / "tsc")
    options = ("--strict", "--noEmit", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom")
    done = run(consumer, "node", tsc, *options, "--types", "", "--skipLibCheck", "false", "program.ts")
    assert done.returncode == 0, done.stdout


def test_without_the_package_mqtt_it_says_what_to_install(consumer: Path) -> None:
    script = """
        import { blikk } from "blikk-edge";
        const node = blikk({ mqtt: { url: "mqtt://127.0.0.1", node: "hallway" } });
        await node.ask("Who came?").catch(({ code, message }) => console.log(code, message));
    """
    done = run(consumer, "node", "--input-type=module", "--eval", script)
    assert done.stdout == "missing_package the package `mqtt` is not there: npm install mqtt\n", done.stderr
