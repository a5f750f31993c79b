"""Intents of our own: who came, whether it rang, who is there now; answered to be spoken, from what was observed.

The sentences are in `languages/`; others may name these intents in custom sentences, with the same slots.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import probatio as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import intent
from homeassistant.util import dt as dt_util

from .contract import Json
from .exposure import ASSIST, ExposedCamera, exposed
from .labels import LABELS
from .names import capital
from .node import BlikkNode
from .past import Past, PastEvent, async_period
from .spoken import PERIODS, Language, language_of, languages, span

ANY = "any"
MAX_EVENTS = 500
_BLINK = timedelta(minutes=1)


async def async_setup_intents(hass: HomeAssistant) -> None:
    """Register the intents."""
    await hass.async_add_executor_job(languages)
    for handler in (VisitsIntent(), RingsIntent(), PresenceIntent()):
        intent.async_register(hass, handler)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked: of which cameras, of what (None: of everything), of which time (None: none was named)."""

    hass: HomeAssistant
    language: Language
    cameras: Sequence[ExposedCamera]
    named: bool
    label: str | None
    period: str | None
    last: bool
    now: datetime

    def say(self, key: str, n: int = 1, **values: str) -> str:
        """A text of the answer."""
        return self.language.say(f"answers.{key}", n, **values)

    def about(self, section: str, n: int = 1, **values: str) -> str:
        """A text that depends on what is asked of."""
        return self.language.say(f"{section}.{self.label or ANY}", n, **values)

    def say_event(self, key: str, past: PastEvent, **values: str) -> str:
        """A text of the answer that is about an event."""
        return self.say(key, 1, moment=self.moment(past.event.started), what=self.what(past), **values)

    @property
    def when(self) -> str:
        """What the period is called."""
        return self.language.when(self.period or "today")

    def moment(self, time: datetime) -> str:
        """A time in words; the day is not said where it was asked about."""
        return self.language.moment(time, self.now - timedelta(days=1) if self.period == "yesterday" else self.now)

    def what(self, past: PastEvent) -> str:
        """What is said of an event: the household's mark, what was written of it, else how many of what, and where.

        What was written is in the household's language, which need not be the one that is spoken; what a template wrote
        says no more than the plain words, but for the place.
        """
        event, summary = past.event, past.summary
        if event.mark:
            return event.mark
        written = language_of(self.hass.config.language) is self.language and summary is not None
        if written and summary and (len(self.cameras) > 1 or summary.source != "template"):
            return summary.title.rstrip(".")
        things = self.language.say(f"things.{event.label}", event.peak or 1) if event.label in LABELS else event.label
        name = next((each.name for each in self.cameras if each.camera.id == past.camera), past.camera)
        return things if len(self.cameras) == 1 else f"{things}, {name}"


class _CameraIntent(intent.IntentHandler):
    """An intent about the cameras that are exposed. `door` means those with a doorbell, where no camera is named."""

    @property
    def slot_schema(self) -> dict[vol.Marker, Any]:
        """What may be narrowed down."""
        return {
            vol.Optional("camera"): cv.string,
            vol.Optional("door"): cv.boolean,
            vol.Optional("label"): vol.In(LABELS),
            vol.Optional("period"): vol.In(PERIODS),
            vol.Optional("last"): cv.boolean,
        }

    async def async_handle(self, intent_obj: intent.Intent) -> intent.IntentResponse:
        """Answer in the language that was asked in, where we have it."""
        slots = {name: slot["value"] for name, slot in self.async_validate_slots(intent_obj.slots).items()}
        hass, language = intent_obj.hass, language_of(intent_obj.language)
        known = exposed(hass, intent_obj.assistant or ASSIST)
        cameras = _chosen(known, slots.get("camera"), door=slots.get("door", False))
        asked = Asked(
            hass=hass,
            language=language,
            cameras=cameras,
            named="camera" in slots,
            label=slots.get("label"),
            period=slots.get("period"),
            last=slots.get("last", False),
            now=dt_util.utcnow(),
        )
        if not known:
            speech = asked.say("not_exposed")
        elif not cameras:
            speech = asked.say("unknown_camera", camera=slots["camera"])
        else:
            speech = await self.async_answer(asked)
        response = intent_obj.create_response()
        response.response_type = intent.IntentResponseType.QUERY_ANSWER
        response.async_set_speech(speech)
        return response

    async def async_answer(self, asked: Asked) -> str:
        """The answer."""
        raise NotImplementedError


class VisitsIntent(_CameraIntent):
    """Who or what came: a number, and the last two."""

    intent_type = "BlikkVisits"
    description = "Tells who or what came to a camera"

    async def async_answer(self, asked: Asked) -> str:
        """Of a period; of today where none was named, and when it was last where nobody came today."""
        if asked.last:
            return await _async_last_visit(asked)
        since, until = span(asked.period or "today", asked.now)
        past, missing = await _async_past(asked, since, until)
        if missing and not past.events:
            return " ".join(missing)
        parts = [*_visits(asked, past, since, until), *_gaps(asked, past, since, until), *missing]
        if not past.events and asked.period is None and not missing:
            last = await _async_last_visit(asked)
            parts += [last] if last != asked.say("none_ever") else []
        return " ".join(parts)


