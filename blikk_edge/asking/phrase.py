"""A question in plain small letters, out of which readers take the words that they understand."""

import re
import unicodedata
from typing import Final

from blikk_edge.language.reading import Reading

GAP: Final = "·"
"""What stands where words were taken, so that their neighbours do not become one phrase."""

_QUOTES: Final = re.compile(r"[\u2018\u2019\u02bc`\u00b4]")
_PLAIN: Final = (
    (re.compile(r"(?<=\d)\.(?=\d\d\b)"), ":"),
    (re.compile(r"(?<!\d)-|-(?!\d)|[^\w:\-' ]|_"), " "),
    (re.compile(r"\s+"), " "),
)


def plain(text: str, reading: Reading) -> str:
    """Small letters, digits and single blanks; short forms written out, no punctuation but in times and dates."""
    text = _QUOTES.sub("'", unicodedata.normalize("NFKC", text).lower())
    for pattern, instead in (*reading.short, *_PLAIN):
        text = pattern.sub(instead, text)
    return text.strip()


class Phrase:
    """What is left of a question in the language of `reading`; `text` has a GAP where words were taken."""

    def __init__(self, question: str, reading: Reading) -> None:
        self.reading = reading
        self.text = plain(question, reading)

    def take(self, pattern: re.Pattern[str] | str) -> re.Match[str] | None:
        """The first match of a pattern, or of the reading's of that key; it is taken out."""
        found = self._compiled(pattern).search(self.text)
        if found is not None:
            self.text = f"{self.text[: found.start()]} {GAP} {self.text[found.end() :]}"
            self.text = " ".join(self.text.split())
        return found

    def take_all(self, pattern: re.Pattern[str] | str) -> list[re.Match[str]]:
        """Every match, in order of their places; all are taken out."""
        found = []
        while (match := self.take(pattern)) is not None:
            found.append(match)
        return found

    def has(self, pattern: re.Pattern[str] | str) -> bool:
        """Whether it is there."""
        return self._compiled(pattern).search(self.text) is not None

    @property
    def words(self) -> tuple[str, ...]:
        """The words that are left."""
        return tuple(word for word in self.text.split() if word != GAP)

    def _compiled(self, pattern: re.Pattern[str] | str) -> re.Pattern[str]:
        return self.reading.pattern(pattern) if isinstance(pattern, str) else pattern
