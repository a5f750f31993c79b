"""Whose certificates a TLS client believes."""

import ssl
from pathlib import Path


def client_context(ca: Path | None) -> ssl.SSLContext:
    """The context of a TLS client that trusts this authority, or without one those of the system; blocking.

    From Python 3.13 on the standard library's own also refuses authorities that lack the extensions which RFC 5280
    asks for. Those that people make at home with openssl lack them, so this is not asked for on any Python. Raises
    OSError and ValueError for a file that is no authority.
    """
    context = ssl.create_default_context(cafile=ca)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
