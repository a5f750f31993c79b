"""Finds what a text says that was not observed: things, numbers, times, places, and guesses about people.

The rule is a closed one: each word must be known to claim nothing, or what it claims must be in the Facts, and words
must stand in an order that is known (`chunks`). A text is checked in the language of the Facts' locale; one of which
fewer than 60 % of the words are known, or with letters of another script than Latin, is a violation as a whole. Where
pictures were shown, any order is allowed, and words that are not known may describe them, unless they are names.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Said
from blikk_edge.language.facts import Facts
from blikk_edge.language.grounding.chunks import misjoined
from blikk_edge.language.grounding.claimed import misclaimed, mistold
from blikk_edge.language.grounding.claims import Claim, Violation
from blikk_edge.language.grounding.counts import is_of, miscounts
from blikk_edge.language.grounding.deeds import misdone
from blikk_edge.language.grounding.lexicon import Lexicon, lexicon
from blikk_edge.language.grounding.negation import negate
from blikk_edge.language.grounding.said import misnumbered, misstated
from blikk_edge.language.grounding.statements import unborne
from blikk_edge.language.grounding.times import mistimed
from blikk_edge.language.grounding.tokens import NAME, Token, names_of, place_words, prepared, tokens_of

__all__ = ["Claim", "Violation", "check", "is_known"]

KNOWN_SHARE: Final = 0.6
"""Of the words of a text; English about what was seen has more, other languages have fewer."""


def is_known(tag: str) -> bool:
    """Whether there are words of a language, so that its texts can be checked as a whole."""
    return lexicon(tag) is not None


def check(
    title: str, text: str, facts: Facts, *, pictures: bool = False, said: Said | None = None
) -> tuple[Violation, ...]:
    """What title and text say without support; empty where all of it is supported.

    `pictures` says that redacted Pictures were shown to the writer, so that looks may be described. Claims about people
    (who, what for, how old, which sex or origin), moods, judgements and weapons are never supported. `said` is the
    writer's own account; of a language without words only that and the digits are checked, else nothing passes.
    """
    words = lexicon(facts.locale.language)
    wrong = () if said is None else tuple(misstated(said, facts))
    if words is None:
        return (*wrong, *_by_value(title, text, facts, said))
    names = names_of(facts, words)
    ready = prepared(f"{title}. {text}", names, words)
    if foreign := _foreign(ready):
        return (Violation(Claim.LANGUAGE, foreign, "only plain Latin letters can be checked"),)
    stated = unborne(ready, facts, words)
    ready, mistakes = mistimed(ready, facts, words)
    tokens = tokens_of(ready, words)
    if unknown := _other_language(tokens):
        return (Violation(Claim.LANGUAGE, unknown, "this is another language"),)
    cut = title.endswith("…")
    checking = _Checking(ready, tokens, facts, words, place_words(names, words), pictures=pictures, cut=cut)
    found = chain(
        wrong,
        _frames(title, text),
        mistakes,
        checking.violations(),
        checking.names(title, text, names),
        miscounts(tokens, facts, words),
        stated,
    )
    return tuple(dict.fromkeys(found))


def _frames(*texts: str) -> Iterator[Violation]:
    """What was left open as in the frames of a prompt: `was at … for …`. At its end a text may have been cut."""
    for text in texts:
        if open_part := re.search(r"\S*\s*(?:…|\.{3})\s*[^\s.…]+", text):
            yield Violation(Claim.UNKNOWN, open_part[0], "something is left out")


def _by_value(title: str, text: str, facts: Facts, said: Said | None) -> Iterator[Violation]:
    """Where there are no words of a language: what is said by the writer's own account, and digits."""
    if said is None:
        yield Violation(Claim.LANGUAGE, facts.locale.language, "there are no words of this language to check it by")
    elif set(said.counts) != set(Label):
        why = "the account does not count persons, vehicles, animals and packages"
        yield Violation(Claim.LANGUAGE, facts.locale.language, why)
    written = f"{title}. {text}"
    if drawn := _drawn(written):
        yield Violation(Claim.LANGUAGE, drawn, "only letters can be checked")
    names = {facts.name, *facts.cameras, *facts.zones} - {""}
    yield from misnumbered(written, facts, tuple(sorted(names, key=len, reverse=True)))


def _foreign(text: str) -> str:
    """The first character that is no Latin letter, or that draws something."""
    letters = (char for char in text if char.isalpha() and not unicodedata.name(char, "").startswith("LATIN"))
    return next(letters, "") or _drawn(text)


