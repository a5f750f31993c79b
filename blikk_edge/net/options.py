"""The options of servers of ours, who may ask and where they listen; and of TLS, on either side."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blikk_edge.grammar.places import file_in
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import SECRET, Scalar

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTlsSettings:
    """TLS to a server of somebody else.

    Attributes:
        ca: The certificate authority to trust; None: those of the system.
        certificate: A client certificate, where the server wants one.
        key: The private key of the client certificate; None: it is in the same file.
        key_password: The password of the private key; None where it has none.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    key_password: Secret | None = None


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


def client_tls(folder: Path, server: str = "server") -> Section:
    """TLS to a `server`: whom to trust, and what to show."""
    file = file_in(folder)
    return Section(
        of=ClientTlsSettings,
        make=_client_tls,
        switch=True,
        keys=(
            Key(name="ca", value=file, meaning="The certificate authority to trust.", default="those of the system"),
            Key(name="certificate", value=file, meaning=f"A client certificate, where the {server} wants one."),
            Key(name="key", value=file, meaning="The private key of the client certificate."),
            Key(name="key_password", value=SECRET, meaning="The password of the private key."),
        ),
    )


def _client_tls(**values: Any) -> ClientTlsSettings:
    """TLS, with a key wherever there is a certificate."""
    for one, other in (("certificate", "key"), ("key", "certificate"), ("key_password", "key")):
        if one in values and other not in values:
            raise Wrong(f"`{one}` without `{other}`", f"Add `{other}:`, or remove `{one}`.", one)
    return ClientTlsSettings(**values)


def without_tls(*where: str) -> Wrong:
    """The problem of a server that others could listen to."""
    return Wrong("a server beyond this machine without `tls`", "Add `tls:` with `certificate` and `key`.", *where)
