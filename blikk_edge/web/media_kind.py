"""Kept pictures as a part of the API: their options, and how it is made."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blikk_edge.core.errors import ConfigError
from blikk_edge.grammar.places import path_in
from blikk_edge.grammar.schema import Gone, Key, Section
from blikk_edge.grammar.values import whole
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.options import gone
from blikk_edge.web.context import PageContext

if TYPE_CHECKING:
    from blikk_edge.web.media import MediaApi


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSettings:
    """Redacted pictures of past events, which the server of `http` serves.

    Attributes:
        folder: Where pictures are kept; None: beside the store.
        max_mb: How much they may take, in megabytes.
        keep_days: How long they are kept.
    """

    folder: Path | None = None
    max_mb: int = 500
    keep_days: int = 14


GONE: Final[tuple[Gone, ...]] = gone("pictures are", scope="view", url=True)


def _options(folder: Path) -> Section:
    return Section(
        of=MediaSettings,
        switch=True,
        gone=GONE,
        keys=(
            Key(name="folder", value=path_in(folder), meaning="Where pictures are kept.", default="beside the store"),
            Key(name="max_mb", value=whole(1, 10**6), meaning="How much they may take, in megabytes."),
            Key(name="keep_days", value=whole(1, 3650), meaning="How long they are kept."),
        ),
    )


def _make(_options: MediaSettings, context: PageContext) -> "MediaApi":
    from blikk_edge.web.media import MediaApi  # noqa: PLC0415  # a configuration is read without it

    if context.node.album is None:
        raise ConfigError("media: no pictures are kept here")
    return MediaApi(context.node.album, context.node.history, context.recordings)


KIND: Kind[PageContext, "MediaApi"] = Kind(
    name="media", meaning="Redacted pictures of past events.", options=_options, make=_make
)
