"""The options of a node that belongs to a fleet."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from blikk_edge.core.loopback import is_loopback
from blikk_edge.grammar.places import file_in
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import PLACE, SLUG, ListOf, Scalar, whole
from blikk_edge.net.options import ClientTlsSettings, client_tls

PORT: Final = 4222
SCHEMES: Final = frozenset({"nats", "tls"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetOptions:
    """A site whose cameras several nodes share.

    Attributes:
        site: The site, whose cameras and topics have its name whoever watches them.
        servers: The NATS servers of the site, as `nats://host:4222`.
        nkey: A file with the seed of this node's NATS key (`SU...`); None: it shows none.
        tls: Encryption; None: none.
        near: Labels of the places this node is near to; cameras that name one of them come here first.
        cameras_max: The most cameras that this node watches.
        past_mb: How much the stream of what all members saw holds, in MB of 10^6 bytes; 0: this node takes no part.
    """

    site: str
    servers: tuple[str, ...] = (f"nats://127.0.0.1:{PORT}",)
    nkey: Path | None = None
    tls: ClientTlsSettings | None = None
    near: tuple[str, ...] = ()
    cameras_max: int = 16
    past_mb: int = 500


def _server(text: str) -> str:
    address = text.strip() if "://" in text else f"nats://{text.strip()}"
    mend = f"Write one like `nats://nats.local:{PORT}`."
    try:
        parts = urlsplit(address)
        port = parts.port or PORT
    except ValueError:
        raise Wrong("not the address of a NATS server", mend) from None
    if parts.username is not None or parts.password is not None:
        raise Wrong("a login in the address", "Remove it, and name the file of a key: `nkey: hall.nk`.")
    if parts.scheme not in SCHEMES or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise Wrong("not the address of a NATS server", mend)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"


SERVER: Final = Scalar("the address of a NATS server", _server)


def is_remote(address: str) -> bool:
    """Whether what goes to this server leaves the machine."""
    return not is_loopback(urlsplit(address).hostname or "")


def fleet_options(folder: Path) -> Section:
    """The section `fleet` of `blikk.yaml`, whose relative paths start at `folder`."""
    return Section(
        of=FleetOptions,
        plain="site",
        keys=(
            Key(
                name="site",
                value=SLUG,
                required=True,
                meaning="The site. It takes the place of the node's id on MQTT, so topics and entities stay "
                "whoever watches a camera.",
            ),
            Key(
                name="servers",
                value=ListOf(SERVER),
                meaning="The NATS servers of the site. `tls://` or `tls:` encrypts.",
            ),
            Key(
                name="nkey",
                value=file_in(folder),
                meaning="A file with the seed of this node's NATS key.",
                default="none is shown",
            ),
            Key(name="tls", value=client_tls(folder), meaning="Encryption. `true` is enough for a public certificate."),
            Key(
                name="near",
                value=ListOf(PLACE),
                meaning="Labels of places that this node is near to. A camera that names one of them comes here first.",
            ),
            Key(name="cameras_max", value=whole(0, 1000), meaning="The most cameras that this node watches."),
            Key(
                name="past_mb",
                value=whole(0, 1_000_000),
                meaning="How much NATS keeps of what all nodes of the site saw, for nodes that were away. Counts where "
                "this node is the one that makes it. With `0` this node tells and knows only what it saw itself.",
            ),
        ),
    )
