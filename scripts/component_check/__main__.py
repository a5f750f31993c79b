"""Runs every check over a checkout and prints the faults."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from component_check import actions, blueprints, code, manifest, packaging, quality, translations
from component_check.files import UnreadableError

CHECKS: tuple[Callable[[Path], Iterator[str]], ...] = (
    manifest.check,
    translations.check,
    actions.check,
    code.check,
    quality.check,
    packaging.check,
    blueprints.check,
)


def faults(root: Path) -> list[str]:
    """All faults of a checkout; a file that cannot be read is one, and ends the check that needs it."""
    found: dict[str, None] = {}
    for check in CHECKS:
        try:
            for fault in check(root):
                found[fault] = None
        except UnreadableError as error:
            found[str(error)] = None
    return list(found)


def main() -> int:
    """Print the faults of the checkout that is named first."""
    found = faults(Path(sys.argv[1]))
    for fault in found:
        print(fault, file=sys.stderr)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
