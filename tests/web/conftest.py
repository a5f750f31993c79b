"""Where the tests of pages find the browser, and the programs that others are tested with."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("scripts", "tests/e2e", "tests/web")]
