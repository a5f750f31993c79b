"""The TLS of a port of ours, and of who connects to another."""

import ssl
from pathlib import Path
from typing import Final

from blikk_edge.core.errors import BlikkError
from blikk_edge.core.loopback import is_loopback

HANDSHAKE_S: Final = 5.0


def server_tls(who: str, host: str, certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """The TLS that `who` speaks on `host`: none on this machine without a certificate, beyond it never without one.

    Raises BlikkError.
    """
    if certificate is None:
        if not is_loopback(host):
            raise BlikkError(f"{who} on {host}: beyond this machine it needs `{who}.tls` with a certificate")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise BlikkError(f"{who}: certificate and key cannot be used ({error}); both must be PEM files") from error
    return context


def client_context(ca: Path | None = None) -> ssl.SSLContext:
    """The context of a TLS client that trusts this authority, or without one those of the system; blocking.

    From Python 3.13 on the standard library's own also refuses authorities that lack the extensions which RFC 5280
    asks for. Those that people make at home with openssl lack them, so this is not asked for on any Python. Raises
    OSError and ValueError for a file that is no authority.
    """
    context = ssl.create_default_context(cafile=ca)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
