"""Our own addresses in Home Assistant: redacted pictures of the past, from their node, and those of events of today."""

from http import HTTPStatus

from aiohttp import web
from homeassistant.config_entries import ConfigEntryState
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView

from .const import DOMAIN
from .media import MediaError, MediaGoneError, MediaTokenError, NodeMedia, is_event_id, is_picture_id
from .node import BlikkConfigEntry
from .pictures import PICTURES, EventPicture

_URL = "/api/blikk/{entry_id}/pictures/{picture_id}"
_CLIP_URL = "/api/blikk/{entry_id}/clips/{event_id}"
_PASSED_ON = ("Content-Type", "Content-Length", "Content-Range", "Accept-Ranges")


def clip_path(entry_id: str, event_id: str) -> str:
    """Where the recording of an event is; whoever has no login needs the path signed."""
    return _CLIP_URL.format(entry_id=entry_id, event_id=event_id)


def picture_path(entry_id: str, picture_id: str) -> str:
    """Where a picture is; whoever has no login needs the path signed."""
    return _URL.format(entry_id=entry_id, picture_id=picture_id)


class PictureView(HomeAssistantView):
    """Passes a picture on; the node's token never leaves Home Assistant."""

    url = _URL
    name = "api:blikk:picture"

    async def get(self, request: web.Request, entry_id: str, picture_id: str) -> web.Response:
        """The JPEG."""
        entry = _entry(request, entry_id, known=is_picture_id(picture_id))
        try:
            picture = await _media(request, entry).async_picture(picture_id)
        except MediaGoneError:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        except MediaTokenError:
            entry.async_start_reauth(request.app[KEY_HASS])
            return web.Response(status=HTTPStatus.BAD_GATEWAY)
        except MediaError:
            return web.Response(status=HTTPStatus.BAD_GATEWAY)
        return _jpeg(picture)


class ClipView(HomeAssistantView):
    """Passes a recording on, part by part; the node's token never leaves Home Assistant."""

    url = _CLIP_URL
    name = "api:blikk:clip"

    async def get(self, request: web.Request, entry_id: str, event_id: str) -> web.StreamResponse:
        """The MP4 file, or what `Range` names of it."""
        entry = _entry(request, entry_id, known=is_event_id(event_id))
        answer = None
        try:
            async with _media(request, entry).async_clip(event_id, request.headers.get("Range")) as clip:
                shown = {name: clip.headers[name] for name in _PASSED_ON if name in clip.headers}
                answer = web.StreamResponse(status=clip.status, headers={**shown, "Cache-Control": "no-store"})
                await answer.prepare(request)
                async for chunk in clip.content.iter_chunked(65536):
                    await answer.write(chunk)
                await answer.write_eof()
        except MediaGoneError:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        except MediaError as error:
            if isinstance(error, MediaTokenError):
                entry.async_start_reauth(request.app[KEY_HASS])
            if answer is not None:  # it has begun: a file that ends early says that something broke
                if request.transport is not None:
                    request.transport.close()
                return answer
            return web.Response(status=HTTPStatus.BAD_GATEWAY)
        return answer


class EventPictureView(HomeAssistantView):
    """The picture of an event or a ring, for notifications: the app on a phone fetches it with its own login."""

    url = "/api/blikk/events/{entry_id}/{camera}/{event}/{name}.jpg"
    name = "api:blikk:event"

    async def get(self, request: web.Request, entry_id: str, camera: str, event: str, name: str) -> web.Response:
        """The JPEG, for a day."""
        wanted = EventPicture(entry_id=entry_id, camera=camera, event=event, name=name)
        picture = await request.app[KEY_HASS].data[PICTURES].async_content(wanted)
        return web.Response(status=HTTPStatus.NOT_FOUND) if picture is None else _jpeg(picture)


def _entry(request: web.Request, entry_id: str, *, known: bool) -> BlikkConfigEntry:
    """The node that an address names, with an id that is `known` for one; raises HTTPException for any other."""
    entry: BlikkConfigEntry | None = request.app[KEY_HASS].config_entries.async_get_entry(entry_id)
    if entry is None or entry.domain != DOMAIN or not known:
        raise web.HTTPNotFound
    if entry.state is not ConfigEntryState.LOADED:
        raise web.HTTPServiceUnavailable
    return entry


def _media(request: web.Request, entry: BlikkConfigEntry) -> NodeMedia:
    return NodeMedia(request.app[KEY_HASS], entry.runtime_data.announce, entry.data)


def _jpeg(picture: bytes) -> web.Response:
    return web.Response(body=picture, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})
