"""A text as the words that grounding judges: names taken out, numbers as digits, each word with its sense."""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from blikk_edge.core.sightings import Label
from blikk_edge.language.facts import Facts
from blikk_edge.language.grounding.claims import Claim
from blikk_edge.language.grounding.lexicon import Lexicon
from blikk_edge.language.grounding.numbers import with_digits

NAME: Final = " ¤ "
"""Stands in the text for the name of a zone or camera."""

ENDS: Final = frozenset(".;!?")
"""What ends a sentence."""

LONGEST: Final = 40
"""Letters of a word that may be written of others; `Paketzustellungsbenachrichtigung` has 32."""

_AT_END: Final = re.compile(r"\b([aApP]\.\s?[mM]\.)(?=\s+[A-ZÁÉÍÓÚÑ])")
"""An `a.m.` at the end of a sentence; its last dot is that of the word."""

_SIGNS: Final = (
    (re.compile(r"[\u2018\u2019\u02bc]"), "'"),
    (re.compile(r"(?<=\w)[-\u2010\u2011](?=[^\W\d])|(?<=[^\W\d])[-\u2010\u2011](?=\d)"), " "),  # not in `8-9`
)
_BLANKS: Final = (
    (re.compile(r"[_*`\u201c-\u201e\u00ab\u00bb\"\u2012-\u2015]"), " "),
    (re.compile(r"\s+"), " "),
)
_TOKEN: Final = re.compile(r"[§¤]|\d+(?:\.\d+)?|[^\W\d_]+(?:'[^\W\d_]+)?|[^\w\s]")


@dataclass(slots=True)
class Token:
    """One word, number or mark, lower-case.

    Attributes:
        text: As it stands there.
        base: The form that the lexicon has; empty for a word it has not.
        labels: What a noun names.
        kind: The detector's class where a noun names one; else empty.
        plural: Whether a noun means more than one.
        number: Its value; None for a word or mark.
        guess: The kind of guess that the word is; None where it is none.
        negated: Whether the text says that it was not there.
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


def names_of(facts: Facts, lexicon: Lexicon) -> tuple[str, ...]:
    """Every name that the text may use for a place, lower-case, the longest first."""
    names = {_plain(name, lexicon) for name in (facts.name, *facts.cameras, *facts.zones, facts.camera or "")}
    return tuple(sorted(filter(None, names), key=len, reverse=True))


def place_words(names: Iterable[str], lexicon: Lexicon) -> frozenset[str]:
    """The words of these names, also two and two written as one, with what means the same."""
    allowed: set[str] = set()
    for name in names:
        parts = name.split()
        allowed.update(parts, (a + b for a, b in itertools.pairwise(parts)))
    for group in lexicon.alike:
        if allowed & group:
            allowed |= group
    return frozenset(allowed)


def prepared(text: str, names: Sequence[str], lexicon: Lexicon) -> str:
    """Lower-case text with names as NAME, numbers as digits and what means the same written the same way.

    A name of one word that the lexicon knows stays: a camera `Dog` makes no dog.
    """
    text = _plain(text, lexicon)
    for name in names:
        if " " in name or name.isdecimal() or not _token(name, lexicon).base:
            before = r"(?<=zone )|(?<=area )|(?<=camera )" if name.isdecimal() else r"(?<!\w)"
            text = re.sub(rf"(?:{before}){re.escape(name)}(?!\w)", NAME, text)
    return with_digits(text, lexicon)


def tokens_of(text: str, lexicon: Lexicon) -> list[Token]:
    """The words of a prepared text."""
    return [_token(part, lexicon) for part in _TOKEN.findall(text)]


def _plain(text: str, lexicon: Lexicon) -> str:
    text = _AT_END.sub(r"\1 .", unicodedata.normalize("NFKC", text)).casefold()
    for pattern, instead in (*_SIGNS, *lexicon.rewrites, *_BLANKS):
        text = pattern.sub(instead, text)
    return text.strip()


def _token(text: str, lexicon: Lexicon, parts: dict[str, Token] | None = None) -> Token:
    """The token of a word; `parts` are those of the compound that it is a part of, as far as they are known."""
    if text[:1].isdigit():
        return Token(text, number=float(text))
    if text in lexicon.plurals:
        return _of_base(text, lexicon.plurals[text], lexicon) or Token(text)
    found = (_of_base(text, base, lexicon) for base in lexicon.bases(text))
    return next(filter(None, found), None) or _compound(text, lexicon, {} if parts is None else parts) or Token(text)


def _compound(text: str, lexicon: Lexicon, parts: dict[str, Token]) -> Token | None:
    """The token of a word that is written of two known ones, where the language does so; it claims what either does.

    A part is looked up once: there are very many ways to divide a word. A word of more than LONGEST is not divided.
    """
    halves = lexicon.halves(text)
    if len(text) > LONGEST:
        return Token(text, text, guess=Claim.UNKNOWN) if next(halves, None) else None
    for first, last in halves:
        tokens = [parts.get(part) or parts.setdefault(part, _token(part, lexicon, parts)) for part in (first, last)]
        if all(token.base for token in tokens):
            claiming = [token for token in tokens if token.guess or token.labels]
            claiming += [token for token in tokens if token.base not in lexicon.words("words.plain")]
            found = (claiming or tokens)[0]
            return replace(found, text=text, plural=found.plural and found is tokens[1])  # `Hundebesuch` is of one dog
    return None


def _of_base(text: str, base: str, lexicon: Lexicon) -> Token | None:
    """The token of a word whose base form this is, where the lexicon has it."""
    plural = lexicon.is_plural(text, base)
    if base in lexicon.specific:
        return Token(text, base, (lexicon.specific[base],), lexicon.kinds.get(base, base), plural)
    if base in lexicon.generic:
        return Token(text, base, (lexicon.generic[base],), "", plural)
    if base in lexicon.roles:
        return Token(text, base, lexicon.roles[base], "", plural)
    if base in lexicon.guesses:
        return Token(text, base, guess=lexicon.guesses[base])
    return Token(text, base) if base in lexicon.known else None
