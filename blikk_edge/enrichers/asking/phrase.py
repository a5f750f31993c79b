"""A question in plain small letters, out of which readers take the words that they understand."""

import re
import unicodedata
from typing import Final

GAP: Final = "·"
"""What stands where words were taken, so that their neighbours do not become one phrase."""

_SHORT: Final = (
    (re.compile(r"[\u2018\u2019\u02bc`\u00b4]"), "'"),
    (re.compile(r"\b([ap])\.\s?m\b\.?"), r"\1m"),
    (re.compile(r"\b(can|won)'?t\b"), "can not"),
    (re.compile(r"n't\b"), " not"),
    (
        re.compile(r"\b(who|what|where|when|how|there|it|that|any(?:one|body|thing)|some(?:one|body))'?s\b(?= \w)"),
        r"\1 is",
    ),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'d\b"), " did"),
    (re.compile(r"'s\b"), ""),
    (re.compile(r"(?<=\d)\.(?=\d\d\b)"), ":"),
    (re.compile(r"(?<!\d)-|-(?!\d)|[^\w:\-' ]|_"), " "),
    (re.compile(r"\s+"), " "),
)


def plain(text: str) -> str:
    """Small letters, digits and single blanks; short forms written out, no punctuation but in times and dates."""
    text = unicodedata.normalize("NFKC", text).lower()
    for pattern, instead in _SHORT:
        text = pattern.sub(instead, text)
    return text.strip()


class Phrase:
    """What is left of a question; `text` has a GAP where words were taken."""

    def __init__(self, question: str) -> None:
        self.text = plain(question)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The first match, which is taken out."""
        found = pattern.search(self.text)
        if found is not None:
            self.text = f"{self.text[: found.start()]} {GAP} {self.text[found.end() :]}"
            self.text = " ".join(self.text.split())
        return found

    def take_all(self, pattern: re.Pattern[str]) -> list[re.Match[str]]:
        """Every match, in order of their places; all are taken out."""
        found = []
        while (match := self.take(pattern)) is not None:
            found.append(match)
        return found

    def has(self, pattern: re.Pattern[str]) -> bool:
        """Whether it is there."""
        return pattern.search(self.text) is not None

    @property
    def words(self) -> tuple[str, ...]:
        """The words that are left."""
        return tuple(word for word in self.text.split() if word != GAP)


def any_of(*words: str) -> re.Pattern[str]:
    """A pattern of whole words; longer ones before shorter."""
    return re.compile(rf"\b(?:{'|'.join(sorted(words, key=len, reverse=True))})\b")
