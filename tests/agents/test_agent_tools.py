"""Tools for LangChain and LlamaIndex, used by fake models through the real frameworks, on a real clip."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool
from patience import PATIENCE

from blikk_edge import Stream
from blikk_edge.agents.found import Found
from blikk_edge.core.errors import ConfigError
from blikk_edge.core.observation import Event, Observed, Phase
from blikk_edge.core.summary import Summary

CLIP = "video/intel_sample/one-by-one-person-detection.mp4"
QUESTION = "number of people entering the room in the last 10 seconds"

Make = Callable[..., Stream]


class FakeModel(BaseChatModel):
    """Calls `count` with the seconds of the question, and repeats what the tool says."""

    tools: list[Any] = []  # noqa: RUF012 - a field of pydantic

    @property
    def _llm_type(self) -> str:
        return "fake"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return FakeModel(tools=list(tools))

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        last = messages[-1]
        if isinstance(last, ToolMessage):
            answer = AIMessage(str(last.content))
        else:
            assert "count" in [tool.name for tool in self.tools]
            found = re.search(r"last (\d+) seconds", str(last.content))
            assert found is not None
            arguments = {"label": "person", "last_seconds": int(found[1])}
            answer = AIMessage("", tool_calls=[{"name": "count", "args": arguments, "id": "1"}])
        return ChatResult(generations=[ChatGeneration(message=answer)])


def agent(tools: list[BaseTool], question: str) -> tuple[str, list[ToolMessage]]:
    """What an agent does: ask the model, run the tools that it calls, until it answers."""
    model, by_name = FakeModel().bind_tools(tools), {tool.name: tool for tool in tools}
    messages: list[BaseMessage] = [HumanMessage(question)]
    while (answer := model.invoke(messages)).tool_calls:
        messages += [answer, *(by_name[call["name"]].invoke(call) for call in answer.tool_calls)]
    return str(answer.content), [message for message in messages if isinstance(message, ToolMessage)]


def test_people_who_enter_are_counted_as_they_enter(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
    from llama_index.core.llms.mock import MockFunctionCallingLLM

    calls = [ToolCallBlock(tool_name="count", tool_kwargs={"label": "person", "last_seconds": 10})]
    llama = MockFunctionCallingLLM(response_generator=lambda *_, **__: ChatMessage(role="assistant", blocks=calls))
    monkeypatch.setenv("BLIKK_MODELS", str(data / "models"))
    answers, others, artifacts, there = [], [], [], []
    with Stream(data / CLIP, models={"offline": True}, fps=2.5) as stream:
        tools, of_llama = stream.tools("langchain"), stream.tools("llamaindex")
        for observation in stream.subscribe(["appeared", "left"], labels="person"):
            there.append((observation.kind.value, "1 person" in stream.now()))
            answer, used = agent(tools, QUESTION)
            others.append(str(llama.predict_and_call(of_llama, user_msg=QUESTION)))
            answers.append((observation.kind.value, stream.time - observation.time, answer))
            artifacts += [message.artifact for message in used]
        within = agent(tools, "number of people entering the room in the last 1000 seconds")[0]
        asked = {tool.name: tool for tool in tools}["ask"].invoke(
            {"question": "how many people came in the last hour?"}
        )
        texts = list(stream.subscribe(["event", "summary"]))
    ended = {each.id for each in texts if isinstance(each, Event) and each.phase is Phase.ENDED}
    assert len(ended) == 6
    assert {each.event for each in texts if isinstance(each, Summary) and each.revision == 2} == ended
    assert set(there) == {("appeared", True), ("left", False)}
    assert {late for _, late, _ in answers} == {0.0}  # the file waits while the agent thinks
    # 12 s and longer lie between coming and going, and 2 s and longer between one who goes and the next
    assert [answer for kind, _, answer in answers if kind == "appeared"] == ["1 person came in the last 10 s"] * 6
    assert [answer for kind, _, answer in answers if kind == "left"] == ["0 person came in the last 10 s"] * 6
    assert others == [answer for *_, answer in answers]
    assert within == "6 person came in the last 1000 s"
    assert asked.startswith("Six people")
    assert all(isinstance(found, Found) for found in artifacts)
    assert [found.observations[0].kind for found in artifacts if found.count] == [Observed.APPEARED] * 6


def test_every_tool_answers_and_every_mistake_comes_back_as_text(plain: Make, squares: Path) -> None:
    with plain(squares) as stream:
        chain = {tool.name: tool for tool in stream.tools("langchain")}
        index = {tool.metadata.name: tool for tool in stream.tools("llamaindex")}
        assert list(chain) == list(index) == ["watch", "now", "search", "count", "ask"]

        def called(name: str, **arguments: Any) -> ToolMessage:
            return chain[name].invoke({"type": "tool_call", "id": "1", "name": name, "args": arguments})

        watched = called("watch", seconds=60)
        assert str(watched.content).splitlines()[0].endswith(" motion")
        assert watched.artifact.observations[0].kind is Observed.MOTION
        assert str(called("count").content) == "0 person came in the last 10 s"
        assert called("now").content == stream.now()
        assert called("search", last_seconds=100).content == "no event found"
        assert "No" in str(called("ask", question="Did anybody come today?").content)
        for name, arguments, said in (
            ("count", {"label": "persn"}, "label is none of 'person', 'vehicle', 'animal' or 'package'; for example"),
            ("count", {"last_seconds": -1}, "must be above 0"),
            ("watch", {"seconds": 1e9}, "at most 60"),
            ("search", {"looks_like": "red car"}, "add `search: true`"),
            ("watch", {"seconds": "soon"}, 'seconds is no number; for example {"seconds": 10}'),
            ("search", {"looks_like": "red car", "label": "person"}, "looks_like goes without label"),
            ("search", {"before": "yesterday"}, "before is no time: write ISO 8601, for example 2026-11-21T08:15:07"),
            ("search", {"limit": 2.5}, 'limit is no whole number; for example {"limit": 20}'),
            ("ask", {}, 'question is missing; for example {"question": "How many people came this morning?"}'),
            ("ask", {"question": None}, "question is no text"),
            ("count", {"last_seconds": None}, "last_seconds is no number"),
            ("count", {"last_minutes": 5}, "there is no argument 'last_minutes'; there is label, last_seconds, zone"),
            ("now", {"weather": "fine"}, "there is no argument 'weather'; there is none"),
        ):
            wrong = called(name, **arguments)
            assert (wrong.status, said in str(wrong.content)) == ("error", True), wrong
            assert said in str(index[name].call(**arguments)), (name, arguments)
            assert "pydantic" not in str(wrong.content)
    assert "stream is closed" in str(called("now").content)
    assert "stream is closed" in str(index["now"].call())


async def test_tools_are_coroutines_too(plain: Make, squares: Path) -> None:
    async with plain(squares) as stream:
        chain = {tool.name: tool for tool in stream.tools("langchain")}
        index = {tool.metadata.name: tool for tool in stream.tools("llamaindex")}
        assert "motion" in await chain["watch"].ainvoke({"seconds": 30})
        assert "0 animal came" in await chain["count"].ainvoke({"label": "animal"})
        assert (await index["count"].acall(label="animal")).raw_output.count == 0
        assert isinstance((await index["watch"].acall(seconds=30)).raw_output, Found)
        assert "seconds is no number" in str(await index["watch"].acall(seconds="soon"))
        assert "question is missing" in str(await index["ask"].acall())


def test_a_framework_that_is_missing_or_unknown_is_an_error_that_says_what_to_do(plain: Make, squares: Path) -> None:
    with plain(squares) as stream:
        with pytest.raises(ConfigError, match="did you mean 'langchain'"):
            stream.tools("langchian")
        with pytest.raises(ConfigError, match="use 'langchain' or 'llamaindex'"):
            stream.tools("crew")
    program = (
        "import sys; sys.modules['langchain_core'] = None\n"
        "from blikk_edge.agents.frameworks import framework_of\n"
        "try: framework_of('langchain')\n"
        "except Exception as error: print(error)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60 * PATIENCE
    )
    assert "pip install 'blikk-edge[langchain]'" in ran.stdout
