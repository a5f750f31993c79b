"""A text as the words that grounding judges: names taken out, numbers as digits, each word with its sense."""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from blikk_edge.core.sightings import Label
from blikk_edge.enrichers.facts import Facts
from blikk_edge.enrichers.grounding import lexicon
from blikk_edge.enrichers.grounding.claims import Claim
from blikk_edge.enrichers.grounding.numbers import with_digits

NAME: Final = " ¤ "
"""Stands in the text for the name of a zone or camera."""

_PHRASES: Final = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"[\u2018\u2019\u02bc]", "'"),
        (r"(?<=\w)[-\u2010\u2011](?=\w)", " "),
        (r"(?<=\d)\s*[-\u2012-\u2015]\s*(?=\d)", " to "),
        (r"[_*`\u201c\u201d\"\u2012-\u2015]", " "),
        (r"\b(passer|passers) by\b", "passerby"),
        (r"\b(?:no one|not any ?(?:one|body)|not (?:a )?single person)\b", "nobody"),
        (r"\bcannot\b", "can not"),
        (r"n't\b", " not"),
        (r"\bwithout(?: any)?\b|\bneither\b|\bnor\b|\bno (?:signs?|trace) of\b|\babsence of\b|\b0(?= [a-z])", " no "),
        (r"\bnot (?:a|an|any)\b", "no"),
        (r"\bat (?:once|the same time|one time|a time|any one time)\b", "simultaneously"),
        (r"\bonce again\b", "again"),
        (
            r"\blight (traffic|activity|movement)\b|\b(traffic|activity|movement) (was|is|remained) light\b",
            r"\1\2 calm",
        ),
        (r"\bcame back\b", "returned"),
        (r"\s+", " "),
    )
)

_TOKEN: Final = re.compile(r"[§¤]|\d+(?:\.\d+)?|[^\W\d_]+(?:'[^\W\d_]+)?|[^\w\s]")

_GUESSES: Final = (
    (lexicon.GENDER, Claim.GENDER),
    (lexicon.AGE, Claim.AGE),
    (lexicon.ETHNICITY, Claim.ETHNICITY),
    (lexicon.WEAPON, Claim.WEAPON),
    (lexicon.IDENTITY, Claim.IDENTITY),
    (lexicon.INTENT, Claim.INTENT),
    (lexicon.GUESS, Claim.GUESS),
)


@dataclass(slots=True)
class Token:
    """One word, number or mark, lower-case.

    `base` is the form the lexicon has, empty for a word it has not; `labels` what a noun names, `kind` the detector's
    class where it names one; `number` its value; `guess` the kind of guess that the word is; `negated` is set where the
    text says that it was not there.
    """

    text: str
    base: str = ""
    labels: tuple[Label, ...] = ()
    kind: str = ""
    plural: bool = False
    number: float | None = None
    guess: Claim | None = None
    negated: bool = False

    @property
    def word(self) -> bool:
        """Whether it is made of letters."""
        return self.text[:1].isalpha()


def names_of(facts: Facts) -> tuple[str, ...]:
    """Every name that the text may use for a place, lower-case, the longest first."""
    names = {_plain(name) for name in (facts.name, *facts.cameras, *facts.zones, facts.camera or "")}
    return tuple(sorted(filter(None, names), key=len, reverse=True))


def place_words(names: Iterable[str]) -> frozenset[str]:
    """The words of these names, also two and two written as one, with what means the same."""
    allowed: set[str] = set()
    for name in names:
        parts = name.split()
        allowed.update(parts, (a + b for a, b in itertools.pairwise(parts)))
    for group in lexicon.ALIKE:
        if allowed & group:
            allowed |= group
    return frozenset(allowed)


def prepared(text: str, names: Sequence[str]) -> str:
    """Lower-case text with names as NAME, numbers as digits and what means the same written the same way.

    A name of one word that the lexicon knows stays: a camera `Dog` makes no dog.
    """
    text = _plain(text)
    for name in names:
        if " " in name or name.isdecimal() or not _token(name).base:
            before = r"(?<=zone )|(?<=area )|(?<=camera )" if name.isdecimal() else r"(?<!\w)"
            text = re.sub(rf"(?:{before}){re.escape(name)}(?!\w)", NAME, text)
    return with_digits(text)


def tokens_of(text: str) -> list[Token]:
    """The words of a prepared text."""
    return [_token(part) for part in _TOKEN.findall(text)]


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    for pattern, instead in _PHRASES:
        text = pattern.sub(instead, text)
    return text.strip()


def _token(text: str) -> Token:
    if text[:1].isdigit():
        return Token(text, number=float(text))
    if text in lexicon.PLURALS:
        text_base = lexicon.PLURALS[text]
        return _of_base(text, text_base, plural=True) or Token(text)
    for base in lexicon.bases(text):
        found = _of_base(text, base, plural=base not in {text, text.removesuffix("'s")} and text.endswith("s"))
        if found is not None:
            return found
    return Token(text)


def _of_base(text: str, base: str, *, plural: bool) -> Token | None:
    """The token of a word whose base form this is, where the lexicon has it."""
    plural = plural and base not in lexicon.SAME_IN_PLURAL
    if base in lexicon.SPECIFIC:
        return Token(text, base, (lexicon.SPECIFIC[base],), lexicon.ALIASES.get(base, base), plural)
    if base in lexicon.GENERIC:
        return Token(text, base, (lexicon.GENERIC[base],), "", plural)
    if base in lexicon.ROLES:
        return Token(text, base, lexicon.ROLES[base], "", plural)
    for group, guess in _GUESSES:
        if base in group:
            return Token(text, base, guess=guess)
    return Token(text, base) if base in KNOWN else None


KNOWN: Final = (
    lexicon.PLAIN
    | lexicon.PICTURED
    | lexicon.PLACES
    | lexicon.SCENERY
    | lexicon.SIDES
    | lexicon.WATCHED
    | frozenset(lexicon.AGENTS)
)
