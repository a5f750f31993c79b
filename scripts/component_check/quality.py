"""The quality scale: every rule of Home Assistant is done, or exempt for a reason."""

import re
from collections.abc import Iterator
from pathlib import Path

from component_check.files import COMPONENT, load_json, load_yaml

FILE = COMPONENT / "quality_scale.yaml"
_TIERS = """
  action-setup appropriate-polling brands common-modules config-flow config-flow-test-coverage
  dependency-transparency docs-actions docs-conditions docs-high-level-description docs-installation-instructions
  docs-removal-instructions docs-triggers entity-event-setup entity-unique-id has-entity-name runtime-data
  test-before-configure test-before-setup unique-config-entry

  action-exceptions config-entry-unloading docs-configuration-parameters docs-installation-parameters
  entity-unavailable integration-owner log-when-unavailable parallel-updates reauthentication-flow test-coverage

  devices diagnostics discovery discovery-update-info docs-data-update docs-examples docs-known-limitations
  docs-supported-devices docs-supported-functions docs-troubleshooting docs-use-cases dynamic-devices
  entity-category entity-device-class entity-disabled-by-default entity-translations exception-translations
  icon-translations reconfiguration-flow repair-issues stale-devices

  async-dependency inject-websession strict-typing
"""
"""The rules of bronze, silver, gold and platinum."""
RULES = frozenset(_TIERS.split())


def check(root: Path) -> Iterator[str]:
    """Faults of the quality scale."""
    rules = load_yaml(root, FILE).get("rules")
    if not isinstance(rules, dict):
        yield f"{FILE}: it has no rules"
        return
    for rule in sorted(RULES - rules.keys()):
        yield f"{FILE}: {rule} is missing"
    for rule in sorted(rules.keys() - RULES):
        yield f"{FILE}: {rule} is no rule"
    for rule, said in rules.items():
        status, comment = (said.get("status"), said.get("comment")) if isinstance(said, dict) else (said, None)
        if status not in ("done", "exempt"):
            yield f"{FILE}: {rule} is {status}, neither done nor exempt"
        elif not (isinstance(comment, str) and comment.strip()):
            yield f"{FILE}: {rule} is {status} without a comment"
        for test in re.findall(r"\btest_\w+", str(comment)):
            if not list((root / "tests").rglob(f"{test}.py")):
                yield f"{FILE}: {rule} names {test}, which is not in tests"
    if "quality_scale" not in load_json(root, COMPONENT / "manifest.json"):
        yield f"{FILE}: the manifest does not name the scale"
