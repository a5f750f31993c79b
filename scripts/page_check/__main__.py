"""`python -m page_check ROOT [SITE]`: a line for each fault of the checkout's pages and of the site; exit 1 for any."""

import sys
from pathlib import Path

from page_check import files, site


def main(arguments: list[str]) -> int:
    """Print the faults; 1 where there are any."""
    root, *built = map(Path, arguments)
    found = [*files.faults(root), *(fault for folder in built for fault in site.faults(folder))]
    sys.stderr.write("".join(f"{fault}\n" for fault in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
