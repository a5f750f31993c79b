"""The keys of a detector, in `blikk.yaml` and in `worker.yaml`."""

from dataclasses import replace
from pathlib import Path
from typing import Final, cast

from blikk_edge.config.build import detector
from blikk_edge.config.places import model_in
from blikk_edge.config.settings import DetectorSettings
from blikk_edge.core.sightings import Label
from blikk_edge.grammar.places import file_in
from blikk_edge.grammar.schema import Key, Section, default_words
from blikk_edge.grammar.values import SHA256, choice, number
from blikk_edge.kinds.chosen import OneKind
from blikk_edge.transforms.kinds import DETECTORS
from blikk_edge.transforms.models.registry import CUSTOM_DECODERS, REGISTRY

_MODELS: Final = tuple(entry.name for entry in REGISTRY.values() if entry.finds_objects)
_DECODERS: Final = choice(CUSTOM_DECODERS)
_SHARE: Final = number(0, 1)


def detector_section(folder: Path) -> Section:
    """What stands below the name of a detector, whose relative paths start at `folder`."""
    tflite = cast("Section", DETECTORS.get("tflite").section(folder))  # ours are
    theirs = (replace(key, default=default_words(tflite.of, key)) for key in tflite.keys)
    thresholds = Section(
        of=dict,
        make=lambda **values: {Label(name): score for name, score in values.items()},
        keys=tuple(
            Key(name=label.value, value=_SHARE, meaning=f"For the label `{label}`.", default=f"`{score:g}`")
            for label, score in DetectorSettings().thresholds
        ),
    )
    return Section(
        of=DetectorSettings,
        make=detector,
        keys=(
            Key(name="model", value=model_in(folder, _MODELS), meaning="The model: one by name, or your own."),
            Key(
                name="sha256", value=SHA256, meaning="What the model file must be; needed where `model` is an address."
            ),
            Key(
                name="labels_file",
                value=file_in(folder),
                meaning="The class names of your own model, one in each line.",
            ),
            Key(name="decoder", value=_DECODERS, meaning="How the output of your own model is read."),
            *theirs,
            Key(name="thresholds", value=thresholds, meaning="How sure it must be, from 0 to 1, by label."),
            Key(
                name="kind",
                value=OneKind(DETECTORS, folder),
                meaning="Another kind of detector, of a plug-in or `opencv`; `model` serves where it cannot be had.",
                default="`tflite`",
            ),
        ),
    )
