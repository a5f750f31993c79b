"""Our own addresses in Home Assistant: redacted pictures of the past, from their node, and those of events of today."""

from http import HTTPStatus

from aiohttp import web
from homeassistant.config_entries import ConfigEntryState
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView

from .const import DOMAIN
from .media import MediaError, MediaGoneError, MediaTokenError, NodeMedia, is_picture_id
from .node import BlikkConfigEntry
from .pictures import PICTURES, EventPicture

_URL = "/api/blikk/{entry_id}/pictures/{picture_id}"


def picture_path(entry_id: str, picture_id: str) -> str:
    """Where a picture is; whoever has no login needs the path signed."""
    return _URL.format(entry_id=entry_id, picture_id=picture_id)


class PictureView(HomeAssistantView):
    """Passes a picture on; the node's token never leaves Home Assistant."""

    url = _URL
    name = "api:blikk:picture"

    async def get(self, request: web.Request, entry_id: str, picture_id: str) -> web.Response:
        """The JPEG."""
        hass = request.app[KEY_HASS]
        entry: BlikkConfigEntry | None = hass.config_entries.async_get_entry(entry_id)
        if entry is None or entry.domain != DOMAIN or not is_picture_id(picture_id):
            return web.Response(status=HTTPStatus.NOT_FOUND)
        if entry.state is not ConfigEntryState.LOADED:
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            picture = await NodeMedia(hass, entry.runtime_data.announce, entry.data).async_picture(picture_id)
        except MediaGoneError:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        except MediaTokenError:
            entry.async_start_reauth(hass)
            return web.Response(status=HTTPStatus.BAD_GATEWAY)
        except MediaError:
            return web.Response(status=HTTPStatus.BAD_GATEWAY)
        return _jpeg(picture)


class EventPictureView(HomeAssistantView):
    """The picture of an event or a ring, for notifications: the app on a phone fetches it with its own login."""

    url = "/api/blikk/events/{entry_id}/{camera}/{event}/{name}.jpg"
    name = "api:blikk:event"

    async def get(self, request: web.Request, entry_id: str, camera: str, event: str, name: str) -> web.Response:
        """The JPEG, for a day."""
        wanted = EventPicture(entry_id=entry_id, camera=camera, event=event, name=name)
        picture = await request.app[KEY_HASS].data[PICTURES].async_content(wanted)
        return web.Response(status=HTTPStatus.NOT_FOUND) if picture is None else _jpeg(picture)


def _jpeg(picture: bytes) -> web.Response:
    return web.Response(body=picture, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})
