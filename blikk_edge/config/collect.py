"""`collect.yaml` in, what the centre does out, or every problem there is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import voluptuous as vol

from blikk_edge.config.fleet_file import settings_in
from blikk_edge.fleet.centre.options import CentreOptions, SiteSource
from blikk_edge.fleet.options import FleetOptions, fleet_options
from blikk_edge.grammar.leaf import Leaf
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import SLUG, TEXT, ListOf, duration, errors_at
from blikk_edge.sinks.postgres.kind import postgres_options
from blikk_edge.transforms.embedding.options import SearchOptions, search

DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectSettings:
    """The centre as its file says.

    Attributes:
        centre: The database, and from where its records come.
        search: What compares pictures with words in `blikk search --fleet`; None: labels and colours alone.
        language: In which questions are read; None: English.
    """

    centre: CentreOptions
    search: SearchOptions | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class _Sites:
    """A list of sites, each with its keys."""

    each: Section

    @property
    def words(self) -> str:
        """What may stand there."""
        return "a list of sites, each with its keys"

    def __call__(self, leaf: Leaf) -> tuple[SiteSource, ...]:
        """The sites in the order they were written; raises vol.MultipleInvalid."""
        if not isinstance(leaf, list) or not leaf:
            raise Wrong("not a list of sites", "Write `- site: name` for each, with its keys below it, indented.")
        found: list[SiteSource] = []
        wrongs: list[vol.Invalid] = []
        for place, below in enumerate(leaf):
            try:
                source = self.each(below)
                if source.site in {other.site for other in found}:
                    raise Wrong(f"the site {source.site} twice", "Keep one of them.", "site")
                found.append(source)
            except vol.Invalid as wrong:
                wrongs += errors_at(place, wrong)
        if wrongs:
            raise vol.MultipleInvalid(wrongs)
        return tuple(found)


def _source(*, domain: str | None = None, readers: tuple[str, ...] = (), **fleet: Any) -> SiteSource:
    return SiteSource(fleet=FleetOptions(**fleet), domain=domain, readers=readers)


def site_section(folder: Path) -> Section:
    """One of `sites`, whose relative paths start at `folder`."""
    of_fleet = tuple(key for key in fleet_options(folder).keys if key.name in {"site", "servers", "nkey", "tls"})
    return Section(
        of=FleetOptions,
        make=_source,
        plain="site",
        keys=(
            *of_fleet,
            Key(
                name="domain",
                value=SLUG,
                meaning="The JetStream domain of the site's servers, where they are a leaf node of those named here.",
                default="none: the servers are the site's own",
            ),
            Key(
                name="readers",
                value=ListOf(TEXT),
                meaning="Roles of the database that may read this site.",
                default="none",
            ),
        ),
    )


def collect_grammar(folder: Path) -> Section:
    """The whole of `collect.yaml`, whose relative paths start at `folder`."""

    def make(
        *, search: SearchOptions | None = None, language: str | None = None, keep: float | None = None, **centre: Any
    ) -> CollectSettings:
        if keep is not None:
            centre["keep_s"] = keep
        return CollectSettings(centre=CentreOptions(**centre), search=search, language=language)

    return Section(
        of=CollectSettings,
        make=make,
        keys=(
            Key(name="postgres", value=postgres_options(folder), required=True, meaning="The database."),
            Key(
                name="sites",
                value=_Sites(site_section(folder)),
                meaning="The sites. Needed by `blikk collect` alone.",
                default="none",
            ),
            Key(
                name="readers",
                value=ListOf(TEXT),
                meaning="Roles of the database that may read every site.",
                default="none",
            ),
            Key(
                name="keep",
                value=duration(31 * DAY_S, 36_500 * DAY_S),
                meaning="How long records are kept: whole months that are older are removed.",
                default="365d",
            ),
            Key(
                name="search",
                value=search(folder),
                meaning="What compares pictures with words in `blikk search --fleet`, as in `blikk.yaml`.",
                default="labels and colours alone",
            ),
            Key(
                name="language",
                value=SLUG,
                meaning="The language of questions, beside English.",
                default="English alone",
            ),
        ),
    )


def load_collect(path: Path, *, environ: Mapping[str, str]) -> CollectSettings:
    """The settings in a file; raises ConfigErrors with everything that is wrong."""
    settings: CollectSettings = settings_in(path, collect_grammar, environ=environ)
    return settings
