"""The options of a server of ours: who may ask, TLS, and where it listens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blikk_edge.core.loopback import is_loopback
from blikk_edge.grammar.places import file_in
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import Scalar

TOKEN_MIN: Final = 16
EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  # what a user may write, not what we bind


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTlsSettings:
    """TLS of a server of ours.

    Attributes:
        certificate: The certificate, with its chain (PEM).
        key: Its private key (PEM).
    """

    certificate: Path
    key: Path


def _token(text: str) -> Secret:
    if len(text) < TOKEN_MIN or not text.isascii() or " " in text:
        raise Wrong("a token that can be guessed", f"Write at least {TOKEN_MIN} letters and digits without spaces.")
    return Secret(text)


TOKEN = Scalar(f"at least {TOKEN_MIN} letters and digits, kept secret", _token, secret=True)


def server_tls(folder: Path) -> Section:
    """The certificate of a server of ours."""
    file = file_in(folder)
    return Section(
        of=ServerTlsSettings,
        keys=(
            Key(name="certificate", value=file, required=True, meaning="The certificate, with its chain (PEM)."),
            Key(name="key", value=file, required=True, meaning="Its private key (PEM)."),
        ),
    )


def only_here_without_tls(of: type) -> Any:
    """Makes a server's settings; beyond this machine only with TLS."""

    def make(**values: Any) -> Any:
        made = of(**values)
        if not is_loopback(made.host) and made.tls is None:
            raise without_tls("host")
        return made

    return make


def without_tls(*where: str) -> Wrong:
    """The problem of a server that others could listen to."""
    return Wrong("a server beyond this machine without `tls`", "Add `tls:` with `certificate` and `key`.", *where)
