"""Which language model a provider's name means: ours, or a plug-in's (entry points `blikk.language_models`)."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final, TypeAlias

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import LlmError, quote
from blikk_edge.enrichers.models.llama import LlamaModel
from blikk_edge.enrichers.models.openai_api import OpenAiModel
from blikk_edge.enrichers.models.port import LanguageModel, RefusedError

GROUP: Final = "blikk.language_models"

Factory: TypeAlias = Callable[[Mapping[str, Any], Clock], LanguageModel]
"""Makes a model of its options without touching network or disk for long; raises LlmError for options it cannot use."""

_GIVEN: Final = frozenset({"clock", "ratio"})

_NONE_COUNTS: Final = frozenset({"temperature"})
"""Options for which None is a choice, not the lack of one."""


def language_model(provider: str, options: Mapping[str, Any], clock: Clock) -> LanguageModel:
    """The model that `provider` makes of `options`, of which those that are None are left out but for `temperature`.

    `openai` takes the arguments of `OpenAiModel`, `llama` those of `LlamaModel` with `model` for `path`; a plug-in is
    handed them as they are. Raises RefusedError that says what is unknown, missing or broken.
    """
    given = {name: value for name, value in options.items() if value is not None or name in _NONE_COUNTS}
    factory = BUILT_IN.get(provider)
    if factory is not None:
        return factory(given, clock)
    return _plugged(provider, _plugin(provider), given, clock)


def providers() -> list[str]:
    """The names of all that can make a model, sorted."""
    return sorted({*BUILT_IN, *(entry.name for entry in entry_points(group=GROUP))})


def _openai(options: Mapping[str, Any], clock: Clock) -> LanguageModel:
    return OpenAiModel(clock=clock, **_arguments("openai", OpenAiModel, options))


def _llama(options: Mapping[str, Any], clock: Clock) -> LanguageModel:
    named = {"path" if name == "model" else name: value for name, value in options.items()}
    for name in ("path", "projector"):
        if name in named:
            named[name] = Path(named[name])
    return LlamaModel(clock=clock, **_arguments("llama", LlamaModel, named))


BUILT_IN: Final[Mapping[str, Factory]] = {"openai": _openai, "llama": _llama}


def _arguments(provider: str, of: type, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """`options`, all of which `of` knows and which hold all that it needs."""
    known = {name: one for name, one in inspect.signature(of).parameters.items() if name not in _GIVEN}
    for name in options:
        if name not in known:
            raise RefusedError(f"language model {provider}: there is no option {name!r}{_meant(name, known)}")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in options:
            raise RefusedError(f"language model {provider}: {'model' if name == 'path' else name} is missing")
    return options


def _plugin(provider: str) -> EntryPoint:
    found = {entry.value: entry for entry in entry_points(group=GROUP, name=provider)}
    if not found:
        names = ["template", *providers()]
        raise RefusedError(
            f"language model: there is no provider {quote(provider)!r}{_meant(provider, names)} "
            f"(there is {', '.join(names)}); a plug-in must be installed where blikk is"
        )
    if len(found) > 1:
        raise RefusedError(f"language model {provider}: several plug-ins have this name: {', '.join(sorted(found))}")
    return next(iter(found.values()))


def _plugged(provider: str, entry: EntryPoint, options: Mapping[str, Any], clock: Clock) -> LanguageModel:
    who = f"language model {provider}: its plug-in {entry.value}"
    # whatever stands in the files of others may raise whatever it likes; the node must start without it
    try:
        factory = entry.load()
    except Exception as error:  # noqa: BLE001 - see above
        raise RefusedError(f"{who} cannot be loaded: {_said(error, options)}") from None
    if not callable(factory):
        raise RefusedError(f"{who} is no function that makes a model of options and a clock")
    try:
        model = factory(options, clock)
    except LlmError:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        raise RefusedError(f"{who} made no model: {_said(error, options)}") from None
    lacks = _lacks(model)
    if lacks:
        raise RefusedError(f"{who} made {type(model).__name__}, which lacks {', '.join(lacks)}")
    return model  # type: ignore[no-any-return]


def _lacks(model: object) -> list[str]:
    """What it would need to be a LanguageModel."""
    lacks = [
        f"async {name}()"
        for name in ("complete", "close")
        if not inspect.iscoroutinefunction(getattr(model, name, None))
    ]
    if not isinstance(getattr(model, "name", None), str):
        lacks.append("name: str")
    if not isinstance(getattr(model, "sees", None), bool):
        lacks.append("sees: bool")
    return lacks


def _said(error: Exception, options: Mapping[str, Any]) -> str:
    """What an error says, without any option's value: one of them is a key."""
    said = f"{type(error).__name__}: {error}"
    for value in options.values():
        if isinstance(value, str) and len(value) > 3:
            said = said.replace(value, "***")
    return quote(said)


def _meant(name: str, known: Mapping[str, Any] | list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
