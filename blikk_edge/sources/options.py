"""The address of a camera as an option, and the schema of a source that needs nothing else."""

from dataclasses import dataclass

from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import SourceUrl
from blikk_edge.grammar.values import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressOptions:
    """Where the camera is. The address may hold a password: it is handed to libraries and shown nowhere."""

    address: SourceUrl


CAMERA_ADDRESS = Scalar("an address", lambda text: SourceUrl(text.strip()), secret=True)
"""May hold a login or be a `!secret`; shows itself without either."""

ADDRESS = Section(
    of=AddressOptions,
    plain="address",
    keys=(
        Key(
            name="address",
            value=CAMERA_ADDRESS,
            required=True,
            meaning="Where the camera is.",
        ),
    ),
)
