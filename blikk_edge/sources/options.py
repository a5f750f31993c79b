"""The options of a source that needs nothing but an address."""

from dataclasses import dataclass

from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import SourceUrl
from blikk_edge.grammar.values import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressOptions:
    """Where the camera is. The address may hold a password: it is handed to libraries and shown nowhere."""

    address: SourceUrl


ADDRESS = Section(
    of=AddressOptions,
    plain="address",
    keys=(
        Key(
            name="address",
            value=Scalar("an address", lambda text: SourceUrl(text.strip()), secret=True),
            required=True,
            meaning="Where the camera is.",
        ),
    ),
)
