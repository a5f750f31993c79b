"""Number words in a text."""

import re
from functools import cache
from typing import Final

from blikk_edge.language.grounding.lexicon import Lexicon

DONE: Final = " § "
"""Stands in the text for what was read."""


def with_digits(text: str, lexicon: Lexicon) -> str:
    """Lower-case text with its number words as digits; `one` stays a word where it stands for a thing."""
    for pattern, digits in lexicon.content["numbers"]["also"]:
        text = re.sub(pattern, digits, text)
    pronoun = lexicon.pattern("numbers.pronoun")

    def digits_of(match: re.Match[str]) -> str:
        if pronoun.match(text, match.start()):
            return match[0]
        return str(lexicon.number_words[match[0]])

    return _number_word(lexicon).sub(digits_of, text)


@cache
def _number_word(lexicon: Lexicon) -> re.Pattern[str]:
    longest = sorted(lexicon.number_words, key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest))})\b")