def _drawn(text: str) -> str:
    """The first character that is a sign or draws something."""
    drawn = {"So", "Sk", "Co", "Cn"}
    return next((char for char in text if unicodedata.category(char) in drawn or char in "%$€£@#"), "")


def _other_language(tokens: Sequence[Token]) -> str:
    spoken = [token for token in tokens if token.word]
    unknown = [token.text for token in spoken if not token.base]
    return " ".join(unknown[:5]) if len(spoken) - len(unknown) < KNOWN_SHARE * len(spoken) else ""


def _next(tokens: Sequence[Token], i: int) -> str:
    return tokens[i + 1].text if 0 <= i + 1 < len(tokens) else ""


class _Checking:
    """One text under check; `text` is prepared, `places` are the words of places that may be named."""

    def __init__(
        self,
        text: str,
        tokens: list[Token],
        facts: Facts,
        words: Lexicon,
        places: frozenset[str],
        *,
        pictures: bool,
        cut: bool,
    ) -> None:
        self._text = re.sub(r"\s+", " ", text)
        self._tokens = tokens
        self._facts = facts
        self._lexicon = words
        self._places = places
        self._pictures = pictures
        self._cut = cut
        self._denied = negate(tokens, words)

    def violations(self) -> Iterator[Violation]:
        """All but numbers and names."""
        for pattern, claim in self._lexicon.phrases:
            yield from (Violation(claim, match[0], "a guess") for match in pattern.finditer(self._text))
        yield from self._unsupported_words()
        yield from self._things()
        yield from self._denials()
        yield from self._states()
        yield from misclaimed(self._text, self._facts, self._lexicon)
        yield from mistold(self._tokens, self._facts, self._lexicon)
        if not self._pictures:
            yield from misdone(self._tokens, self._lexicon, self._places)
            yield from misjoined(self._tokens, self._lexicon, self._places, cut=self._cut)
        for state in ("left_right", "size"):
            if not self._pictures and (match := self._found(state)):
                yield Violation(Claim.LOOKS, match[0], "no picture was shown")

    def names(self, title: str, text: str, names: Sequence[str]) -> Iterator[Violation]:
        """Names of people and makers: first names, and where pictures are described unknown words with a capital."""
        for token in self._tokens:
            first = token.text.removesuffix("'s")
            if first in self._words("names") and not any(token.text in name for name in names):
                yield Violation(Claim.IDENTITY, token.text, "a name")
        if not self._pictures:
            return
        unknown = {token.text.removesuffix("'s") for token in self._tokens if token.word and not token.base}
        for word in re.findall(r"\b[A-Z]\w+", f"{title}. {text}"):
            if word.casefold() in unknown:
                yield Violation(Claim.IDENTITY, word, "a name")

    def _unsupported_words(self) -> Iterator[Violation]:
        """Guesses, looks, places and words that are not known."""
        facts, tokens = self._facts, self._tokens
        again = self._lexicon.pattern("states.again")
        for i, token in enumerate(tokens):
            if not token.word or token.labels:
                continue
            if token.guess is not None:
                yield Violation(token.guess, token.text, "a guess")
            elif {token.text, token.base} & self._places:
                continue
            elif token.base in self._words("watched"):
                if token.negated == bool(facts.rings) and not again.search(f" {token.text} {_next(tokens, i)}"):
                    yield Violation(Claim.RING, token.text, "somebody rang" if token.negated else "nobody rang")
            elif self._is_place(i, pictures=self._pictures):
                if not token.negated:
                    yield Violation(Claim.ZONE, token.text, "no zone or camera of that name was involved")
            elif token.base in self._words("sides") and self._names_place(i):
                yield Violation(Claim.ZONE, f"{token.text} {tokens[i + 1].text}", "no zone or camera of that name")
            elif not token.base and not self._pictures:
                yield Violation(Claim.UNKNOWN, token.text, "what it claims cannot be checked")
            elif (
                token.base in self._words("pictured") and not self._pictures and token.base not in self._words("plain")
            ):
                yield Violation(Claim.LOOKS, token.text, "no picture was shown")

    def _is_place(self, i: int, *, pictures: bool) -> bool:
        token = self._tokens[i] if i < len(self._tokens) else Token("")
        if token.base in self._words("scenery"):
            return not pictures
        if {token.text, token.base} & self._words("touchy"):
            leads = self._words("articles") | self._words("sides")
            return any(t.text in leads for t in self._tokens[max(0, i - 1) : i])
        return token.base in self._words("places")

    def _names_place(self, i: int) -> bool:
        """Whether a side belongs to a place: `front door`, `the back exit`, but not `the front of`."""
        following = self._tokens[i + 1] if i + 1 < len(self._tokens) else Token("")
        if following.text == NAME.strip() or self._is_place(i + 1, pictures=False):
            return True
        led = _next(self._tokens, i - 2) in self._words("articles")
        return led and following.word and following.text not in self._words("no_noun")

    def _things(self) -> Iterator[Violation]:
        """Nouns that name what was not seen, and verbs that need somebody who was not there."""
        facts, agents = self._facts, self._lexicon.agents
        for token in self._tokens:
            if token.negated:
                continue
            missing = [label.value for label in token.labels if not _seen(facts, label)]
            if missing:
                yield Violation(Claim.LABEL, token.text, f"no {' and no '.join(missing)} was seen")
            elif token.kind and not any(is_of(stay, token.kind) for stay in facts.stays if stay.label in token.labels):
                yield Violation(Claim.LABEL, token.text, f"no {token.kind} was seen")
            needed = agents.get(token.text) or agents.get(token.base)
            if needed and not token.labels and not any(_seen(facts, label) for label in needed):
                yield Violation(Claim.LABEL, token.text, "nobody was seen who could")

    def _denials(self) -> Iterator[Violation]:
        """Things that were seen, said not to have been."""
        facts, text = self._facts, self._text
        for token in self._denied:
            seen = (
                any(is_of(stay, token.kind) for stay in facts.stays)
                if token.kind
                else any(_seen(facts, label) for label in token.labels)
            )
            if seen:
                yield Violation(Claim.LABEL, f"no {token.text}", "was seen")
        if facts.labels and (match := self._found("nothing")):
            sentence = text[text.rfind(".", 0, match.start()) + 1 : match.end() + 40]
            if not self._lexicon.pattern("states.limited").search(sentence):
                yield Violation(Claim.LABEL, match[0], "something was seen")

    def _states(self) -> Iterator[Violation]:
        """Parked, loitering, gone, still there, back again."""
        facts = self._facts
        spoken = {token.base for token in self._tokens if not token.negated} | {token.text for token in self._tokens}
        vehicles = [stay for stay in facts.stays if stay.label is Label.VEHICLE]
        rests = facts.parked or facts.drove_off or not vehicles or any(stay.still for stay in vehicles)
        again = sum(facts.visits.values()) > 1 or any(n > 1 for n in facts.seen.values())
        if (said := self._lexicon.words("states.parked") & spoken) and not rests:
            yield Violation(Claim.STATE, min(said), "no vehicle came to rest")
        if (match := self._found("loitering")) and facts.loitering == bool(match[1]):
            yield Violation(Claim.STATE, match[0], "somebody stayed long" if match[1] else "nobody stayed long")
        if (match := self._found("rang_again")) and len(facts.rings) < 2:
            yield Violation(Claim.RING, match[0], "nobody rang twice")
        if (match := self._found("again")) and not (again and self._came_again(match)):
            yield Violation(Claim.STATE, match[0], "it was the only visit")
        stayed = facts.parked and facts.labels == (Label.VEHICLE,)
        if (stayed or not facts.ended) and not (again or facts.drove_off) and (left := self._said_left()):
            yield Violation(Claim.STATE, left, "it goes on")
        if not facts.labels and not facts.rings and (match := self._found("something")):
            yield Violation(Claim.LABEL, match[0], "nothing was seen")
        if (
            facts.labels
            and facts.ended
            and not any(stay.still for stay in facts.stays)
            and (match := self._found("still_there"))
        ):
            yield Violation(Claim.STATE, match[0], "it is over")

    def _came_again(self, match: re.Match[str]) -> bool:
        """Whether what the sentence of a match speaks of came more than once; a sentence may name nothing."""
        text = self._text
        sentence = text[text.rfind(".", 0, match.start()) + 1 : match.end()]
        named = {label for token in tokens_of(sentence, self._lexicon) for label in token.labels}
        many = (max(self._facts.visits.get(label, 0), self._facts.seen.get(label, 0)) > 1 for label in named)
        return not named or any(many)

    def _said_left(self) -> str:
        """What says that somebody or something left; empty where that is denied: `has not left yet`."""
        denied = self._lexicon.pattern("states.not_left")
        found = self._lexicon.pattern("states.left").finditer(self._text)
        return next((match[0] for match in found if not denied.search(self._text[: match.start()])), "")

    def _found(self, state: str) -> re.Match[str] | None:
        return self._lexicon.pattern(f"states.{state}").search(self._text)

    def _words(self, name: str) -> frozenset[str]:
        return self._lexicon.words(f"words.{name}")


def _seen(facts: Facts, label: Label) -> bool:
    return max(facts.peak.get(label, 0), facts.seen.get(label, 0)) > 0
