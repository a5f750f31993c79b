"""The clauses of a text: of whom each one is, what it says that they did, and when and how long.

Words and patterns are in the `statements.toml` of a language.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Any, Final

from blikk_edge.core.sightings import Label
from blikk_edge.language.facts import Facts
from blikk_edge.language.grounding.clocks import Between, ClaimedTime, clock_times
from blikk_edge.language.grounding.lengths import Length, lengths
from blikk_edge.language.grounding.lexicon import Lexicon
from blikk_edge.language.grounding.numbers import DONE
from blikk_edge.language.grounding.tokens import Token, tokens_of

_MARK: Final = 0xE000
"""The first of the private characters that stand in a clause for its times and lengths."""

_UNTIL_S: Final = 120.0
"""How much later than an end `until` may name, at most: not so much as `by`."""

_MARKS: Final = re.compile(r"[\ue000-\uf8ff]")
_BLANKS: Final = re.compile(r"\s+")
_SENTENCE: Final = re.compile(r"[.;!?]")
_SAID: Final = (
    "not",
    "behind",
    "after",
    "before",
    "once",
    "when",
    "already",
    "now",
    "part",
    "more",
    "each",
    "most",
    "last",
    "only",
    "it",
)
_UNNAMED: Final = ("happening", "bell", "device", "place", "time")


class Did(StrEnum):
    """What a predicate says; the names are the keys of `[predicates]`."""

    CAME = "came"
    LEFT = "left"
    PARKED = "parked"
    STAYED = "stayed"
    STILL = "still"  # is there yet, where the text is about what may be over
    SEEN = "seen"  # was there, was seen, passed
    ENTERED = "entered"  # a zone, which may be later than it was first seen
    RANG = "rang"
    PUT = "put"
    TAKEN = "taken"


class Role(StrEnum):
    """How a time is meant; the names, but for AT, are the keys of `[times]`."""

    AT = "at"
    FROM = "from"
    UNTIL = "until"
    SINCE = "since"


@dataclass(frozen=True, slots=True)
class Statement:
    """What one clause says.

    Attributes:
        words: The clause.
        who: The nouns that it is about; empty where nobody was named so far.
        named: Whether it names them itself.
        did: What its predicates say; empty where it has none that is known.
        times: Its times, and how each is meant.
        lengths: Its lengths of time.
        denied: Whether it says what was not.
        part: Which of several it is about: 1 the first, 2 the second, 0 another one; None for all.
    """

    words: str
    who: tuple[Token, ...]
    named: bool
    did: frozenset[Did]
    times: tuple[tuple[Role, ClaimedTime], ...]
    lengths: tuple[Length, ...]
    denied: bool
    part: int | None


class Grammar:
    """The clauses of one language."""

    def __init__(self, lexicon: Lexicon) -> None:
        content = lexicon.statements
        self._lexicon = lexicon
        self._did = {did: re.compile(content["predicates"][did]) for did in Did if did in content["predicates"]}
        leads = {role: content["times"][role] for role in Role if role is not Role.AT}
        self._roles = {role: re.compile(rf"\b(?:{lead})$") for role, lead in leads.items()}
        self._led = {role: re.compile(rf"(?:{lead})\b") for role, lead in leads.items()}
        self._to = re.compile(rf"(?:[\ue000-\uf8ff]|\b\d{{1,2}}) *(?:{content['times']['to']})$")
        self._dash = re.compile(rf"[\ue000-\uf8ff] *{lexicon.content['days']['to']} *[\ue000-\uf8ff]")
        order = "|".join(rf"(?={content['clauses'][key]})" for key in ("after", "before", "once", "when"))
        self._breaks = re.compile(rf"{content['clauses']['breaks']}|{order}")
        self._said = {key: re.compile(content["clauses"][key]) for key in _SAID}
        self._ranks: dict[str, int] = content["ranks"]

    def says(self, key: str, words: str) -> bool:
        """Whether a clause has one of the words of a key."""
        return self._said[key].search(words) is not None

    def alone(self, words: str) -> Token | None:
        """The noun of which a clause says that there was one only."""
        only = self._said["only"].search(words)
        following = tokens_of(words[only.end() :], self._lexicon)[:2] if only else []
        return next((one for one in following if one.labels), None)

    def order(self, first: Statement, second: Statement) -> tuple[Statement, Statement] | tuple[()]:
        """Which of two clauses is said to be the earlier one and which the later; empty where it is not said."""
        if self.says("after", second.words) or self._begins("before", second) or self._begins("once", first):
            return first, second
        return (second, first) if self._begins("once", second) or self._begins("before", first) else ()

    def together(self, first: Statement, second: Statement) -> bool:
        """Whether two clauses are said to have been at one time."""
        return self._begins("when", first) or self._begins("when", second)

    def _begins(self, key: str, said: Statement) -> bool:
        return self._said[key].match(said.words) is not None

    def sentences(self, text: str) -> Iterator[list[tuple[str, list[Any]]]]:
        """The clauses of each sentence, each with the times and lengths that its marks stand for."""
        claims: list[Any] = []

        def mark(claim: Any) -> str:
            claims.append(claim)
            return f"{DONE}{chr(_MARK + len(claims) - 1)} "

        for days in ("days.weekday", "days.date"):
            text = self._lexicon.pattern(days).sub(DONE, text)
        text, _ = clock_times(text, self._lexicon, mark=mark)
        text, _ = lengths(text, self._lexicon, mark=mark)
        text = re.sub(r"(?:§\s+)+(?=[\ue000-\uf8ff])", "", text)
        for sentence in _SENTENCE.split(
            _MARKS.sub(lambda at: self._unless_counted(at, claims), _BLANKS.sub(" ", text))
        ):
            yield [(clause, claims) for clause in self._clauses(sentence)]

    def _unless_counted(self, at: re.Match[str], claims: Sequence[Any]) -> str:
        """The mark of a time, or its words where they were none: `le 2 persone`."""
        words: str = claims[ord(at[0]) - _MARK].words
        following = tokens_of(at.string[at.end() : at.end() + 40], self._lexicon)[:1]
        counted = words[-1:].isdigit() and ":" not in words and following and following[0].labels
        return words if counted else at[0]

    def statement(
        self, clause: tuple[str, list[Any]], who: tuple[Token, ...], before: Statement | None, facts: Facts
    ) -> Statement:
        """What a clause says; `before` is the one before it in its sentence, `who` are those that it may be about."""
        words, claims = clause
        tokens = tokens_of(words, self._lexicon)
        named = tuple(token for token in tokens if token.labels)
        if not named and any(token.text in self._lexicon.chunk_words("happening") for token in tokens):
            who = ()
        found = [(at.start(), claims[ord(at[0]) - _MARK]) for at in _MARKS.finditer(words)]
        did = self._said_done(words, named or who, facts)
        return Statement(
            words=words,
            who=named or who,
            named=bool(named),
            did=did,
            times=tuple(self._times(words, found)),
            lengths=tuple(self._lengths(found)),
            denied=self._is_denied(words),
            part=self._part(words) if before is None else self._part_after(before, words, tokens, did, facts),
        )

    def _said_done(self, words: str, named: Sequence[Token], facts: Facts) -> frozenset[Did]:
        """What the predicates of a clause say. A parcel that left was left; where there is none, a car that was
        put somewhere parked.
        """
        did = {did for did in self._did if self._did[did].search(words)}
        if Did.LEFT in did and named and all(one.labels == (Label.PACKAGE,) for one in named):
            did = did - {Did.LEFT} | {Did.PUT}
        if Did.PUT in did and not facts.peak.get(Label.PACKAGE, 0):
            parked = facts.parked and any(Label.VEHICLE in one.labels for one in named)
            did = did - {Did.PUT} | {Did.PARKED if parked else Did.LEFT}
        return frozenset(did - {Did.SEEN} if did & {Did.PUT, Did.TAKEN} else did)

    def _times(self, words: str, found: Sequence[tuple[int, Any]]) -> Iterator[tuple[Role, ClaimedTime]]:
        for at, claim in found:
            if not isinstance(claim, ClaimedTime):
                continue
            role = self._role(words, at, claim.words)
            exact = replace(claim, before_s=min(claim.before_s, _UNTIL_S))
            yield role, exact if role is Role.UNTIL else claim

    def _lengths(self, found: Sequence[tuple[int, Any]]) -> Iterator[Length]:
        """The lengths; one before a span is within it, and none from one time to another."""
        for (_, claim), (_, following) in pairwise((*found, (0, None))):
            if isinstance(claim, Length) and not claim.vague:
                yield replace(claim, gap=False) if isinstance(following, Between) else claim

    def _is_denied(self, words: str) -> bool:
        """Whether a `not` stands before the first predicate, or where a language puts it behind."""
        no = self._said["not"].search(words)
        did = [found.end() for pattern in self._did.values() if (found := pattern.search(words))]
        return self.says("behind", words) or (no is not None and no.start() < min(did, default=0))

    def _part_after(
        self, before: Statement, words: str, tokens: Sequence[Token], did: frozenset[Did], facts: Facts
    ) -> int | None:
        """Which of several a clause is about, behind another one: also one alone of those that were named there."""
        named = [token for token in tokens if token.labels]
        again = {one.base for one in named} & {one.base for one in before.who}
        several = any(facts.peak.get(label, 0) > 1 for one in named for label in one.labels)
        alone = again and several and did & {Did.LEFT, Did.STAYED} and not _plural(tokens)
        more = again and self.says("more", words)
        return 0 if alone or more else self._part(words)

    def _clauses(self, sentence: str) -> list[str]:
        """Its pieces with a predicate each; one without belongs to the piece before, but to the one behind if it is the
        first or names somebody.
        """
        clauses: list[str] = []
        waiting = ""
        for piece in self._breaks.split(sentence):
            whole = f"{waiting} , {piece}" if waiting else piece.strip()
            if self._states(whole):
                clauses.append(whole)
                waiting = ""
            elif clauses and not waiting and not any(one.labels for one in tokens_of(piece, self._lexicon)):
                clauses[-1] += f" , {piece}"
            else:
                waiting = whole
        if clauses and waiting:
            clauses[-1] += f" , {waiting}"
        return clauses or [waiting]

    def _states(self, piece: str) -> bool:
        """Whether a piece is a clause: it has a predicate, or names somebody and a time."""
        if any(did.search(piece) for did in self._did.values()):
            return True
        return _MARKS.search(piece) is not None and any(one.labels for one in tokens_of(piece, self._lexicon))

    def _role(self, words: str, at: int, said: str = "") -> Role:
        """How a time at `at` is meant; `said` are the words of the time itself."""
        before, behind = words[:at].rstrip(" -"), words[at + 1 :].lstrip(" -")
        if _MARKS.match(before[-1:]):  # `from 8 to 9` was read as one
            return Role.UNTIL
        if _MARKS.match(behind) or self._dash.match(words, at):
            return Role.FROM
        if (to := self._to.search(before)) and self._role(words, to.start()) in {Role.FROM, Role.SINCE}:
            return Role.UNTIL
        led = (role for role, lead in self._led.items() if lead.match(said))
        return next((role for role, lead in self._roles.items() if lead.search(before)), next(led, Role.AT))

    def _part(self, words: str) -> int | None:
        """Which of several a clause is about."""
        for found in self._said["part"].finditer(words):
            following = tokens_of(words[found.end() :], self._lexicon)[:1]
            if _MARKS.match(words[found.end() :].lstrip()):  # `another 11 minutes`
                continue
            if (
                following
                and found["of"] is None
                and not found[0][-1].isdigit()
                and any(following[0].base in self._lexicon.chunk_words(key) for key in _UNNAMED)
            ):
                continue
            return next((n for word, n in self._ranks.items() if word in found[0].split()), 0)
        return None


def _plural(tokens: Sequence[Token]) -> bool:
    return any(token.plural or (token.number or 0) > 1 for token in tokens)


@cache
def grammar_of(lexicon: Lexicon) -> Grammar:
    """The grammar of a language that has a lexicon."""
    return Grammar(lexicon)
