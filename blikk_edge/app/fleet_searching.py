"""`blikk search --fleet`: what all sites saw, from the centre's database."""

import asyncio
from dataclasses import replace
from typing import Final

from blikk_edge.app.search_model import at_hand
from blikk_edge.app.searching import Asked, request_of
from blikk_edge.app.vision_models import model_folders
from blikk_edge.asking.searching import PICTURES_MAX, search
from blikk_edge.config.collect import CollectSettings
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SinkError, StoreError, some_of
from blikk_edge.core.inquiry import Found, Reply, Search, refusal
from blikk_edge.core.locale import Locale
from blikk_edge.fleet.centre.looks import SEP, FleetLooks, nearest_of
from blikk_edge.fleet.centre.past import SitesPast
from blikk_edge.language.reading import english, reading
from blikk_edge.transforms.embedding.towers import Towers
from blikk_edge.wire.inquiries import reply_content
from blikk_edge.wire.values import Json, JsonObject

NAMED: Final = 20
"""Of so many sites or cameras the names are said."""


def search_fleet(settings: CollectSettings, asked: Asked, *, site: str | None = None) -> JsonObject:
    """The reply, as on MQTT, with the `site` of everything. Raises BlikkError for bad words or times, no database."""
    locale = Locale(language=settings.language or "en")
    cameras = [] if asked.camera is None else [asked.camera]
    request = request_of(asked, cameras, locale, SystemClock().now())
    return with_sites(reply_content(asyncio.run(_search(settings, request, locale, site))))


async def _search(settings: CollectSettings, request: Search, locale: Locale, site: str | None) -> Reply:
    looks = FleetLooks(settings.centre.postgres, site=site)
    try:
        await looks.open()
        tower = at_hand(settings.search, model_folders(None))
        reply = await asyncio.to_thread(_look, looks, request, locale, tower)
        unknown = None if reply.found or not reply.ok else await _unknown(settings, site, request.camera)
        return reply if unknown is None else refusal(unknown)
    except SinkError as error:
        raise StoreError(str(error)) from error
    finally:
        await looks.close()


async def _unknown(settings: CollectSettings, site: str | None, camera: str | None) -> str | None:
    """In a sentence that no such site or camera left records, as far as this user may see; None where one did."""
    past = SitesPast(settings.centre.postgres)
    past.attach()
    try:
        sites = await asyncio.to_thread(past.sites)
        if site is not None and site not in sites:
            return f"no site {site[:40]!r} left records; those that did are {some_of(sites, NAMED) or 'none'}"
        of = sites if site is None else [site]
        cameras = [each for one in of for each in await asyncio.to_thread(past.cameras, one)]
        names = {*cameras, *(each.partition(SEP)[2] for each in cameras)}
        if camera is not None and camera not in names:
            return f"no camera {camera[:40]!r} left records; those that did are {some_of(cameras, NAMED) or 'none'}"
    except StoreError:
        return None  # what was found says enough
    finally:
        await past.close()
    return None


def _look(looks: FleetLooks, request: Search, locale: Locale, tower: Towers | None) -> Reply:
    readings = [rules for rules in (reading(locale.language), english()) if rules is not None]
    try:
        reply = search(request, history=looks, readings=readings, tower=tower, embeddings=nearest_of(looks))
        found = tuple(_with_pictures(each, looks) for each in reply.found or ())
    except StoreError as error:
        return refusal(error)
    names = dict.fromkeys(each.what.event for each in reply.found or () if each.what.event is not None)
    events = [event for name in names if (event := looks.event(name)) is not None]
    return replace(reply, found=found, events=tuple(looks.with_text(event) for event in events))


def _with_pictures(found: Found, looks: FleetLooks) -> Found:
    event, time = found.what.event, found.what.time
    return found if event is None else replace(found, pictures=looks.pictures(event, time, PICTURES_MAX))


def with_sites(reply: JsonObject) -> JsonObject:
    """The reply with a `site` beside each camera, and ids as the sites know them."""
    return {
        name: [_apart(each) for each in value] if isinstance(value, list) else value for name, value in reply.items()
    }


def _apart(entry: Json) -> Json:
    if not isinstance(entry, dict) or SEP not in str(entry.get("camera")):
        return entry
    site = str(entry["camera"]).partition(SEP)[0]
    made: JsonObject = {"site": site}
    for name, value in entry.items():
        if name in {"camera", "event", "id"} and isinstance(value, str):
            made[name] = value.removeprefix(f"{site}{SEP}")
        else:
            made[name] = _apart(value) if isinstance(value, dict) else value
    return made
