"""Our tools for agents of LangChain: text for the model, records in the artifact, errors as text."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import ValidationError

from blikk_edge.agents.arguments import unusable
from blikk_edge.agents.found import Found
from blikk_edge.agents.tools import Tool
from blikk_edge.core.errors import BlikkError


def tools(ours: Sequence[Tool]) -> list[BaseTool]:
    """One StructuredTool for each; `ToolMessage.artifact` is the `Found`, with its Observations and Events."""
    return [
        StructuredTool.from_function(
            _sync(tool.call),
            coroutine=_async(tool.acall, tool.call),
            name=tool.name,
            description=tool.meaning,
            response_format="content_and_artifact",
            handle_tool_error=True,
            handle_validation_error=_bad_arguments,
        )
        for tool in ours
    ]


def _sync(call: Callable[..., Found]) -> Callable[..., tuple[str, Found]]:
    @functools.wraps(call)
    def called(*given: Any, **named: Any) -> tuple[str, Found]:
        try:
            found = call(*given, **named)
        except BlikkError as error:
            raise ToolException(str(error)) from error
        return found.text, found

    return called


def _async(acall: Callable[..., Awaitable[Found]], call: Callable[..., Found]) -> Callable[..., Any]:
    @functools.wraps(call)
    async def called(*given: Any, **named: Any) -> tuple[str, Found]:
        try:
            found = await acall(*given, **named)
        except BlikkError as error:
            raise ToolException(str(error)) from error
        return found.text, found

    called.__signature__ = inspect.signature(call)  # type: ignore[attr-defined]
    return called


def _bad_arguments(error: Any) -> str:
    return unusable(error) if isinstance(error, ValidationError) else "These arguments cannot be used."
