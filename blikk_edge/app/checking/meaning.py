"""What a configuration says that can never come true, or is taken for something else."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote

from blikk_edge.app.identity import camera_info, topics_of
from blikk_edge.config.settings import DetectorSettings, Settings
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.sightings import Label
from blikk_edge.enrichers.summaries.kind import TEMPLATE
from blikk_edge.grammar.problem import Wrong, listed
from blikk_edge.grammar.secrets import Secret
from blikk_edge.sinks.mqtt.second import SecondMqttOptions
from blikk_edge.transforms.models.labels import label_of, read_labels
from blikk_edge.transforms.models.registry import BY_SHA256, REGISTRY, ModelEntry


def names(settings: Settings, _environ: Mapping[str, str], _notes: list[str]) -> Iterator[Wrong]:
    """Topics and names that would be taken for one another."""
    ours, discovery = topics_of(settings).prefix, settings.home_assistant.prefix
    if ours == discovery or ours.startswith(f"{discovery}/") or discovery.startswith(f"{ours}/"):
        mend = "Leave one of them out: the defaults are `blikk` and `homeassistant`."
        yield Wrong("our topics would stand among those of `home_assistant.prefix`", mend, "mqtt", "prefix")
    for sink in settings.sinks:
        second, mqtt = sink.options, settings.mqtt
        if isinstance(second, SecondMqttOptions) and mqtt and (second.host, second.port) == (mqtt.host, mqtt.port):
            yield Wrong("this is the broker of `mqtt`", "Name another one, or remove it.", "sinks", "mqtt", "host")
    first: dict[str, str] = {}
    for camera in settings.cameras:
        if (other := first.setdefault(camera.name.casefold(), camera.id)) != camera.id:
            mend = "Give each its own: Home Assistant and `ask` know cameras by their names."
            yield Wrong(f"`{other}` has the same name", mend, "cameras", camera.id, "name")


def doubles(settings: Settings, _environ: Mapping[str, str], notes: list[str]) -> Iterator[Wrong]:
    """Cameras that read one source: allowed, and mostly a slip of copying."""
    first: dict[str, str] = {}
    for camera in settings.cameras:
        if (
            camera.plugged is None
            and not camera.pushed
            and not camera.by_whip
            and (other := first.setdefault(camera.source.reveal(), camera.id)) != camera.id
        ):
            notes += [f"{camera.id} and {other} have the same source"]
    return iter(())


_PLACEHOLDER: Final = re.compile(r"\$\{[A-Za-z_]\w*(?:[:?-][^}]*)?\}|\{FRIGATE_\w+\}|\{\{[^}]*\}\}")
"""As Compose, Frigate and templates of Home Assistant have them."""


def placeholders(settings: Settings, _environ: Mapping[str, str], notes: list[str]) -> Iterator[Wrong]:
    """What other programs would fill in, and stands here as it is: mostly a login that is refused."""
    mqtt, summary = settings.mqtt, settings.summary
    key = getattr(summary.model.options, "api_key", None) if summary is not None and summary.model is not None else None
    values: list[tuple[str, object]] = [
        *((f"cameras.{camera.id}.source", camera.source) for camera in settings.cameras if camera.plugged is None),
        *(((f"mqtt.{name}", getattr(mqtt, name)) for name in ("host", "username", "password")) if mqtt else ()),
        ("summary.api_key", key),
    ]
    for where, value in values:
        text = value.reveal() if isinstance(value, Secret) else value
        # in an address it is escaped by now
        if isinstance(text, str) and _PLACEHOLDER.search(unquote(text)):
            notes.append(
                f"{where}: a placeholder in `{{}}` is not filled in; write `!env NAME` or `!secret name` instead"
            )
    return iter(())


def vendors(settings: Settings, _environ: Mapping[str, str], notes: list[str]) -> Iterator[Wrong]:
    """What is known of the vendors of cameras by their addresses: another stream, or a fault."""
    from blikk_edge.sources.vendors.advice import before

    for camera in settings.cameras:
        if camera.plugged is None and not camera.pushed:
            notes += [f"{camera.id}: {said}" for said in before(camera.source.reveal())]
    return iter(())


def labels(settings: Settings, _environ: Mapping[str, str], _notes: list[str]) -> Iterator[Wrong]:
    """Labels that nothing can ever have."""
    for camera in settings.cameras:
        for number, label in enumerate(camera.labels if camera.labels != tuple(Label) else ()):
            if label not in (known := _known_to(settings.detector_of(camera))):
                mend = f"It detects {listed(known)}; name another detector, or remove the label."
                yield Wrong(f"the model cannot detect `{label}`", mend, "cameras", camera.id, "labels", number)
        for zone in camera.zones:
            for number, label in enumerate(zone.labels if zone.labels != tuple(Label) else ()):
                if label not in camera.labels:
                    mend = f"Add it to `labels` of the camera: they are {listed(camera.labels)}."
                    where = ("cameras", camera.id, "zones", zone.name, "labels", number)
                    yield Wrong(f"the camera does not report `{label}`", mend, *where)


def _known_to(detector: DetectorSettings) -> tuple[Label, ...]:
    """What a detector can report; everything, where that is not known."""
    if detector.plugged is not None:
        return tuple(Label)
    try:
        entry = _entry(detector)
        classes = read_labels(detector.labels_file) if detector.labels_file else entry and entry.labels
    except BlikkError:  # reported elsewhere
        classes = None
    found = {label_of(name) for name in classes or ()}
    return tuple(label for label in Label if label in found) if classes else tuple(Label)


def _entry(detector: DetectorSettings) -> ModelEntry | None:
    return REGISTRY.get(detector.model) or BY_SHA256.get(detector.sha256 or "")


def webhook(settings: Settings, _environ: Mapping[str, str], notes: list[str]) -> Iterator[Wrong]:
    """A webhook that gets nothing: answers alone, which is the default, where no camera has questions."""
    options = settings.webhook
    if (
        options is not None
        and set(options.tell) == {"answer"}
        and not any(camera_info(c).questions for c in settings.cameras)
    ):
        notes.append(
            "the webhook will receive nothing: it is sent answers alone, and no camera has `questions`; "
            "for events write `tell: [event]` below `webhook:`"
        )
    return iter(())


def questions(settings: Settings, _environ: Mapping[str, str], _notes: list[str]) -> Iterator[Wrong]:
    """Questions that nobody could answer."""
    if settings.summary is not None and settings.summary.provider != TEMPLATE:
        return
    for camera in settings.cameras:
        for question in camera_info(camera).questions:
            from blikk_edge.enrichers.questions.tracks import understood

            if understood(question, name=camera.name, zones=[zone.name for zone in camera.zones]) is None:
                yield Wrong(
                    "this question takes a language model, and there is none",
                    "Add `summary:` with `provider:` (docs/guide/language-models.md), or ask how many there are of "
                    "what is reported, or whether it is there.",
                    *("cameras", camera.id, "questions", question.id),
                )
