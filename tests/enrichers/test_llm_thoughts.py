"""A model that thinks aloud, drafts, or wraps its answer: the last object that fits is the answer."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_asking import model_at, prompt
from llm_server import LlmServer, Say

from blikk_edge.asking.model import worded
from blikk_edge.core.errors import LlmError
from blikk_edge.core.summary import AnswerKind
from blikk_edge.enrichers.questions.prompt import reply_from_json
from blikk_edge.enrichers.summaries.note import SCHEMA, note_from_json
from blikk_edge.language.language import language
from blikk_edge.llm.answer_object import object_in, whole_object
from blikk_edge.llm.form import fits
from blikk_edge.llm.port import GarbledError

GOOD = '{"title": "A person came", "text": "One person came at 08:15.", "importance": "low"}'
DRAFT = '{"title": "A ghost", "text": "Maybe a ghost.", "importance": "high"}'
PLACEHOLDER = '{"title": "...", "text": "...", "importance": "low"}'
PARTIAL = '{"title": "A ghost"}'

MARKS = {
    "think": ("<think>", "</think>"),
    "thought": ("<thought>", "</thought>"),
    "thoughts": ("<thoughts>", "</thoughts>"),
    "thinking": ("<thinking>", "</thinking>"),
    "Thinking": ("<Thinking>", "</Thinking>"),
    "reasoning": ("<reasoning>", "</reasoning>"),
    "reflection": ("<reflection>", "</reflection>"),
    "scratchpad": ("<scratchpad>", "</scratchpad>"),
    "inner monologue": ("<inner_monologue>", "</inner_monologue>"),
    "with an attribute": ('<think duration="3">', "</think>"),
    "of a family": ("<seed:think>", "</seed:think>"),
    "another family": ("<longcat_think>", "</longcat_think>"),
    "brackets": ("[THINK]", "[/THINK]"),
    "triangles": ("◁think▷", "◁/think▷"),
    "bars": ("<|begin_of_thought|>", "<|end_of_thought|>"),
    "more bars": ("<|START_THINKING|>", "<|END_THINKING|>"),
    "a process": ("<thought_process>", "</thought_process>"),
    "steps": ("<reasoning_step>", "</reasoning_step>"),
    "one word": ("<antThinking>", "</antThinking>"),
    "wide bars": ("<｜think｜>", "</｜think｜>"),
    "an end of its own": ("<thinking_start>", "<thinking_end>"),
    "bars on one side": ("<|channel>thought\n", "<channel|>"),
    "details": ('<details type="reasoning" done="true">', "</details>"),
    "unused": ("<unused94>thought\n", "<unused95>"),
    "channels": ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
}


@pytest.mark.parametrize("draft", [DRAFT, PLACEHOLDER, PARTIAL, "no object", "{ code { of } all", DRAFT + PLACEHOLDER])
@pytest.mark.parametrize(("begin", "end"), MARKS.values(), ids=MARKS)
def test_what_stands_between_the_marks_of_thoughts_is_not_the_answer(begin: str, end: str, draft: str) -> None:
    assert object_in(f"{begin}\nPerhaps {draft}, or not.\n{end}\n\n{GOOD}", SCHEMA) == GOOD
    assert object_in(f"{begin}\nPerhaps {draft}, or not.\n{end}\n```json\n{GOOD}\n```", SCHEMA) == GOOD


@pytest.mark.parametrize(("begin", "end"), MARKS.values(), ids=MARKS)
def test_thoughts_without_an_answer_are_none(begin: str, end: str) -> None:
    assert object_in(f"{begin}{DRAFT}{end}", SCHEMA) is None
    assert object_in(f"{begin}{DRAFT}{end}  I am done.", SCHEMA) is None


@pytest.mark.parametrize(("begin", "end"), [m for n, m in MARKS.items() if n != "channels"])
def test_thoughts_after_the_answer_change_nothing(begin: str, end: str) -> None:
    assert object_in(f"{GOOD}\n{begin}Was that right? {DRAFT}{end}", SCHEMA) == GOOD
    assert object_in(f"{GOOD}\n{begin}Was that right? {DRAFT}", SCHEMA) == GOOD


@pytest.mark.parametrize(("begin", "end"), [m for n, m in MARKS.items() if n != "channels"])
def test_a_mark_without_its_other_half(begin: str, end: str) -> None:
    assert object_in(f"Perhaps {DRAFT} {end} {GOOD}", SCHEMA) == GOOD  # the beginning stood in the template
    assert object_in(f"{begin} Perhaps {DRAFT}, or rather {GOOD}", SCHEMA) == GOOD  # never closed


@pytest.mark.parametrize("tag", ["answer", "final_response", "reasoned_answer", "json", "output"])
def test_what_is_marked_as_the_answer_is_the_answer(tag: str) -> None:
    assert object_in(f"<think>{DRAFT}</think><{tag}>{GOOD}</{tag}>", SCHEMA) == GOOD


ANY: Final = {"type": "object", "required": ["a"]}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('{"a": "yes",}', {"a": "yes"}),
        ('{"a": ["x", "y",\n], "b": {"c": 1,},\n}', {"a": ["x", "y"], "b": {"c": 1}}),
        ('{"a": "one,} and [two,] and \\",}",}', {"a": 'one,} and [two,] and ",}'}),
        ('He is 6" tall, is he?\n```json\n{"a": "x",}\n```\nThat, {well,} is it', {"a": "x"}),
        ('{"a": {"a": 1,}, "b": [{"c": 2,},]}', {"a": {"a": 1}, "b": [{"c": 2}]}),
    ],
)
def test_a_last_comma_in_an_object_or_list_is_read_and_left_out(written: str, value: object) -> None:
    for text in (written, f"```json\n{written}\n```", f"Here you are:\n\n```\n{written}\n```\nAnything else?"):
        found = object_in(text, ANY)
        assert found is not None
        assert json.loads(found) == value


@pytest.mark.parametrize("written", ['{"a": 1,,}', "{,}", '{"a": [,]}', '{"a":,}', '{"a" 1,}', '{"a": 1,'])
def test_commas_that_could_stand_for_something_are_not_left_out(written: str) -> None:
    assert object_in(written, ANY) is None
    assert whole_object(written, ANY) is None


def test_raw_line_breaks_in_a_string_are_read_and_given_as_json_has_them() -> None:
    broken = GOOD.replace("One person", "One\nperson")
    for written in (broken, f"```json\n{broken}\n```", f'{{"a": {broken}}}'):
        found = object_in(written, SCHEMA)
        assert found is not None
        assert json.loads(found)["text"] == "One\nperson came at 08:15."


WRITTEN: dict[str, str] = {
    "alone": GOOD,
    "spaces": f"\n\n {GOOD}\n",
    "small talk": f"Here it is: {GOOD} I hope it helps.",
    "fence": f"```\n{GOOD}\n```",
    "fence with a name": f"Sure!\n```json\n{GOOD}\n```\nAnything else?",
    "fence that is not closed": f"```json\n{GOOD}",
    "a placeholder first": f"The form is {PLACEHOLDER}. {GOOD}",
    "a placeholder last": f"{GOOD} (the form was {PLACEHOLDER})",
    "two": f"{DRAFT}\n{GOOD}",
    "a draft, then code": f"{DRAFT} {GOOD} {{x for x in y}}",
    "another object last": f'{GOOD}\n{{"confidence": 0.9}}',
    "the schema first": json.dumps(SCHEMA) + GOOD,
    "a part last": f"{GOOD} {PARTIAL}",
    "in a list": f"[{DRAFT}, {GOOD}]",
    "in a field": f'{{"summary": {GOOD}}}',
    "deep": f'{{"result": {{"output": [{GOOD}]}}, "ok": true}}',
    "in quotes": json.dumps(GOOD),
    "in quotes in a field": json.dumps({"answer": GOOD}),
    "answer tags": f"<answer>{GOOD}</answer>",
    "words of thoughts": f"analysis We need JSON. {DRAFT} assistantfinal {GOOD}",
    "marks within marks": f"<think>a <think>b</think> {DRAFT}</think>{GOOD}",
    "thoughts twice": f"<think>{DRAFT}</think> hm <think>{DRAFT}</think>{GOOD}",
    "channels with a form": f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final "
    f"<|constrain|>json<|message|>{GOOD}<|return|>",
    "many braces": "{" * 200 + GOOD,
    "long thoughts": "<think>" + "so {x} " * 20_000 + "</think>" + GOOD,
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
async def test_the_answer_is_found_and_becomes_a_text(written: str) -> None:
    async with LlmServer() as server:
        model = model_at(server.base_url)
        server.say(Say(text=written))
        done = await model.complete(prompt(schema=SCHEMA), deadline_s=5)
        await model.close()
    assert json.loads(done.text) == json.loads(GOOD)
    assert note_from_json(done.text).text == "One person came at 08:15."


def parts(*given: Any) -> Say:
    return Say(more={"content": list(given)})


MESSAGES: dict[str, Say] = {
    "reasoning beside": Say(text=GOOD, more={"reasoning_content": DRAFT}),
    "reasoning beside, another name": Say(text=GOOD, more={"reasoning": DRAFT}),
    "only in the reasoning": Say(text="", more={"reasoning_content": GOOD}),
    "null, and in the reasoning": Say(more={"content": None, "reasoning": f"\n{GOOD}"}),
    "parts": parts({"type": "text", "text": GOOD[:20]}, {"type": "text", "text": GOOD[20:]}),
    "parts with thoughts": parts(
        {"type": "thinking", "thinking": [{"type": "text", "text": DRAFT}]}, {"type": "text", "text": GOOD}
    ),
    "parts with thoughts as text": parts({"type": "text", "text": GOOD}, {"type": "reasoning", "text": DRAFT}),
    "parts of text alone": parts(GOOD[:5], GOOD[5:]),
    "parts with values": parts({"type": "text", "text": {"value": GOOD}}),
    "read already": Say(more={"content": json.loads(GOOD)}),
    "a call of a tool": Say(more={"content": None, "tool_calls": [{"function": {"name": "a", "arguments": GOOD}}]}),
    "a call of a tool, read already": Say(
        text="", more={"tool_calls": [{"index": 0, "function": {"name": "a", "arguments": json.loads(GOOD)}}]}
    ),
    "a call of a function": Say(
        text="", more={"function_call": {"name": "a", "arguments": GOOD}}, finish="function_call"
    ),
}


@pytest.mark.parametrize("say", MESSAGES.values(), ids=MESSAGES)
async def test_the_answer_is_found_wherever_a_message_has_it(say: Say) -> None:
    async with LlmServer() as server:
        model = model_at(server.base_url)
        server.say(say)
        done = await model.complete(prompt(schema=SCHEMA), deadline_s=5)
        await model.close()
    assert json.loads(done.text) == json.loads(GOOD)


def events(*choices: dict[str, Any], end: str = "data: [DONE]\n\n") -> Say:
    lines = [f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in choices]
    return Say(body="".join(["data: \n\n", *lines, end]), kind="text/event-stream")


def called(arguments: str) -> dict[str, Any]:
    return {"delta": {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}}


STREAMS: dict[str, Say] = {
    "no reason, but an end": events({"delta": {"content": GOOD[:30]}}, {"delta": {"content": GOOD[30:]}}),
    "a reason, and no end": events({"delta": {"content": GOOD}, "finish_reason": "stop"}, end=""),
    "a call in parts": events(called(GOOD[:30]), called(GOOD[30:])),
    "no delta at last": events({"delta": {"content": GOOD}}, {"delta": None, "finish_reason": "stop"}),
}


@pytest.mark.parametrize("say", STREAMS.values(), ids=STREAMS)
async def test_the_answer_is_found_in_a_stream_of_any_form(say: Say) -> None:
    async with LlmServer() as server:
        model = model_at(server.base_url, stream="always")
        server.say(say)
        done = await model.complete(prompt(schema=SCHEMA), deadline_s=5)
        await model.close()
    assert json.loads(done.text) == json.loads(GOOD)


async def test_thoughts_in_a_field_of_their_own_are_no_answer() -> None:
    async with LlmServer() as server:
        model = model_at(server.base_url)
        server.say(Say(text="", more={"reasoning_content": f"Perhaps {DRAFT}, or not."}))
        with pytest.raises(GarbledError):
            await model.complete(prompt(schema=SCHEMA), deadline_s=5)
        await model.close()


@pytest.mark.parametrize("empty", ["...", "…", " ", "--", "?!", '"', "\u200b", "👋"])
@pytest.mark.parametrize("name", ["title", "text"])
def test_a_text_without_a_word_is_no_text(name: str, empty: str) -> None:
    with pytest.raises(LlmError):
        note_from_json(json.dumps(json.loads(GOOD) | {name: empty}))


@pytest.mark.parametrize("text", ["人が来た。", "Пришёл человек.", "3 people", "é"])
def test_words_of_any_script_are_a_text(text: str) -> None:
    assert note_from_json(json.dumps(json.loads(GOOD) | {"text": text})).text == text


def test_an_answer_without_a_word_is_none() -> None:
    assert worded('{"answer": "..."}', "Two people were seen.", (), language("en"), denies=False) is None
    with pytest.raises(GarbledError, match="word"):
        reply_from_json('{"answer": "...", "confidence": 1, "evidence": ""}', AnswerKind.TEXT)


@pytest.mark.parametrize(
    ("value", "schema", "expected"),
    [
        ("a", {"type": "string"}, True),
        ("", {"type": "string"}, True),
        ("", {"type": "string", "minLength": 1}, False),
        (True, {"type": "integer"}, False),
        (1, {"type": "number"}, True),
        (1.5, {"type": "integer"}, False),
        (None, {"type": ["string", "null"]}, True),
        ("low", {"enum": ["low"]}, True),
        ("lower", {"enum": ["low"]}, False),
        ([], {"enum": ["low"]}, False),
        ("x", {"const": "x"}, True),
        (["a", 1], {"type": "array", "items": {"type": "string"}}, False),
        (1, {"anyOf": [{"type": "string"}, {"type": "integer"}]}, True),
        ({"a": 1}, {"type": "object", "properties": {}, "additionalProperties": False}, False),
        ({}, {"type": "object", "required": ["a"]}, False),
        ([], {"type": "object"}, False),
        (1, {}, True),
    ],
)
def test_what_fits(value: object, schema: dict[str, Any], expected: bool) -> None:
    assert fits(value, schema) is expected


@pytest.mark.parametrize(
    "before", ["<|channel|>", "<|channel|>answer<|message|>", "ok <|channel|>commentary x <|channel|>"]
)
def test_a_channel_that_is_not_for_thoughts_may_hold_the_answer(before: str) -> None:
    assert object_in(before + GOOD, SCHEMA) == GOOD
    assert object_in(f"{GOOD}<|channel|>analysis<|message|>Was that right? {DRAFT}", SCHEMA) == GOOD
    assert object_in(f"<|channel|>commentary<|message|>{DRAFT}", SCHEMA) is None


@given(st.text(alphabet='<>[]|/thinkchanel{}"\\:, ◁▷\n', max_size=300))
def test_an_answer_at_the_end_is_found_whatever_stands_before(around: str) -> None:
    assert object_in(around + "</think>" + GOOD, SCHEMA) == GOOD
