"""Finds what a text says that was not observed: things, numbers, times, places, and guesses about people.

The rule is a closed one: each word must be known to claim nothing, or what it claims must be in the Facts. Only English
can be checked; a text of which fewer than 60 % of the words are known, or with letters of another script than Latin, is
a violation as a whole. Where pictures were shown, words that are not known may describe them, unless they are names.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from blikk_edge.core.sightings import Label
from blikk_edge.enrichers.facts import Facts
from blikk_edge.enrichers.grounding import lexicon
from blikk_edge.enrichers.grounding.claims import Claim, Violation
from blikk_edge.enrichers.grounding.counts import is_of, miscounts
from blikk_edge.enrichers.grounding.negation import negate
from blikk_edge.enrichers.grounding.times import mistimed
from blikk_edge.enrichers.grounding.tokens import NAME, Token, names_of, place_words, prepared, tokens_of

__all__ = ["Claim", "Violation", "check"]

KNOWN_SHARE: Final = 0.6
"""Of the words of a text; English about what was seen has more, other languages have fewer."""

_PHRASES: Final = tuple(
    (re.compile(pattern), claim)
    for pattern, claim in (
        (r"\bwait\w* for\b(?! *§)", Claim.INTENT),
        (r"\blook\w* (?:for|around|into|through)\b", Claim.INTENT),
        (r"\b(?:appear|look|sound)(?:s|ed|ing)? (?:to (?!§)|like\b)|\bas (?:if|though)\b", Claim.GUESS),
        (r"\b(?:came|comes?|coming|arriv\w+|return\w*|got|went|drove) home\b", Claim.IDENTITY),
        (r"\bsame (?!moment|camera|place|spot|zone|area|hour|day)[a-z]", Claim.IDENTITY),
        (
            r"\b(?:white|black|brown|dark|pale|yellow|red) (?:person|people|individual|visitor|human|figure|skin)",
            Claim.ETHNICITY,
        ),
    )
)
_NO_NOUN: Final = lexicon.word_set("of and to in at on or was is again then from with while for")
_LEFT_RIGHT: Final = re.compile(r"\b(?:(?:to|from|on|at) the (?:left|right)|(?:left|right) (?:hand )?side)\b")
_LEFT: Final = re.compile(
    r"\b(?:departed|gone|(?<!was )(?<!not )(?<!not yet )left(?= *(?:[.,;]|$|at |after |again|§|then|shortly)))"
)
_AGAIN: Final = re.compile(r"\b(?:(?<!gone )(?<!left )(?<!away )(?<!off )(?<!out )again|return\w*|repeat\w*)\b")
_RANG_AGAIN: Final = re.compile(r"\b(?:r[aiu]ng|pressed)\b[^.;]{0,20}\bagain\b")
_STILL_THERE: Final = re.compile(r"\bstill (?:there|present|here|in|at|on|around)\b")
_NOTHING: Final = re.compile(
    r"\bnothing (?:was |has been |is )?(?:seen|happened|happens|detected|observed|recorded|moved|occurred|¤|[.,])"
    r"|\bno (?:activity|events?|motion|movement|visits?|visitors?|detections?|sightings?)\b"
    r"|\ball (?:was |is )?quiet\b|\b(?:was|stayed|remained) (?:empty|quiet)\b"
)

_LIMITED: Final = re.compile(
    r"\b(?:else|after|afterwards|since|before|until|other|otherwise|further|except|but|apart|besides|aside|then)\b"
)


def check(title: str, text: str, facts: Facts, *, pictures: bool = False) -> tuple[Violation, ...]:
    """What title and text say without support; empty where all of it is supported.

    `pictures` says that redacted Pictures were shown to the writer, so that looks may be described. Claims about people
    (who, what for, how old, which sex or origin), moods, judgements and weapons are never supported.
    """
    names = names_of(facts)
    ready = prepared(f"{title}. {text}", names)
    if foreign := _foreign(ready):
        return (Violation(Claim.LANGUAGE, foreign, "only English in plain letters can be checked"),)
    ready, mistakes = mistimed(ready, facts)
    tokens = tokens_of(ready)
    if unknown := _other_language(tokens):
        return (Violation(Claim.LANGUAGE, unknown, "only English can be checked"),)
    denied = negate(tokens)
    found = chain(
        mistakes,
        (Violation(claim, m[0], "a guess") for pattern, claim in _PHRASES for m in pattern.finditer(ready)),
        _unsupported_words(tokens, place_words(names), facts, pictures=pictures),
        _names(title, text, tokens, names, pictures=pictures),
        _things(tokens, facts),
        _denied(ready, denied, facts),
        _states(ready, tokens, facts),
        _directions(ready, pictures=pictures),
        miscounts(tokens, facts),
    )
    return tuple(dict.fromkeys(found))


def _foreign(text: str) -> str:
    """The first character that is no Latin letter, or that draws something."""
    for char in text:
        letter = char.isalpha() and not unicodedata.name(char, "").startswith("LATIN")
        if letter or unicodedata.category(char) in {"So", "Sk", "Co", "Cn"} or char in "%$€£@#":
            return char
    return ""


def _other_language(tokens: Sequence[Token]) -> str:
    spoken = [token for token in tokens if token.word]
    unknown = [token.text for token in spoken if not token.base]
    return " ".join(unknown[:5]) if len(spoken) - len(unknown) < KNOWN_SHARE * len(spoken) else ""


def _unsupported_words(
    tokens: Sequence[Token], places: frozenset[str], facts: Facts, *, pictures: bool
) -> Iterator[Violation]:
    """Guesses, looks, places and words that are not known."""
    for i, token in enumerate(tokens):
        if not token.word or token.labels:
            continue
        if token.guess is not None:
            yield Violation(token.guess, token.text, "a guess")
        elif {token.text, token.base} & places:
            continue
        elif token.base in lexicon.WATCHED:
            if token.negated == bool(facts.rings) and not _AGAIN.search(f" {token.text} {_next(tokens, i)}"):
                yield Violation(Claim.RING, token.text, "somebody rang" if token.negated else "nobody rang")
        elif _is_place(tokens, i, pictures=pictures):
            if not token.negated:
                yield Violation(Claim.ZONE, token.text, "no zone or camera of that name was involved")
        elif token.base in lexicon.SIDES and _names_place(tokens, i):
            yield Violation(Claim.ZONE, f"{token.text} {tokens[i + 1].text}", "no zone or camera of that name")
        elif not token.base and not pictures:
            yield Violation(Claim.UNKNOWN, token.text, "what it claims cannot be checked")
        elif token.base in lexicon.PICTURED and not pictures and token.base not in lexicon.PLAIN:
            yield Violation(Claim.LOOKS, token.text, "no picture was shown")


def _is_place(tokens: Sequence[Token], i: int, *, pictures: bool) -> bool:
    token = tokens[i] if i < len(tokens) else Token("")
    if token.base in lexicon.SCENERY:
        return not pictures
    if token.text in lexicon.TOUCHY or token.base in lexicon.TOUCHY:
        return any(t.text in {"the", "a", "this"} | lexicon.SIDES for t in tokens[max(0, i - 1) : i])
    return token.base in lexicon.PLACES


def _names_place(tokens: Sequence[Token], i: int) -> bool:
    """Whether a side belongs to a place: `front door`, `the back exit`, but not `the front of`."""
    following = tokens[i + 1] if i + 1 < len(tokens) else Token("")
    if following.text == NAME.strip() or _is_place(tokens, i + 1, pictures=False):
        return True
    return _next(tokens, i - 2) in {"the", "a"} and following.word and following.text not in _NO_NOUN


def _next(tokens: Sequence[Token], i: int) -> str:
    return tokens[i + 1].text if 0 <= i + 1 < len(tokens) else ""


def _names(
    title: str, text: str, tokens: Sequence[Token], names: Sequence[str], *, pictures: bool
) -> Iterator[Violation]:
    """Names of people and makers: first names, and where pictures are described unknown words with a capital."""
    for token in tokens:
        if token.text.removesuffix("'s") in lexicon.NAMES and not any(token.text in name for name in names):
            yield Violation(Claim.IDENTITY, token.text, "a name")
    if not pictures:
        return
    unknown = {token.text.removesuffix("'s") for token in tokens if token.word and not token.base}
    for word in re.findall(r"\b[A-Z]\w+", f"{title}. {text}"):
        if word.casefold() in unknown:
            yield Violation(Claim.IDENTITY, word, "a name")


def _things(tokens: Sequence[Token], facts: Facts) -> Iterator[Violation]:
    """Nouns that name what was not seen, and verbs that need somebody who was not there."""
    for token in tokens:
        if token.negated:
            continue
        missing = [label.value for label in token.labels if not _seen(facts, label)]
        if missing:
            yield Violation(Claim.LABEL, token.text, f"no {' and no '.join(missing)} was seen")
        elif token.kind and not any(is_of(stay, token.kind) for stay in facts.stays if stay.label in token.labels):
            yield Violation(Claim.LABEL, token.text, f"no {token.kind} was seen")
        agents = lexicon.AGENTS.get(token.text) or lexicon.AGENTS.get(token.base)
        if agents and not token.labels and not any(_seen(facts, label) for label in agents):
            yield Violation(Claim.LABEL, token.text, "nobody was seen who could")


def _denied(text: str, denied: Sequence[Token], facts: Facts) -> Iterator[Violation]:
    """Things that were seen, said not to have been."""
    for token in denied:
        seen = (
            any(is_of(stay, token.kind) for stay in facts.stays)
            if token.kind
            else any(_seen(facts, label) for label in token.labels)
        )
        if seen:
            yield Violation(Claim.LABEL, f"no {token.text}", "was seen")
    if facts.labels and (match := _NOTHING.search(text)):
        sentence = text[text.rfind(".", 0, match.start()) + 1 : match.end() + 40]
        if not _LIMITED.search(sentence):
            yield Violation(Claim.LABEL, match[0], "something was seen")


def _states(text: str, tokens: Sequence[Token], facts: Facts) -> Iterator[Violation]:
    """Parked, loitering, gone, still there, back again."""
    spoken = {token.base for token in tokens if not token.negated} | {token.text for token in tokens}
    vehicles = [stay for stay in facts.stays if stay.label is Label.VEHICLE]
    rests = facts.parked or facts.drove_off or not vehicles or any(stay.still for stay in vehicles)
    again = sum(facts.visits.values()) > 1 or any(n > 1 for n in facts.seen.values())
    if "parked" in spoken and not rests:
        yield Violation(Claim.STATE, "parked", "no vehicle came to rest")
    match = re.search(r"(\b(?:nobody|no|not|never)\b[^.;,]{0,20})?\bloiter", text)
    if match and facts.loitering == bool(match[1]):
        yield Violation(Claim.STATE, match[0], "somebody stayed long" if match[1] else "nobody stayed long")
    if (match := _RANG_AGAIN.search(text)) and len(facts.rings) < 2:
        yield Violation(Claim.RING, match[0], "nobody rang twice")
    if not again and (match := _AGAIN.search(text)):
        yield Violation(Claim.STATE, match[0], "it was the only visit")
    if not facts.ended and not again and (match := _LEFT.search(text)):
        yield Violation(Claim.STATE, match[0], "it goes on")
    if facts.ended and not any(stay.still for stay in facts.stays) and (match := _STILL_THERE.search(text)):
        yield Violation(Claim.STATE, match[0], "it is over")


def _directions(text: str, *, pictures: bool) -> Iterator[Violation]:
    if not pictures and (match := _LEFT_RIGHT.search(text)):
        yield Violation(Claim.LOOKS, match[0], "no picture was shown")


def _seen(facts: Facts, label: Label) -> bool:
    return max(facts.peak.get(label, 0), facts.seen.get(label, 0)) > 0
