"""A real Prometheus that scrapes a node twice a second, with configuration and rules of docs/monitoring."""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest
import yaml
from patience import PATIENCE
from ports import free_port

MONITORING = Path(__file__).parents[1] / "docs" / "monitoring"


class Prometheus:
    """Runs in `folder`; `targets` are the hosts and ports that it scrapes, by job, with `token`, as `file` says."""

    def __init__(
        self, folder: Path, *, targets: Mapping[str, Sequence[str]], token: str, file: str = "prometheus.yml"
    ) -> None:
        folder.mkdir()
        self._folder = folder
        self._port = free_port()
        config = yaml.safe_load((MONITORING / file).read_text())
        config["global"] = {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}
        assert [job["job_name"] for job in config["scrape_configs"]] == list(targets)
        for job in config["scrape_configs"]:
            job["static_configs"] = [{"targets": list(targets[job["job_name"]])}]
            (folder / job["authorization"]["credentials_file"]).write_text(token)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        for rules in config["rule_files"]:
            shutil.copy(MONITORING / rules, folder)

    def __enter__(self) -> Self:
        binary = shutil.which("prometheus")
        if binary is None:
            pytest.skip("no prometheus; scripts/test installs it")
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    binary,
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=log,
                stderr=log,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30 * PATIENCE)

    def ask(self, path: str, **query: str) -> Any:
        """The `data` of an answer of its API; None while it does not answer. What it refuses raises AssertionError."""
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10 * PATIENCE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 503:  # it starts
                    return None
                raise AssertionError(f"{query}: {error.read().decode()}") from error
        except OSError:
            assert self._process.poll() is None, (self._folder / "prometheus.log").read_text()
            return None

    def value(self, expression: str) -> float | None:
        """The value of an expression that has one; None where it has none yet."""
        answer = self.ask("query", query=expression)
        return float(answer["result"][0]["value"][1]) if answer and answer["result"] else None

    def until(self, expression: str, within_s: float) -> float:
        """The value of an expression, once it has one."""
        deadline = time.monotonic() + PATIENCE * within_s
        while (value := self.value(expression)) is None:
            assert time.monotonic() < deadline, f"{expression} had no value within {within_s:.0f} s"
            time.sleep(0.1)
        return value


def expressions(rules: str, dashboard: str) -> list[str]:
    """Those of a file of rules and of a dashboard, with what Grafana puts in for its variables."""
    found = [rule["expr"] for rule in yaml.safe_load((MONITORING / rules).read_text())["groups"][0]["rules"]]
    panels = json.loads((MONITORING / dashboard).read_text())["panels"]
    found += [target["expr"] for panel in panels for target in panel.get("targets", ())]
    for variable, value in {"$__rate_interval": "1m", "$instance": ".*", "$camera": ".*", "$site": ".*"}.items():
        found = [text.replace(variable, value) for text in found]
    return found


def names_in(texts: Sequence[str]) -> set[str]:
    """The names of metrics of ours in expressions."""
    return {name for text in texts for name in re.findall(r"\b(?:blikk|process)_[a-z_]+", text)}


def promtool_finds_fault(rules_test: str) -> str:
    """What `promtool test rules` says of a file of docs/monitoring; nothing where all is well."""
    if shutil.which("promtool") is None:
        pytest.skip("no promtool; scripts/test installs it")
    command = ["promtool", "test", "rules", str(MONITORING / rules_test)]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    return judged.stdout + judged.stderr if judged.returncode else ""
