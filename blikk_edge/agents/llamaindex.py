"""Our tools for agents of LlamaIndex: text for the model, records in `raw_output`, errors as text."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from llama_index.core.tools import FunctionTool
from pydantic import ValidationError, validate_call

from blikk_edge.agents.arguments import unusable
from blikk_edge.agents.found import Found
from blikk_edge.agents.tools import Tool
from blikk_edge.core.errors import BlikkError


def tools(ours: Sequence[Tool]) -> list[FunctionTool]:
    """One FunctionTool for each; `ToolOutput.raw_output` is the `Found`, with its Observations and Events."""
    return [
        FunctionTool.from_defaults(
            fn=_sync(tool.call, tool.arguments),
            async_fn=_async(tool.acall, tool.call, tool.arguments),
            name=tool.name,
            description=tool.meaning,
        )
        for tool in ours
    ]


def _sync(call: Callable[..., Found], known: Sequence[str]) -> Callable[..., Found]:
    checked = _checked(call)

    @functools.wraps(call)
    def called(*given: Any, **named: Any) -> Found:
        try:
            return call(**checked(*given, **named))
        except ValidationError as error:
            return Found(text=f"Error: {unusable(error, known)}")
        except BlikkError as error:
            return Found(text=f"Error: {error}")

    return called


def _async(
    acall: Callable[..., Awaitable[Found]], call: Callable[..., Found], known: Sequence[str]
) -> Callable[..., Awaitable[Found]]:
    checked = _checked(call)

    @functools.wraps(call)
    async def called(*given: Any, **named: Any) -> Found:
        try:
            return await acall(**checked(*given, **named))
        except ValidationError as error:
            return Found(text=f"Error: {unusable(error, known)}")
        except BlikkError as error:
            return Found(text=f"Error: {error}")

    return called


def _checked(call: Callable[..., Found]) -> Callable[..., dict[str, Any]]:
    """Its arguments by name, as its annotations want them, which the library does not see to. ValidationError."""
    signature = inspect.signature(call)

    @functools.wraps(call)
    def named(*given: Any, **others: Any) -> dict[str, Any]:
        return dict(signature.bind(*given, **others).arguments)

    return validate_call(named)
