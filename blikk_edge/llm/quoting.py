"""Text from outside made harmless before it stands in a prompt: names, labels, questions, earlier answers."""

import re
import unicodedata
from typing import Final

LIMIT: Final = 120

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_FILLERS: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters and marks that are drawn as nothing, so that they hide in the middle of a word."""

_MARKS: Final = re.compile(
    r"<+[^<>\s\d][^<>]{0,80}>+"  # <|im_start|> <s> </s> <<SYS>> <start_of_turn> <think> <bos> <tool_call> <__media__>
    r"|\[/?[A-Za-z_]{2,40}(?:_\d+)?\]"  # [INST] [/INST] [SYSTEM_PROMPT] [TOOL_CALLS] [gMASK] [IMG]
    r"|\]~[a-z]\]|\[e~\["  # MiniMax
    r"|◁[^◁▷]{0,40}▷"  # Kimi
    r"|#{2,}"  # ### Instruction:
)
_ROLE: Final = re.compile(
    r"(system|user|assistant|human|instructions?|response|input|output|tools?|developer|model|prompt)\s*:+", re.I
)
_PLAIN: Final = str.maketrans(
    {"<": "‹", ">": "›", "[": "(", "]": ")", "{": "(", "}": ")", "|": "/", "\\": "/", "▁": " ", "◁": "‹", "▷": "›"}
    | dict.fromkeys('"“”„‟`', "'")
)
"""What is left of a mark that `_MARKS` does not know cannot be one: none is written without these characters."""


def quoted(text: str, limit: int = LIMIT) -> str:
    """`text` in one line of at most `limit` characters that can stand between double quotes in a prompt.

    Without control and invisible characters, without the marks of chat templates (also split, nested, full-width or
    with something invisible inside), without double quotes, backquotes, backslashes, brackets and bars, which are
    replaced by what looks like them. The quotes themselves are not added. `quoted(quoted(x)) == quoted(x)`.
    """
    text = text[: 4 * limit]
    while (plain := _plain(text, limit)) != text:
        text = plain
    return text


def _plain(text: str, limit: int) -> str:
    text = unicodedata.normalize("NFKC", text)
    text = " ".join(text.split())
    text = _FILLERS.sub("", "".join(c for c in text if unicodedata.category(c) not in _HIDDEN))
    text = _ROLE.sub(r"\1 ", _without_marks(text)).translate(_PLAIN)
    return " ".join(text.split())[:limit].strip()


def _without_marks(text: str) -> str:
    """What is left when taking a mark away makes no new one of its surroundings."""
    while (less := _MARKS.sub("", text)) != text:
        text = less
    return text
