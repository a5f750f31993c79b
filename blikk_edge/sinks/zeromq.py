"""ZeroMQ as a kind of sink: a PUB socket, with CURVE beyond this machine; lossy, with numbers."""

import re
from dataclasses import dataclass
from typing import Any, Final

from blikk_edge.core.loopback import is_loopback
from blikk_edge.core.ports import DurableSink, Sink
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import HOST, ListOf, Scalar, choice, whole
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.kind import Kind
from blikk_edge.wire.envelope import RECORDS

_Z85: Final = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Encryption, and who may listen.

    Attributes:
        secret_key: The secret key of this node (Z85).
        clients: The public keys of those who may subscribe (Z85).
    """

    secret_key: Secret
    clients: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroMqOptions:
    """A PUB socket that subscribers connect to.

    Attributes:
        host: Where it listens; `0.0.0.0` is everywhere and needs `curve`.
        port: Its TCP port.
        curve: Encryption; None: only this machine can reach it.
        keep: How many records wait for each subscriber that is slow.
        kinds: The kinds of records that are sent.
    """

    host: str = "127.0.0.1"
    port: int = 8431
    curve: Curve | None = None
    keep: int = 1000
    kinds: tuple[str, ...] = RECORDS


def _key(text: str) -> str:
    if _Z85.fullmatch(text.strip()) is None:
        raise Wrong("not a CURVE key", "Write the 40 characters (Z85) that `zmq.curve_keypair()` gives, in quotes.")
    return text.strip()


PUBLIC_KEY = Scalar("a CURVE key of 40 characters", _key)
SECRET_KEY = Scalar("a CURVE key of 40 characters, kept secret", lambda text: Secret(_key(text)), secret=True)

CURVE = Section(
    of=Curve,
    keys=(
        Key(name="secret_key", value=SECRET_KEY, required=True, meaning="This node's secret key."),
        Key(
            name="clients",
            value=ListOf(PUBLIC_KEY),
            required=True,
            meaning="The public keys of those who may subscribe.",
        ),
    ),
)


def _checked(**values: Any) -> ZeroMqOptions:
    made = ZeroMqOptions(**values)
    if made.curve is None and not is_loopback(made.host):
        mend = "Add `curve:` with `secret_key` and `clients`: ZeroMQ has no TLS."
        raise Wrong("a socket beyond this machine without `curve`", mend, "host")
    return made


OPTIONS = Section(
    of=ZeroMqOptions,
    make=_checked,
    keys=(
        Key(name="host", value=HOST, meaning="Where it listens; `0.0.0.0` is everywhere and needs `curve`."),
        Key(name="port", value=whole(1, 65535), meaning="Its port."),
        Key(name="curve", value=CURVE, meaning="Encryption, and who may subscribe: ZeroMQ has no TLS."),
        Key(
            name="keep",
            value=whole(1, 1_000_000),
            meaning="How many records wait for each subscriber that is slow; the numbers show what was left out.",
        ),
        Key(name="kinds", value=ListOf(choice(RECORDS)), meaning="The kinds of records that are sent."),
    ),
)


def _make(options: ZeroMqOptions, context: Context) -> Sink | DurableSink:
    from blikk_edge.sinks.zeromq_socket import ZeroMqSocket  # noqa: PLC0415  # a configuration is read without it

    return ZeroMqSocket(options, topics=context.topics, clock=context.clock)


KIND: Kind[Context, Sink | DurableSink] = Kind(
    name="zeromq",
    meaning="Publishes records on a PUB socket of ZeroMQ; lossy, with numbers.",
    options=OPTIONS,
    make=_make,
)