class RingsIntent(_CameraIntent):
    """Whether and when the doorbell rang."""

    intent_type = "BlikkRings"
    description = "Tells whether and when the doorbell rang"

    async def async_answer(self, asked: Asked) -> str:
        """Of a period; of today where none was named, and when it rang last where it did not today."""
        if asked.last:
            return await _async_last_ring(asked)
        since, until = span(asked.period or "today", asked.now)
        past, missing = await _async_past(asked, since, until)
        if past.rings:
            rang = asked.say("rang_when", len(past.rings), when=asked.when, moment=asked.moment(past.rings[0].time))
            return " ".join([rang, *missing])
        if missing:
            return " ".join(missing)
        if _unwatched(asked, past, since, until, [None]):
            return asked.say("unwatched", when=asked.when)
        parts = [asked.say("not_rung", when=asked.when)]
        if asked.period is None:
            last = await _async_last_ring(asked)
            parts += [last] if last != asked.say("never_rung") else []
        return " ".join(parts)


class PresenceIntent(_CameraIntent):
    """Who or what is to be seen now."""

    intent_type = "BlikkPresence"
    description = "Tells who or what a camera sees now"

    async def async_answer(self, asked: Asked) -> str:
        """By camera where there are more than one."""
        seen, blind = {}, []
        for each in asked.cameras:
            now = each.node.camera(each.camera.id)
            if not (each.node.connected and each.node.online and now.online and now.state):
                blind.append(asked.say("unseen", camera=each.name))
                continue
            counts = {label: n for label, n in now.state.counts.items() if n and asked.label in (None, label)}
            if counts:
                things = [asked.language.say(f"things.{x}", n) if x in LABELS else x for x, n in counts.items()]
                seen[each.name] = asked.language.every(things)
        key = "now" if len(asked.cameras) == 1 and not asked.named else "now_at"
        parts = [asked.say(key, camera=camera, what=capital(things)) for camera, things in seen.items()]
        if not seen and len(blind) < len(asked.cameras):
            parts = [asked.about("nothing_now")]
        return " ".join([*parts, *blind])


def _chosen(known: list[ExposedCamera], name: str | None, *, door: bool) -> list[ExposedCamera]:
    if name is not None:
        return [each for each in known if name.casefold() in (other.casefold() for other in each.names)]
    with_bell = [each for each in known if each.camera.ring]
    return with_bell if door and with_bell else known


async def _async_past(
    asked: Asked, since: datetime | None, until: datetime | None, limit: int = MAX_EVENTS
) -> tuple[Past, list[str]]:
    """What the nodes of the cameras report, newest first, and a sentence for each node that does not answer."""
    nodes = {each.node.id: each.node for each in asked.cameras}
    requests: list[tuple[BlikkNode, str | None]] = []
    for node in nodes.values():
        ids: list[str | None] = [each.camera.id for each in asked.cameras if each.node is node]
        everything = set(ids) == {camera.id for camera in node.announce.cameras}
        requests += [(node, camera) for camera in ([None] if everything else ids)]
    period: dict[str, Json] = {
        "label": asked.label,
        "since": since.isoformat() if since else None,
        "until": until.isoformat() if until else None,
        "limit": limit,
    }
    answers = await asyncio.gather(
        *(async_period(node, camera=camera, **period) for node, camera in requests), return_exceptions=True
    )
    missing: dict[str, str] = {}
    found = []
    for (node, _), answer in zip(requests, answers, strict=True):
        if isinstance(answer, HomeAssistantError):
            missing[node.id] = asked.say("away", node=node.announce.name)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found.append(answer)
    return Past.of_all(found), list(missing.values())


def _visits(asked: Asked, past: Past, since: datetime, until: datetime | None) -> Iterator[str]:
    """How many there were, and the last two; how often it rang, where people are asked about."""
    count = len(past.events)
    shown = asked.say("at_least", count) if count >= MAX_EVENTS else ""
    counted = capital(asked.about("counted", count or 1, shown=shown))
    if not count:
        nothing = _unwatched(asked, past, since, until)
        yield asked.say("unwatched", when=asked.when) if nothing else asked.about("none", when=asked.when)
    elif count == 1:
        yield asked.say_event("one", past.events[0], counted=counted, when=asked.when)
    else:
        yield asked.say("counted", counted=counted, when=asked.when)
        yield asked.say_event("last", past.events[0])
        yield asked.say_event("before", past.events[1])
    if past.rings and asked.label in ("person", None):
        yield asked.say("rang", len(past.rings))


def _gaps(asked: Asked, past: Past, since: datetime, until: datetime | None) -> Iterator[str]:
    """What is not known: in one sentence, however many gaps there are."""
    gaps, local = [gap for gap in past.gaps if gap.camera is not None], dt_util.as_local
    if not gaps or (not past.events and _unwatched(asked, past, since, until)):
        return
    if len(gaps) > 1 or len(asked.cameras) > 1:
        yield asked.say("gaps")
    else:
        yield asked.say("gap", since=f"{local(gaps[0].since):%H:%M}", until=f"{local(gaps[0].until):%H:%M}")


def _unwatched(
    asked: Asked, past: Past, since: datetime, until: datetime | None, cameras: Iterable[str | None] | None = None
) -> bool:
    """Whether nothing is known of the whole time, of any of the cameras."""
    end = min(until or asked.now, asked.now)
    whole = {gap.camera for gap in past.gaps if gap.since <= since + _BLINK and gap.until >= end - _BLINK}
    return whole >= set(cameras or (each.camera.id for each in asked.cameras))


async def _async_last_visit(asked: Asked) -> str:
    past, missing = await _async_past(asked, None, None, 1)
    if not past.events:
        return " ".join(missing) or asked.say("none_ever")
    return asked.say_event("only_last", past.events[0])


async def _async_last_ring(asked: Asked) -> str:
    past, missing = await _async_past(asked, None, None, 1)
    if not past.rings:
        return " ".join(missing) or asked.say("never_rung")
    return asked.say("last_ring", moment=asked.moment(past.rings[0].time))
