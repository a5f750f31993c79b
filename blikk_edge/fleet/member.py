"""What a member of a site says of itself with each heartbeat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blikk_edge.fleet.placing import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A node of a site.

    Attributes:
        place: What it can watch.
        version: That of the cameras that it knows.
        leaving: Whether it is about to stop: it hands its cameras over, and gets none.
    """

    place: Place
    version: int = 0
    leaving: bool = False


def member_content(member: Member, beat: int, *, run: str) -> Mapping[str, Any]:
    """As it is written; `beat` changes with each, `run` names the process and grows with each start."""
    place = member.place
    return {
        "run": run,
        "beat": beat,
        "cameras_max": place.cameras_max,
        "load": round(place.load, 2),
        "near": sorted(place.near),
        "version": member.version,
        "leaving": member.leaving,
    }


def read_member(id: str, content: Mapping[str, Any]) -> Member:  # noqa: A002  # the glossary's word
    """As another member wrote it; one that says nonsense has no room."""
    most, load, near, version = (content.get(key) for key in ("cameras_max", "load", "near", "version"))
    return Member(
        place=Place(
            member=id,
            cameras_max=most if isinstance(most, int) else 0,
            load=load if isinstance(load, int | float) else 0.0,
            near=frozenset(each for each in near if isinstance(each, str)) if isinstance(near, list) else frozenset(),
        ),
        version=version if isinstance(version, int) else 0,
        leaving=content.get("leaving") is True,
    )
