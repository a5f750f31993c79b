"""What becomes of the values of a section: names from ids, defaults that depend on other keys, checks across keys."""

import re
import unicodedata
from dataclasses import replace
from typing import Any

from blikk_edge.config.places import PluggedSource, TwoStreams
from blikk_edge.config.settings import (
    CameraSettings,
    DetectorSettings,
    NodeSettings,
    Settings,
)
from blikk_edge.core.sightings import Label
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.secrets import SourceUrl
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.recording.options import RecordMode
from blikk_edge.sources.address import scheme_of
from blikk_edge.transforms.models.registry import BY_SHA256
from blikk_edge.transforms.models.tflite_kind import TfliteOptions


def node(*, name: str = "", id: str = "") -> NodeSettings:  # noqa: A002  # the key is called that
    """Id and name, of which one may be made from the other."""
    if not name and not id:
        raise Wrong("the node has no name", "Write `node: hallway`.")
    place = id or slug_of(name)
    if not place:
        raise Wrong("no id can be made from this name", "Add `id:` of a-z, 0-9 and _.", "name")
    return NodeSettings(id=place, name=friendly(name or id))


def camera(*, id: str, **values: Any) -> CameraSettings:  # noqa: A002  # the key is called that
    """A camera; its name is made from its id where none is given."""
    source = values.get("source")
    if isinstance(source, TwoStreams):
        if "archive" in values:
            raise Wrong("`archive` stands in `source` already", "Remove one of them.", "archive")
        values |= {"source": source.watch, "archive": source.archive}
        source = source.watch
    if isinstance(source, PluggedSource):
        values |= {"source": source.address, "plugged": source.chosen}
    values |= _events(source, values.pop("onvif", None))
    made = CameraSettings(id=id, **{"name": friendly(id), **values})
    if made.pushed and made.push_token is None:
        raise Wrong("`source: push` without `push_token`", "Add `push_token:`, which the edge client sends.", "source")
    if made.push_token is not None and not made.pushed and not made.by_whip:
        mend = "Write `source: push` or `source: whip`, or remove the token."
        raise Wrong("`push_token` without `source: push`", mend, "push_token")
    if made.rotate and made.pushed:
        raise Wrong("`rotate` with `source: push`", "Turn it where it is taken: `blikk push --rotate`.", "rotate")
    _check_recording(made)
    return made


def _check_recording(camera: CameraSettings) -> None:
    """Whether this camera can be recorded as it says; raises Wrong."""
    record = camera.record
    if record is None or record.mode is RecordMode.OFF:
        if camera.archive is not None and record is None:
            raise Wrong("`archive` without `record`", "Add `record: events`, or remove it.", "archive")
        return
    if camera.archive is None and not camera.packets:
        mend = "Add `archive:` with the address of an RTSP stream of this camera."
        raise Wrong("this source has no stream of H.264 or H.265 that can be recorded", mend, "record")
    if camera.private and not record.redact and not record.private_areas_in_recordings:
        mend = (
            "Add `redact: true`, which paints them in all that leaves this machine, or agree with "
            "`private_areas_in_recordings: yes`."
        )
        raise Wrong("the areas of `private` can be seen in recordings, which are not painted", mend, "record")


def _events(source: object, written: SourceUrl | bool | None) -> dict[str, Any]:
    """Where the camera's own events are asked for: where somebody wrote it, else at an `onvif://` source."""
    if isinstance(written, SourceUrl):
        return {"onvif": written, "onvif_wanted": True}
    if isinstance(source, SourceUrl) and scheme_of(source.reveal()) == "onvif":
        return {} if written is False else {"onvif": source, "onvif_wanted": written is True}
    if written:
        mend = "Write its address: `onvif: onvif://user:password@host`."
        raise Wrong("`onvif: true` without an `onvif://` source", mend, "onvif")
    return {}


def detector(*, kind: Chosen[Any, Any] | None = None, **values: Any) -> DetectorSettings:
    """A detector; thresholds that are not given are the default ones."""
    if "://" in values.get("model", "") and "sha256" not in values:
        raise Wrong(
            "a model from an address without `sha256`", "Add `sha256:`, so that it is known to be the right one."
        )
    if "://" in values.get("model", "") and values["sha256"] not in BY_SHA256 and "decoder" not in values:
        raise Wrong("a model of your own without `decoder`", "Add `decoder:`, which says how its output is read.")
    tflite = TfliteOptions(**{name: values.pop(name) for name in ("threads", "delegate") if name in values})
    if kind is not None and kind.name == "tflite":
        tflite, kind = kind.options, None
    given = {key: value for key, value in values.items() if key != "thresholds"}
    made = DetectorSettings(tflite=tflite, plugged=kind, **given)
    scores = {**dict(made.thresholds), **values.get("thresholds", {})}
    return replace(made, thresholds=tuple((label, scores[label]) for label in Label if label in scores))


def settings(**values: Any) -> Settings:
    """All of it; the default detector is there even where others are described."""
    made = Settings(**values, shares="fleet" in values and "cameras" not in values)
    if made.mqtt is not None:
        made = replace(made, mqtt=replace(made.mqtt, home_assistant=made.home_assistant))
    for camera in made.cameras:
        if camera.concepts and not (made.search and made.search.by_words):
            mend = "Add `search: true`, or name a model there."
            raise Wrong("concepts without a model to compare with", mend, "cameras", camera.id, "concepts")
        own = camera.onvif is not None and camera.ring is not None and camera.ring.onvif
        rings = made.mqtt or made.inputs or own  # an input of a plug-in may ring any doorbell
        if not rings and camera.ring and not camera.ring.http and camera.ring.gpio is None:
            mend = "Add `ring: {http: true}` or `ring: {gpio: 17}`, or name a broker."
            raise Wrong("a doorbell that nothing can ring, as `mqtt` is `false`", mend, "cameras", camera.id, "ring")
    if any(detector.name == DetectorSettings().name for detector in made.detectors):
        return made
    return replace(made, detectors=(DetectorSettings(), *made.detectors))


def slug_of(name: str) -> str:
    """An id for MQTT and Home Assistant: `Küche links` gives `kuche_links`; empty where no letter or digit is left."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:64]


def friendly(name: str) -> str:
    """A name for people: an id like `front_door` gives `Front door`; any other name stays as it is."""
    return name.replace("_", " ").strip().capitalize() or name if re.fullmatch(r"[a-z0-9_]+", name) else name
