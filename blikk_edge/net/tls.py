"""The TLS of a port of ours."""

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
