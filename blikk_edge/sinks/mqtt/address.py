"""Where the broker is, how to log in, and TLS to it."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from blikk_edge.core.errors import SinkError
from blikk_edge.net.tls import client_context


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS to the broker.

    Attributes:
        ca: The certificate authority to trust, a PEM file; None: those of the system.
        certificate: A client certificate, a PEM file; None: none is shown.
        key: The private key of the client certificate, a PEM file; None: it is in the same file.
        key_password: The password of the private key; None where it has none.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    key_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the broker is and how to log in. Shows itself as host:port.

    Attributes:
        host: A name or an IP address.
        port: Its TCP port.
        username: The user; None: no login.
        password: The user's password; None: none is sent.
        tls: None: the connection is not encrypted.
        keepalive_s: How soon a lost connection is noticed.
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    keepalive_s: int = 30

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class _Socket(ssl.SSLSocket):
    """Closes itself when the handshake fails; paho 2 leaves it to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def tls_context(tls: Tls) -> ssl.SSLContext:
    """The context of these settings; blocking. Raises SinkError for files that cannot be used."""
    try:
        context = client_context(tls.ca)
    except (OSError, ValueError) as error:
        raise SinkError(f"mqtt.tls.ca: {tls.ca} cannot be used: {error}; name a PEM file of the CA") from error
    context.sslsocket_class = _Socket
    if tls.certificate is not None:
        try:
            # An empty password lets an encrypted key fail instead of asking on the terminal.
            context.load_cert_chain(tls.certificate, tls.key, tls.key_password or "")
        except (OSError, ValueError) as error:
            raise SinkError(
                f"mqtt.tls.certificate: {tls.certificate} with key {tls.key or 'inside'} cannot be used: {error}; "
                "name matching PEM files, and key_password if the key is encrypted"
            ) from error
    return context
