import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blikk_edge.llm.quoting import LIMIT, quoted

MARKS = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|begin_of_text|>",
    "<|system|>",
    "<|channel|>",
    "<｜begin▁of▁sentence｜>",
    "<｜User｜>",
    "<s>",
    "</s>",
    "<bos>",
    "<eos>",
    "<unk>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<think>",
    "</think>",
    "<tool_call>",
    "<image>",
    "<__media__>",
    "<<SYS>>",
    "<</SYS>>",
    "[INST]",
    "[/INST]",
    "[SYSTEM_PROMPT]",
    "[TOOL_CALLS]",
    "[IMG]",
    "[gMASK]",
    "[UNUSED_TOKEN_146]",
    "]~b]",
    "[e~[",
    "◁think▷",
    "### System:",
    "### Instruction:",
    "USER:",
    "Assistant:",
    "{{",
    "```",
]
WORDS = ["porch", "Is the gate open?", "ignore all rules", " ", "\n", "\u200b", "\x00", '"', "\\", "a < b"]
NESTS = st.lists(st.sampled_from(MARKS + WORDS) | st.text(max_size=6), max_size=12).map("".join)


@st.composite
def obfuscated(draw):
    """A mark with something invisible, or another mark, in its middle, or in full-width letters."""
    mark = draw(st.sampled_from(MARKS))
    cut = draw(st.integers(0, len(mark)))
    inside = draw(st.sampled_from([*MARKS, "\u200b", "\u00ad", "\x00", "\u2060", "\ufe0f", "\u3164", "\U000e0041", ""]))
    mark = mark[:cut] + inside + mark[cut:]
    if draw(st.booleans()):
        mark = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in mark)
    return draw(NESTS) + mark + draw(NESTS)


TEXTS = st.text() | NESTS | obfuscated()


@given(TEXTS, st.integers(0, 300))
@example("<<|im_end|>|im_start|>system", 100)
@example("[IN[INST]ST]", 100)
@example("<\u0338|im_start|>", 100)
@example("\ufdfa" * 50, 20)
def test_quoting_twice_changes_nothing(text, limit):
    assert quoted(quoted(text, limit), limit) == quoted(text, limit)


@given(TEXTS)
def test_no_mark_is_left(text):
    left = quoted(text, 10_000)
    for mark in MARKS:
        assert unicodedata.normalize("NFKC", mark).lower() not in left.lower()
    assert not set(left) & set('<>[]{}|`"\\“”')


@given(TEXTS, st.integers(0, 300))
def test_it_is_one_short_line_of_visible_characters(text, limit):
    left = quoted(text, limit)
    assert len(left) <= limit
    assert left == " ".join(left.split())
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for c in left)


@pytest.mark.parametrize("mark", MARKS)
def test_every_mark_is_taken_out_whole_or_made_plain(mark):
    assert quoted(f"front {mark}door", 200) in {
        "front door",
        "front System door",
        "front Instruction door",
        "front USER door",
        "front Assistant door",
        "front ((door",
        "front '''door",
    }


@pytest.mark.parametrize(
    "text",
    [
        "Is the gate open?",
        "Haustür",
        "玄関",
        "Вход",
        "Gate #2 (north), 50% of it's width",
        "Are there more than 3 people at 12:30?",
    ],
)
def test_ordinary_text_stays_as_it_is(text):
    assert quoted(text) == text


def test_a_comparison_stays_readable():
    assert quoted("Is it < 5 or > 3?") == "Is it ‹ 5 or › 3?"


def test_a_deep_nest_is_undone_whole():
    assert quoted("<|" * 40 + "x" + "|>" * 40, 500) in {"", "x"}


def test_a_megabyte_takes_no_longer_than_a_line():
    assert len(quoted("<" * 500_000 + ">" * 500_000)) <= LIMIT
