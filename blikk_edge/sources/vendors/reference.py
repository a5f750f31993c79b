"""The table of vendors in the guide, written from the data: `docs/guide/cameras.md`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from blikk_edge.sources.vendors.table import GENERIC, vendors

PAGE: Final = Path("docs/guide/cameras.md")
BEGIN: Final = "<!-- the table of vendors is written by scripts/docs -->\n"
END: Final = "<!-- end of the table of vendors -->\n"


def table() -> str:
    """What stands between the marks of the page."""
    return "".join((BEGIN, *_lines(), END))


def _lines() -> Iterator[str]:
    known = [each for each in vendors().values() if each.id != GENERIC]
    yield "\n| Vendor | Main stream | Sub-stream | Still image |\n|---|---|---|---|\n"
    for vendor in known:
        stills = [each.filled() for each in vendor.stills]
        for number, each in enumerate(vendor.streams):
            name = vendor.name if number == 0 else ""
            still = stills[number] if number < len(stills) else ""
            sub = each.sub.filled() if each.sub else ""
            yield f"| {name} | {_code(each.main.filled())} | {_code(sub)} | {_code(still)} |\n"
    yield "\n"
    for vendor in known:
        said = [
            each if each.endswith(".") else f"{each}."
            for each in dict.fromkeys(_sentence(one) for one in _said(vendor.id))
        ]
        links = ", ".join(f"[{number}]({link})" for number, link in enumerate(vendor.documents, 1))
        yield f"- **{vendor.name}**: {' '.join(said)} Sources: {links}.\n"
    yield "\n"


def _said(id_: str) -> Iterator[str]:
    vendor = vendors()[id_]
    if vendor.onvif_port:
        yield f"ONVIF listens at port {vendor.onvif_port}"
    for each in vendor.faults:
        yield each.says if each.sure else f"users report: {each.says}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def write(*, check: bool) -> bool:
    """Write the page's table, or with `check` only say whether it is as it should be."""
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    new = before + table() + rest.partition(END)[2]
    if not check and new != page:
        PAGE.write_text(new, "utf-8")
    return new == page


if __name__ == "__main__":
    if not write(check="--check" in sys.argv) and "--check" in sys.argv:
        sys.exit(f"{PAGE} is stale: run scripts/docs")
