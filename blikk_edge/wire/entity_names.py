"""What plain discovery calls its entities in a language. Home Assistant translates nothing of it; ids stay English."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

ZONE: Final = "{zone}"
_ROOT: Final = files(__package__).joinpath("names")


@cache
def names(tag: str) -> Mapping[str, str]:
    """The names of a language by the English ones; none of English, and of one that there are none in."""
    path = _ROOT.joinpath(f"{tag}.toml")
    return tomllib.loads(path.read_text("utf-8")) if tag.isalpha() and path.is_file() else {}


def name_in(tag: str, name: str) -> str:
    """The name in a language; as it is where there is no other. What is of a zone keeps the zone's own name."""
    known = names(tag)
    if name in known:
        return known[name]
    for english, other in known.items():
        end = english.removeprefix(ZONE)
        if end != english and name.endswith(end):
            return other.replace(ZONE, name.removesuffix(end))
    return name
