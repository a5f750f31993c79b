"""The dashboard cards and the timeline's page: their JavaScript is served, and loaded by every page of the frontend.

Nothing is written into a dashboard or the list of resources: it is the same where these are kept in YAML, and nothing
is left behind. The address holds a digest of the module, so that a browser that keeps it loads the next version.
It is built from `clients/cards` in the repository.
"""

from hashlib import sha256
from pathlib import Path

from homeassistant.components import frontend, panel_custom
from homeassistant.components.http.server import StaticPathConfig
from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN

FOLDER = Path(__file__).parent / "frontend"
MODULE = "blikk-cards.js"
PANEL = "blikk-timeline"
"""Where the timeline has a page of its own, which is in no sidebar: notifications lead there."""

_MODULE_URL: HassKey[str] = HassKey(f"{DOMAIN}_module_url")


async def async_serve(hass: HomeAssistant) -> None:
    """Serve the module, once for the component."""
    url = f"/{DOMAIN}_cards/{await hass.async_add_executor_job(_digest)}"
    await hass.http.async_register_static_paths([StaticPathConfig(url, str(FOLDER), cache_headers=True)])
    hass.data[_MODULE_URL] = f"{url}/{MODULE}"


async def async_show(hass: HomeAssistant) -> None:
    """Have the frontend load it, where there is one and it does not yet."""
    if frontend.DOMAIN not in hass.config.components or frontend.async_panel_exists(hass, PANEL):
        return
    url = hass.data[_MODULE_URL]
    frontend.add_extra_js_url(hass, url)
    await panel_custom.async_register_panel(hass, PANEL, "blikk-timeline-panel", module_url=url)


@callback
def hide(hass: HomeAssistant) -> None:
    """Load it no more: the last node was removed."""
    if frontend.DOMAIN in hass.config.components:
        frontend.remove_extra_js_url(hass, hass.data[_MODULE_URL])
        frontend.async_remove_panel(hass, PANEL, warn_if_unknown=False)


def _digest() -> str:
    return sha256((FOLDER / MODULE).read_bytes()).hexdigest()[:12]
