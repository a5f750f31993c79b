"""Which file is the configuration where the command line names none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from blikk_edge.config.yaml_nodes import EXAMPLE
from blikk_edge.grammar.problem import ConfigErrors, Problem

VARIABLE: Final = "BLIKK_CONFIG"
HERE: Final = Path("blikk.yaml")
SYSTEM: Final = Path("/etc/blikk/blikk.yaml")


def find(named: Path | None, environ: Mapping[str, str], *, system: Path = SYSTEM) -> Path:
    """The file that is named, on the command line or by BLIKK_CONFIG; else `blikk.yaml` here, else in `/etc/blikk`.

    Whether a named file is there is not looked at. Raises ConfigErrors where none is named and none is there.
    """
    if named is not None:
        return named
    if by_variable := environ.get(VARIABLE):
        return Path(by_variable)
    for place in (HERE, system):
        if _is_there(place):
            return place
    if _is_there(other := HERE.with_suffix(".yml")):
        text, mend = "there is no such file", f"Did you mean `{other}`?"
    else:
        text = f"there is no such file in {_here()}, and no {system}; {VARIABLE} names none either"
        mend = f"`blikk init` or `blikk setup` writes one; or name another with `--config`. In short, {EXAMPLE}."
    raise ConfigErrors([Problem(file=HERE, line=0, path="", text=text, mend=mend)])


def _is_there(path: Path) -> bool:
    """Whether there is anything of this name: what cannot be read is an error of its own."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _here() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return "the working directory, which was removed"
