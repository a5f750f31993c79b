"""What the site of the documentation has besides docs/: pages from elsewhere in the checkout. A hook of mkdocs.

Links are written as GitHub follows them, from file to file of the checkout. A link to a file that the site has leads
there; one to any other file of the checkout leads to it on GitHub.
"""

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OTHERS = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "contract/**/*.*")
_TARGET = re.compile(r"(?<=\]\()(?![a-z]+:|#)(?P<file>[^)\s#]+)(?P<anchor>#[^)\s]*)?(?=\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and files from outside docs/, under their paths in the checkout."""
    for pattern in OTHERS:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page with each link to a file of the checkout as the site needs it; others stay, and mkdocs tells of them."""
    here = _place(page.file)

    def moved(link: re.Match[str]) -> str:
        there = os.path.normpath(here.parent / link["file"])
        name = there.removeprefix("docs/")
        if files.get_file_from_path(name) is not None:
            target = os.path.relpath(name, PurePosixPath(page.file.src_uri).parent)
        elif (ROOT / there).exists():
            target = f"{config.extra['repository']}/blob/main/{there}"
        else:
            return link[0]
        return target + (link["anchor"] or "")

    return _TARGET.sub(moved, markdown)


def _place(file: File) -> PurePosixPath:
    """Where it lies in the checkout."""
    return PurePosixPath(os.path.relpath(file.abs_src_path or file.src_uri, ROOT))
