"""Our own addresses in Home Assistant: a redacted picture of the past, from its node, and one that was shown lately."""

from http import HTTPStatus

from aiohttp import web
from homeassistant.components.image.const import DATA_COMPONENT
from homeassistant.config_entries import ConfigEntryState
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView

from .const import DOMAIN
from .image import LastPicture
from .media import MediaError, MediaGoneError, MediaTokenError, NodeMedia, is_picture_id
from .node import BlikkConfigEntry

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


class ShownView(HomeAssistantView):
    """A picture that an image entity shows or showed lately, for a notification: what it shows never changes."""

    url = "/api/blikk/images/{entity_id}/{time}.jpg"
    name = "api:blikk:image"

    async def get(self, request: web.Request, entity_id: str, time: str) -> web.Response:
        """The JPEG; `time` is the state that the entity had, as a timestamp."""
        component = request.app[KEY_HASS].data.get(DATA_COMPONENT)
        entity = component.get_entity(entity_id) if component else None
        try:
            picture = entity.shown_at(float(time)) if isinstance(entity, LastPicture) else None
        except ValueError:
            picture = None
        return web.Response(status=HTTPStatus.NOT_FOUND) if picture is None else _jpeg(picture)


def _jpeg(picture: bytes) -> web.Response:
    return web.Response(body=picture, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})
