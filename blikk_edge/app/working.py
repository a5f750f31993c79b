"""A worker as its settings say: what it works with, each with a place of its own in the queue of the site."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from typing import Any, Final

from blikk_edge.config.settings import DetectorSettings
from blikk_edge.config.worker import WorkerSettings
from blikk_edge.core.clock import Clock
from blikk_edge.core.stages import Detector
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.look_work import detector_work, embedding_work
from blikk_edge.fleet.metrics_server import metrics_served
from blikk_edge.fleet.model_work import ModelWork
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.work import Work
from blikk_edge.fleet.worker import Worker
from blikk_edge.fleet.worker_figures import worker_families
from blikk_edge.fleet.worker_options import WorkerOptions
from blikk_edge.llm.port import ModelContext
from blikk_edge.web.metrics_page import Families

LOOKS: Final = 2
"""Looks at the same time: while one is looked at, the next is fetched."""


def worked(settings: WorkerSettings, clock: Clock) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
    """What works until an event is set. Opens the models at once; raises ModelError and LlmError."""
    works = tuple(_works(settings, clock))

    async def run(stop: asyncio.Event) -> None:
        names = Names(settings.fleet.site)
        workers: list[Worker[Any]] = []
        for options, work in works:
            link = Link(settings.fleet, name=f"{settings.worker}.{work.kind}")
            workers.append(Worker(options, link, names, work=work, clock=clock))

        async def read() -> Families:
            notes = await asyncio.gather(*(each.note() for each in workers))
            return lambda: worker_families([(note, each.figures) for note, each in zip(notes, workers, strict=True)])

        async with metrics_served(settings.metrics, read, clock=clock), asyncio.TaskGroup() as group:
            for each in workers:
                group.create_task(each.run(stop), name="worker")

    return run


def _works(settings: WorkerSettings, clock: Clock) -> Iterator[tuple[WorkerOptions, Work[Any]]]:
    options = settings.options
    if (chosen := settings.model) is not None:
        model = chosen.chosen.make(ModelContext(clock=clock))
        yield options, ModelWork(model, timeout_s=options.timeout_s, clock=clock)
    looks = replace(options, concurrency=LOOKS)
    if settings.embedding is not None:
        from blikk_edge.app.search_model import opened  # noqa: PLC0415  # only a worker that looks needs it
        from blikk_edge.app.vision_models import model_folders  # noqa: PLC0415
        from blikk_edge.transforms.embedding.shared import ServedTowers  # noqa: PLC0415

        yield looks, embedding_work(ServedTowers(opened(settings.embedding, model_folders(None))))
    if settings.detector is not None:
        from blikk_edge.transforms.embedding.shared import ServedDetector  # noqa: PLC0415  # as above

        yield looks, detector_work(ServedDetector(_detector(settings.detector)))


def _detector(chosen: DetectorSettings) -> Detector:
    from blikk_edge.app.vision_models import model_folders  # noqa: PLC0415  # as above
    from blikk_edge.transforms.kinds import DETECTORS, DetectorContext  # noqa: PLC0415
    from blikk_edge.transforms.models.folders import resolve  # noqa: PLC0415

    thresholds = dict(chosen.thresholds)
    if chosen.plugged is not None:
        return chosen.plugged.make(DetectorContext(thresholds=thresholds))
    model = resolve(
        chosen.model,
        model_folders=model_folders(None),
        sha256=chosen.sha256,
        labels_file=chosen.labels_file,
        decoder=chosen.decoder,
    )
    return DETECTORS.get("tflite").make(chosen.tflite, DetectorContext(thresholds=thresholds, model=model))
