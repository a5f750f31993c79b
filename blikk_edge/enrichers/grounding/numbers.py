"""Number words in English text."""

import re
from typing import Final

DONE: Final = " § "
"""Stands in the text for what was read."""

_ONES: Final = {
    word: number
    for number, word in enumerate(
        (
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        )
    )
}
_TENS: Final = {
    word: 10 * number
    for number, word in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), 2)
}
_NUMBER_WORD: Final = re.compile(rf"\b(?:({'|'.join(_TENS)})(?: ({'|'.join(_ONES)}))?|({'|'.join(_ONES)}))\b")


def with_digits(text: str) -> str:
    """Lower-case text with its number words as digits; `one` stays a word where it stands for a thing."""
    text = re.sub(r"\b(?:half a dozen)\b", "6", re.sub(r"\b(?:an? hundred)\b", "100", text))
    text = re.sub(r"\b(?:a|one) dozen\b|\bdozen\b", "12", text)

    def digits(match: re.Match[str]) -> str:
        tens, ones, alone = match.groups()
        if alone == "one" and _PRONOUN.match(text, match.start()):
            return "one"
        return str(_TENS[tens] + _ONES.get(ones or "zero", 0)) if tens else str(_ONES[alone])

    return _NUMBER_WORD.sub(digits, text)


_PRONOUN: Final = re.compile(
    r"one(?= of\b| was\b| is\b| left\b| stayed\b| came\b| entered\b| had\b| has\b| then\b| after\b| by one\b| \W"
    r"|[.,;]|$)"
)
