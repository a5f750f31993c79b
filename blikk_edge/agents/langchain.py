"""Our tools for agents of LangChain: text for the model, records in the artifact, errors as text."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, ConfigDict, ValidationError

from blikk_edge.agents.arguments import no_such, unusable
from blikk_edge.agents.found import Found
from blikk_edge.agents.tools import Tool
from blikk_edge.core.errors import BlikkError


def tools(ours: Sequence[Tool]) -> list[BaseTool]:
    """One StructuredTool for each; `ToolMessage.artifact` is the `Found`, with its Observations and Events."""
    return [_made(tool) for tool in ours]


class _Strict(StructuredTool):
    """One that looks at its arguments, even where it has none."""

    def _to_args_and_kwargs(
        self, tool_input: str | dict[str, Any], tool_call_id: str | None
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        if not self.args and isinstance(tool_input, dict) and tool_input:
            raise ToolException(f"These arguments cannot be used: {no_such(next(iter(tool_input)), ())}")
        return super()._to_args_and_kwargs(tool_input, tool_call_id)


def _made(tool: Tool) -> StructuredTool:
    made = _Strict.from_function(
        _sync(tool.call),
        coroutine=_async(tool.acall, tool.call),
        name=tool.name,
        description=tool.meaning,
        response_format="content_and_artifact",
        handle_tool_error=True,
        handle_validation_error=functools.partial(_bad_arguments, tool.arguments),
    )
    schema = made.args_schema
    assert isinstance(schema, type)
    assert issubclass(schema, BaseModel)
    # What the library makes of a function drops arguments that it does not know; the schema that models get stays.
    strict = ConfigDict(extra="forbid", json_schema_extra=lambda shown: shown.pop("additionalProperties", None))
    made.args_schema = type(schema.__name__, (schema,), {"model_config": strict, "__doc__": schema.__doc__})
    return made


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


def _bad_arguments(known: tuple[str, ...], error: Any) -> str:
    return unusable(error, known) if isinstance(error, ValidationError) else "These arguments cannot be used."
