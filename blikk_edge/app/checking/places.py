"""Certificates, folders and ports: what this user and this machine allow."""

import errno
import ipaddress
import os
import socket
import sqlite3
import ssl
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from blikk_edge.app.identity import store_path
from blikk_edge.config.listening import Listening, servers
from blikk_edge.config.settings import Settings
from blikk_edge.core.errors import ConfigError
from blikk_edge.core.folders import may_be_made
from blikk_edge.grammar.problem import Wrong
from blikk_edge.net.options import ClientTlsSettings, ServerTlsSettings

SQLITE: Final = b"SQLite format 3\0"
"""How a store begins."""


def certificates(settings: Settings, _environ: Mapping[str, str], _notes: list[str]) -> Iterator[Wrong]:
    """Certificates and keys that cannot be read, or do not belong together."""
    clients: list[tuple[ClientTlsSettings | None, tuple[str, ...]]] = []
    if settings.mqtt is not None:
        clients.append((settings.mqtt.tls, ("mqtt", "tls")))
    served: list[tuple[ServerTlsSettings | None, tuple[str, ...]]] = []
    if settings.http is not None:
        served.append((settings.http.tls, ("http", "tls")))
    for sink in settings.sinks:
        tls, place = getattr(sink.options, "tls", None), ("sinks", sink.kinds.key(sink.name), "tls")
        if isinstance(tls, ClientTlsSettings):
            clients.append((tls, place))
        elif isinstance(tls, ServerTlsSettings):
            served.append((tls, place))
    for client, where in clients:
        if client is not None and client.ca is not None:
            yield from _authority(client.ca, *where, "ca")
        if client is not None and client.certificate is not None and client.key is not None:
            password = client.key_password.reveal() if client.key_password else ""
            yield from _pair(client.certificate, client.key, password, *where)
    for own, where in served:
        if own is not None:
            yield from _pair(own.certificate, own.key, "", *where)


def _authority(path: Path, *where: str) -> Iterator[Wrong]:
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        yield Wrong("this holds no certificate", "Name a PEM file: it has a line `BEGIN CERTIFICATE`.", *where)
    except OSError as error:
        yield Wrong(f"the file cannot be read ({error.strerror})", "Make it readable for this user.", *where)


def _pair(certificate: Path, key: Path, password: str, *where: str) -> Iterator[Wrong]:
    for name, path in (("certificate", certificate), ("key", key)):
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            yield Wrong(f"the file cannot be read ({error.strerror})", "Make it readable for this user.", *where, name)
            return
    try:
        # a password is always given: else OpenSSL asks the terminal for one
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=lambda: password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            yield Wrong("this key is not the one of `certificate`", "Name the key it was made with.", *where, "key")
        else:
            mend = "Both must be PEM files; a key with a password needs `key_password`, where that can be set."
            yield Wrong("certificate and key cannot be used", mend, *where, "certificate")
    except ValueError:  # a password longer than OpenSSL takes
        yield Wrong("the password of this key cannot be used", "Check `key_password`.", *where, "key")


def folders(settings: Settings, environ: Mapping[str, str], notes: list[str]) -> Iterator[Wrong]:
    """Folders and files that must be written to; and the ports, where no running node has them."""
    try:
        path = store_path(settings, environ)
    except ConfigError as error:
        text, _, mend = str(error).partition("; ")
        yield Wrong(text, f"{mend[:1].upper()}{mend[1:]}.", "store", "path")
        return
    if wrong := _unwritable(path):
        yield Wrong(wrong, "Make it writable for this user, or name another place.", "store", "path")
    elif _other_file(path):
        mend = "Name another place; if it was one, it is damaged, and a start carries over what is left of it."
        yield Wrong("this file is no store", mend, "store", "path")
    if settings.media is not None and settings.media.folder is not None and not may_be_made(settings.media.folder):
        mend = "Make it writable for this user, or name another place."
        yield Wrong("nothing can be written into this folder", mend, "media", "folder")
    recorded = any(camera.recorded for camera in settings.cameras)
    if recorded and settings.recordings.folder is not None and not may_be_made(settings.recordings.folder):
        mend = "Make it writable for this user, or name another place."
        yield Wrong("nothing can be written into this folder", mend, "recordings", "folder")
    if _in_use(path):
        notes.append("a node runs with this store: whether its ports are free was not tried")
        return
    for server in servers(settings):
        yield from _port(server)


def open_secrets(path: Path) -> Iterator[str]:
    """That a file with secrets can be read by everybody on this machine."""
    with suppress(OSError):
        if path.stat().st_mode & stat.S_IROTH:
            yield f"{path.name} can be read by every user of this machine; `chmod 600 {path.name}` closes it"


def _unwritable(path: Path) -> str:
    """Why a file cannot be written; empty where it can."""
    try:
        kind = path.stat().st_mode if path.exists() else None
        if kind is not None and stat.S_ISDIR(kind):
            return "this is a folder; name a file in it"
        if kind is not None and not stat.S_ISREG(kind):
            return "this is a device or a pipe"
        target = Path(os.path.realpath(path))
        if target.is_symlink():
            return "this is a link that leads round in a circle"
    except (OSError, ValueError):
        return "there can be no such file"
    if kind is not None and not os.access(path, os.W_OK):
        return "this file cannot be written to"
    return "" if may_be_made(target.parent) else "nothing can be written into its folder"


def _other_file(path: Path) -> bool:
    """Whether a file is there that was never a store."""
    with suppress(OSError, ValueError), path.open("rb") as file:
        return not (start := file.read(len(SQLITE))).startswith(SQLITE) and bool(start)
    return False


def _in_use(path: Path) -> bool:
    """Whether a node has the store open."""
    with suppress(sqlite3.Error, OSError, ValueError):
        if not path.is_file():
            return False
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0.0)) as db:
            try:
                db.execute("SELECT 1 FROM sqlite_master").fetchone()
            except sqlite3.OperationalError as error:
                return error.sqlite_errorcode in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return False


def _port(server: Listening) -> Iterator[Wrong]:
    """Why a server could not be opened there; names are not looked up."""
    host = "127.0.0.1" if server.host == "localhost" else server.host
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    try:
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, server.port))
    except OSError as error:
        key, why, mend = {
            errno.EADDRINUSE: ("port", "another program has this port", "Choose another port, or end that program."),
            errno.EACCES: ("port", "this user may not open this port", "Choose one above 1023."),
            errno.EADDRNOTAVAIL: ("host", "this machine has no such address", "Write `0.0.0.0` or one of its own."),
        }.get(error.errno or 0, ("host", f"it cannot be opened: {error.strerror}", "Check `host` and `port`."))
        yield Wrong(why, mend, *server.path, key)
