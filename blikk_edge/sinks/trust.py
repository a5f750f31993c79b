"""Whose certificates a TLS client believes, and which it shows."""

import ssl
from pathlib import Path

from blikk_edge.core.errors import SinkError
from blikk_edge.net.options import ClientTlsSettings
from blikk_edge.net.tls import client_context


def context_trusting(ca: Path | None) -> ssl.SSLContext:
    """The same context; raises SinkError for a file that cannot be read."""
    try:
        return client_context(ca)
    except (OSError, ssl.SSLError) as error:
        raise SinkError(f"{ca}: this certificate authority cannot be read ({error})") from error


def context_of(tls: ClientTlsSettings, key: str) -> ssl.SSLContext:
    """The context of these settings, which stand below `key`; blocking. Raises SinkError for unusable files."""
    try:
        context = client_context(tls.ca)
    except (OSError, ValueError) as error:
        raise SinkError(f"{key}.ca: {tls.ca} cannot be used: {error}; name a PEM file of the CA") from error
    if tls.certificate is not None:
        password = tls.key_password.reveal() if tls.key_password else ""
        try:
            # An empty password lets an encrypted key fail instead of asking on the terminal.
            context.load_cert_chain(tls.certificate, tls.key, password)
        except (OSError, ValueError) as error:
            raise SinkError(
                f"{key}.certificate: {tls.certificate} with its key cannot be used: {error}; "
                "name matching PEM files, and key_password if the key is encrypted"
            ) from error
    return context
