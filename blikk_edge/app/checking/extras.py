"""Packages that are imported only where they are needed, and the language model that is made of one."""

import importlib.util
from collections.abc import Iterator, Mapping
from typing import Final

from blikk_edge.config.settings import CameraSettings, Settings
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import BlikkError, LlmError
from blikk_edge.core.installing import pip_install
from blikk_edge.core.status import SummaryMode
from blikk_edge.grammar.problem import Wrong
from blikk_edge.sources.catalog import kind_of

_OF_SINKS: Final = {
    "redis": (("redis", "redis"),),
    "postgres": (("asyncpg", "postgres"),),
    "zeromq": (("zmq", "zeromq"),),
    "uplink": (("nats", "fleet"),),
}
"""The packages that sinks of ours need, each with its extra."""


def language_model(settings: Settings, _environ: Mapping[str, str], _notes: list[str]) -> Iterator[Wrong]:
    """A provider that is not known, whose package is missing, or whose files are not there."""
    summary = settings.summary
    if summary is None or summary.model is None:
        return
    from blikk_edge.app.writing import sharing
    from blikk_edge.llm.gguf import LlamaOptions
    from blikk_edge.llm.llama import check_gguf
    from blikk_edge.llm.port import ModelContext
    from blikk_edge.llm.shared import SharedOptions

    try:
        clock = SystemClock()
        summary.model.make(ModelContext(clock=clock, share=sharing(settings, clock)))
    except BlikkError as error:
        yield Wrong(str(error), "Until then the template writes.", "summary", "provider")
        return
    options = summary.model.options
    if isinstance(options, SharedOptions):
        options = None if options.own is None else options.own.options
    if not isinstance(options, LlamaOptions):
        return
    for key, path in (("model", options.model), ("projector", options.projector)):
        try:
            if path is not None:
                check_gguf(path)
        except LlmError as error:
            yield Wrong(str(error), "Check the path, or fetch the file again.", "summary", key)
    if summary.mode is SummaryMode.VISION and options.projector is None:
        mend = "Add `projector:`, or write `mode: text`."
        yield Wrong("a model without `projector` sees no pictures", mend, "summary", "mode")


def packages(settings: Settings, _environ: Mapping[str, str], _notes: list[str]) -> Iterator[Wrong]:
    """Packages that are imported only where they are needed."""

    for camera in settings.cameras:
        yield from _of_camera(camera)
    if settings.search is not None and settings.search.by_words:
        yield from _missing("onnxruntime", "clip", "search")
    for section, options, package, extra in (
        ("http", settings.http, "aiohttp", ""),
        ("webhook", settings.webhook, "aiohttp", ""),
        ("traces", settings.traces, "opentelemetry.sdk", "otel"),
        ("fleet", settings.fleet, "nats", "fleet"),
    ):
        if options is not None:
            yield from _missing(package, extra, section)
    for sink in settings.sinks:
        if sink.name == "uplink" and settings.fleet is None:
            yield Wrong("this node belongs to no site", "Add `fleet:` with `site:`.", "sinks", "uplink")
        for package, extra in _OF_SINKS.get(sink.name, ()):
            yield from _missing(package, extra, "sinks", sink.kinds.key(sink.name))


def _of_camera(camera: CameraSettings) -> Iterator[Wrong]:
    if camera.ring is not None and camera.ring.gpio is not None:
        yield from _missing("gpiod", "gpio", "cameras", camera.id, "ring", "gpio")
    if kind_of(camera.source.reveal()) == "onvif":
        yield from _missing("onveef", "onvif", "cameras", camera.id, "source")
    elif camera.onvif is not None:
        yield from _missing("onveef", "onvif", "cameras", camera.id, "onvif")
    if camera.by_whip or (camera.plugged is not None and camera.plugged.name == "whep"):
        yield from _missing("aiortc", "webrtc", "cameras", camera.id, "source")


def _missing(package: str, extra: str, *where: str) -> Iterator[Wrong]:
    if not _installed(package):
        requirement = f"blikk-edge[{extra}]" if extra else package
        yield Wrong(
            f"this needs the package {package}, which is not installed", f"Type: {pip_install(requirement)}", *where
        )


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False
