"""The locked requirements of package, extras and groups: written by uv, judged without network. See scripts/lock."""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
BASE = "base"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = ("x86_64", "aarch64")
# uv passes over the upper end of the Pythons that a release says it is for; pip does not
CONSTRAINTS = ("backports-strenum<1.3",)
_PIN = re.compile(
    r"^(?P<pin>[^\s#-][^\\\n]*?) *\\\n(?P<hashes>(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)
_REST = re.compile(r"^ *#.*\n|^\n", re.MULTILINE)


def wanted(root: Path) -> dict[str, list[str]]:
    """The lines of pyproject.toml for each file: `base`, base with each extra, and each group of tools by itself."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    base = settings["project"]["dependencies"]
    extras = {name: base + lines for name, lines in settings["project"]["optional-dependencies"].items()}
    return {BASE: base, **extras, **settings.get("dependency-groups", {})}


def faults(root: Path) -> Iterator[str]:
    """What is stale or missing: `requirements/docs.txt: mkdocs>=1.6: locked is 1.5.3 (Python 3.11, x86_64)`."""
    lines = wanted(root)
    folder = root / "requirements"
    for file in sorted(folder.glob("*.txt")):
        if file.stem not in lines:
            yield f"requirements/{file.name}: there is no such extra or group"
    for name in lines:
        if not (folder / f"{name}.txt").exists():
            yield f"requirements/{name}.txt: it is missing"
            continue
        text = (folder / f"{name}.txt").read_text(encoding="utf-8")
        rest = _REST.sub("", _PIN.sub("", text))
        if rest:
            yield f"requirements/{name}.txt: neither a pin with hashes nor a comment: {rest.splitlines()[0]}"
        pins = [Requirement(pin["pin"]) for pin in _PIN.finditer(text)]
        for version, machine in product(PYTHONS, MACHINES):
            environment = {
                "python_version": version, "python_full_version": f"{version}.0", "platform_machine": machine,
                "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "extra": "",
                "implementation_name": "cpython", "platform_python_implementation": "CPython",
            }  # fmt: skip
            for problem in _missing(lines[name], pins, environment):
                yield f"requirements/{name}.txt: {problem} (Python {version}, {machine})"


def _missing(lines: list[str], pins: list[Requirement], environment: Mapping[str, str]) -> Iterator[str]:
    """Direct requirements without exactly one pin that fits, where they hold."""
    locked: dict[str, list[str]] = {}
    for pin in pins:
        if pin.marker is None or pin.marker.evaluate(dict(environment)):
            locked.setdefault(canonicalize_name(pin.name), []).extend(one.version for one in pin.specifier)
    for line in lines:
        one = Requirement(line)
        if one.marker is not None and not one.marker.evaluate(dict(environment)):
            continue
        found = locked.get(canonicalize_name(one.name), [])
        if len(found) != 1 or not one.specifier.contains(found[0], prereleases=True):
            yield f"{line}: locked is {', '.join(found) or 'none'}"


def write(root: Path, uv: str, options: list[str]) -> None:
    """Have uv write every file; what it holds already stays as far as it fits."""
    folder = root / "requirements"
    folder.mkdir(exist_ok=True)
    lines = wanted(root)
    for stale in folder.glob("*.txt"):
        if stale.stem not in lines:
            stale.unlink()
    command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", PYTHONS[0], "--generate-hashes"]
    command += ["--no-annotate", "--custom-compile-command", "scripts/lock", *options, "-"]
    # whatever this user's uv is set to, the files say the same
    environment = {**os.environ, "UV_NO_CONFIG": "1"}
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(CONSTRAINTS))
        constraints.flush()
        for name, needed in lines.items():
            linux = [f"{line}{' and' if ';' in line else ' ;'} sys_platform == 'linux'" for line in needed]
            full = [*command, "--constraint", constraints.name, "--output-file", str(folder / f"{name}.txt")]
            subprocess.run(full, input="\n".join(linux), text=True, cwd=root, env=environment, check=True)


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` tell what is stale (1)."""
    if "--check" not in arguments:
        write(ROOT, os.environ["UV"], arguments)
    problem = list(faults(ROOT))
    sys.stderr.write("".join(f"{fault}\n" for fault in problem))
    if problem:
        sys.stderr.write("run scripts/lock\n")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
