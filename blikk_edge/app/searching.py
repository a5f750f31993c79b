"""`blikk search`: from the store where no node has it, else from the node that does."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from blikk_edge.app.asking import asked_of_node, opened_store
from blikk_edge.app.identity import camera_info, household_locale, store_path
from blikk_edge.app.parts import album_of
from blikk_edge.app.search_model import at_hand
from blikk_edge.app.vision_models import model_folders
from blikk_edge.asking.phrase import Phrase
from blikk_edge.asking.question_service import QuestionService
from blikk_edge.asking.times import Wall, take_times
from blikk_edge.config.settings import Settings
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import ConfigError, StoreError, WireError
from blikk_edge.core.inquiry import Search
from blikk_edge.core.locale import Locale
from blikk_edge.language.reading import english, reading
from blikk_edge.store.store import Store
from blikk_edge.wire.inquiries import read_request, reply_content
from blikk_edge.wire.values import JsonObject

_BACK: Final = re.compile(r"(\d{1,5}) ?(min|h|d|w)")
_UNIT_S: Final = {"min": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is searched for, as it was typed.

    Attributes:
        query: The words.
        camera: The id of the one that is searched; None: all.
        since: ISO 8601, `3h`, or words such as `yesterday`, whose beginning is meant; None does not restrict.
        until: Likewise.
        limit: How many at most.
    """

    query: str
    camera: str | None
    since: str | None
    until: str | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The reply, and where its pictures lie on this machine.

    Attributes:
        reply: As on MQTT.
        paths: The file of each picture that is here, by its id.
    """

    reply: JsonObject
    paths: Mapping[str, Path]


def search(settings: Settings, asked: Asked, *, environ: Mapping[str, str]) -> Answered:
    """Search. Raises BlikkError: nothing is searched here, bad words or times, unknown camera, no store and no node."""
    if settings.search is None:
        raise ConfigError(
            "nothing can be searched for on this node; add `search: true` to its configuration, or `search: colours`, "
            "which needs no model"
        )
    cameras = tuple(camera_info(each) for each in settings.cameras)
    path, clock = store_path(settings, environ), SystemClock()
    store = opened_store(path)
    locale = household_locale(settings, Store(path), clock)() if isinstance(store, StoreError) else None
    if isinstance(store, StoreError):
        request = request_of(asked, [each.id for each in cameras], locale or Locale(), clock.now())
        return _answered(settings, path, asked_of_node(settings, request, path, store))
    try:
        now = household_locale(settings, store, clock)
        request = request_of(asked, [each.id for each in cameras], now(), clock.now())
        tower = at_hand(settings.search, model_folders(settings))
        service = QuestionService(
            history=store,
            cameras=cameras,
            clock=clock,
            locale=now,
            searched=True,
            tower=lambda: tower,
            album=album_of(settings, store, clock, now),
        )
        return _answered(settings, path, reply_content(asyncio.run(service.answer(request))))
    finally:
        store.close()


def request_of(asked: Asked, cameras: Sequence[str], locale: Locale, now: float) -> Search:
    """The request, of words and times as they were typed, at one of `cameras`. Raises WireError."""
    content: JsonObject = {
        "do": "search",
        "query": asked.query,
        "camera": asked.camera,
        "since": _moment(asked.since, "since", locale, now),
        "until": _moment(asked.until, "until", locale, now),
        "limit": asked.limit,
    }
    request = read_request(content, cameras, locale.timezone)
    assert isinstance(request, Search)
    return request


def _moment(text: str | None, name: str, locale: Locale, now: float) -> float | None:
    """The moment of a time as it is typed, seconds since 1970 UTC; raises WireError."""
    if text is None:
        return None
    if back := _BACK.fullmatch(text.strip().lower()):
        return max(0.0, now - int(back[1]) * _UNIT_S[back[2]])
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=locale.timezone)).timestamp()
    except (ValueError, OverflowError):
        pass
    for rules in filter(None, (reading(locale.language), english())):
        phrase = Phrase(text, rules)
        span = take_times(phrase, now, Wall(locale.timezone))
        if span is not None and span.since is not None and not set(phrase.words) - rules.filler:
            return span.since
    raise WireError(
        f"`{name}` is no time; write 2026-11-21T08:00, 2026-11-21, 3h, 2d, yesterday, this morning or monday"
    )


def _answered(settings: Settings, store: Path, reply: JsonObject) -> Answered:
    album = album_of(settings, Store(store), SystemClock())
    found = reply.get("found")
    names = (
        [name for each in found if isinstance(each, dict) for name in _texts(each.get("pictures"))]
        if isinstance(found, list)
        else []
    )
    paths = {name: path for name in names if album is not None and (path := album.path(name)) is not None}
    return Answered(reply=reply, paths={name: path for name, path in paths.items() if path.is_file()})


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
