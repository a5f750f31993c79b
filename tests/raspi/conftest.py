"""The tests of the card image share the clips and ears of those from end to end."""

import sys
from pathlib import Path

here = Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent / "e2e")]
