"""A closed grammar of notices: each word belongs to a chunk, and chunks stand in a permitted order.

Known words can claim something new together: `made several calls`, `was after something`. So each word has a
Part, by the `notices.toml` of its language, and what stands behind a verb or a preposition has to be something that
this one may take: who a person walks is not said, where one walks is. What does not fit is a violation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Final

from blikk_edge.core.sightings import Label
from blikk_edge.language.grounding.claims import Claim, Violation
from blikk_edge.language.grounding.lexicon import Lexicon
from blikk_edge.language.grounding.numbers import DONE
from blikk_edge.language.grounding.tokens import ENDS, NAME, Token


class Part(StrEnum):
    """What a word is in a notice; the names are the keys of its `[chunks]`, but for those that the code knows."""

    WHO = "who"  # by the nouns of the lexicon, and these
    PLACE = "place"  # by the names of the user's and the places of the lexicon, and these
    TIME = "time"  # a time or length that was read, and these
    COUNT = "count"
    END = "end"  # of a sentence
    BREAK = "break"  # between clauses
    ARTICLE = "article"
    RANK = "rank"  # `first`, `last`: of no one who was there
    CALM = "calm"  # `quiet`, `busy`: of a place, a time, a happening, and of no one
    QUALITY = "quality"  # before or behind a noun, or behind a form of `be`
    HAPPENING = "happening"  # a visit, a stay, a ring, activity
    BELL = "bell"
    DEVICE = "device"  # a camera, its picture or record
    BE = "be"
    HELP = "help"  # auxiliaries, which have no object
    GO = "go"  # coming, being there, going: verbs without an object
    ENTER = "enter"  # the object is a place
    FIND = "find"  # seeing and recording, whose object is who or what was there
    BRING = "bring"  # putting down, taking: the object is a parcel
    RING = "ring"  # the object is a bell
    MAKE = "make"  # with a happening only: `made a short visit`
    AT = "at"  # prepositions of place
    SIGHT = "sight"  # those of a camera's picture: `on camera`
    WHEN = "when"  # prepositions of time
    OF = "of"  # prepositions that join two nouns
    JOIN = "join"  # begins a new clause
    CLAUSE = "clause"  # begins one that has to have a verb
    ORDER = "order"  # begins one that has a verb and names nobody: `before leaving`
    PRONOUN = "pronoun"
    ADVERB = "adverb"
    NOT = "not"


_NOUNS: Final = frozenset(
    {Part.WHO, Part.PLACE, Part.TIME, Part.HAPPENING, Part.BELL, Part.DEVICE, Part.PRONOUN},
)
_VERBS: Final = frozenset({Part.BE, Part.HELP, Part.GO, Part.ENTER, Part.FIND, Part.BRING, Part.RING, Part.MAKE})
_DEEDS: Final = frozenset({Part.GO, Part.ENTER, Part.BRING, Part.RING, Part.MAKE})
_PREPOSITIONS: Final = frozenset({Part.AT, Part.SIGHT, Part.WHEN, Part.OF})
_LIGHT: Final = frozenset({Part.ARTICLE, Part.COUNT, Part.RANK, Part.CALM, Part.QUALITY, Part.ADVERB, Part.NOT})
_BEGINS: Final = frozenset({Part.BREAK, Part.JOIN, Part.CLAUSE, Part.ORDER, Part.END})

_TAKES: Final = {
    Part.AT: _NOUNS - {Part.WHO, Part.DEVICE},
    Part.SIGHT: frozenset({Part.DEVICE}),
    Part.WHEN: frozenset({Part.TIME, Part.HAPPENING, Part.BELL}),
    Part.OF: _NOUNS,
    Part.MAKE: frozenset({Part.HAPPENING, Part.TIME}),
    Part.RING: frozenset({Part.BELL, Part.TIME}),
    Part.GO: frozenset({Part.TIME, Part.HAPPENING}),
    Part.ENTER: frozenset({Part.PLACE, Part.TIME, Part.DEVICE}),
    Part.BRING: frozenset({Part.PLACE, Part.TIME, Part.HAPPENING, Part.PRONOUN}),
    Part.FIND: _NOUNS,
    Part.BE: _NOUNS - {Part.PLACE, Part.DEVICE},
    Part.HELP: frozenset({Part.PLACE, Part.TIME}),
    Part.QUALITY: frozenset({Part.TIME}),  # a participle: who was seen sees nothing
}
"""Which nouns may stand behind a verb or preposition; behind a verb a subject too, where a language does so."""

_PLURAL: Final = frozenset({Part.HAPPENING, Part.DEVICE, Part.TIME, Part.PLACE})


@dataclass(frozen=True, slots=True)
class _State:
    """How far one reading of a sentence has come.

    Attributes:
        governor: The verb or preposition that the next noun belongs to; None where there is none.
        subject: Whether the clause has named who it is about.
        last: The Part of the last word; None at the beginning.
        open: Whether an article waits for its noun.
        verb: Whether the clause still needs a verb.
        ranked: Whether a RANK waits for its noun.
        nobody: Whether the clause may name nobody.
        someone: Whether the clause is about somebody who was named, by no pronoun.
        bare: Whether it is about a place or a camera, which neither comes nor goes.
        rung: Whether the sentence names a ring: who was there then is not said with a pronoun.
        parcel: Whether a parcel was named.
        brought: Whether something was put down or taken that still has to be named.
    """

    governor: Part | None = None
    subject: bool = False
    last: Part | None = None
    open: bool = False
    verb: bool = False
    ranked: bool = False
    nobody: bool = False
    someone: bool = False
    bare: bool = False
    rung: bool = False
    parcel: bool = False
    brought: bool = False


def misjoined(
    tokens: Sequence[Token], lexicon: Lexicon, places: frozenset[str], *, cut: bool = False
) -> Iterator[Violation]:
    """What of a text is no chunk, or stands where it may not; `places` are the words of places that may be named.

    `cut` says that its first sentence is a title that was cut, which may end anywhere.
    """
    begin = 0
    for i, token in enumerate(tokens):
        if token.text in ENDS or i + 1 == len(tokens):
            sentence = tokens[begin : i + 1]
            if (at := _Grammar(lexicon, places).stuck(sentence, cut=cut and not begin)) is not None:
                words = " ".join(one.text for one in sentence[max(0, at - 2) : at + 2])
                yield Violation(Claim.UNKNOWN, words, "said in a way that cannot be checked")
            begin = i + 1


class _Grammar:
    """The chunks of one language."""

    def __init__(self, lexicon: Lexicon, places: frozenset[str]) -> None:
        self._lexicon = lexicon
        self._places = places
        self._words = _words(lexicon)
        self._inverts = lexicon.chunks["inverts"]

    def stuck(self, tokens: Sequence[Token], *, cut: bool = False) -> int | None:
        """Where the reading of a sentence ends that comes furthest; None where it comes to the end."""
        states: list[set[_State]] = [set() for _ in range(len(tokens) + 1)]
        watched = self._lexicon.words("words.watched")
        states[0].add(_State(rung=any({one.text, one.base} & watched for one in tokens)))
        furthest = 0
        for i in range(len(tokens)):
            if not states[i]:
                continue
            furthest = i
            for size, part in self._parts(tokens, i):
                word = tokens[i + size - 1]
                states[i + size] |= {new for state in states[i] for new in self._steps(state, part, word)}
        complete = (cut and bool(states[-2])) or any(_closed(state) and not state.brought for state in states[-1])
        return None if complete else furthest if not states[-1] else len(tokens) - 1

    def _steps(self, state: _State, part: Part, word: Token) -> Iterator[_State]:
        """Each reading with one more word. With a `no` another clause may begin."""
        if new := self._step(state, part, word):
            yield new
        if part is Part.COUNT and state.governor is Part.OF:
            yield replace(state, governor=None, last=part)  # `no more than two`
        if part is Part.NOT and (new := self._next_clause(state, Part.NOT)):
            yield new

    def _step(self, state: _State, part: Part, word: Token) -> _State | None:
        """The reading with one more word; None where that word may not stand there."""
        if part in _BEGINS:
            return self._next_clause(state, part)
        if part in _LIGHT:
            return self._light(state, part)
        if part in _VERBS:
            return self._verb(state, part)
        if part in _PREPOSITIONS:
            return self._preposition(state, part)
        if part in {Part.WHO, Part.PRONOUN, Part.BELL}:
            return self._someone(state, part, word)
        return self._something(state, part, word)

    def _light(self, state: _State, part: Part) -> _State | None:
        """A word that belongs to the noun or verb beside it."""
        if part is Part.CALM and state.someone:
            return None
        article = part is Part.ARTICLE
        return replace(state, last=part, open=state.open or article, ranked=state.ranked or part is Part.RANK)

    def _next_clause(self, state: _State, part: Part) -> _State | None:
        if not _closed(state) or (part is Part.END and state.brought):
            return None
        return _State(
            last=part,
            verb=part in {Part.CLAUSE, Part.ORDER},
            nobody=part is Part.ORDER,
            rung=state.rung,
            parcel=state.parcel,
            brought=state.brought,
        )

    def _verb(self, state: _State, part: Part) -> _State | None:
        """Behind an article it is no verb: `the parked car`. Who is named before a FIND was found, and finds nobody."""
        if state.open and state.last is Part.ARTICLE:
            return replace(state, last=Part.QUALITY)
        waits = state.governor in _PREPOSITIONS - {Part.OF}
        finds = part is Part.FIND and state.governor in _DEEDS
        if waits or finds or (part in _DEEDS and state.bare):
            return None
        governor = Part.QUALITY if part is Part.FIND and state.subject else part
        brought = state.brought or (part is Part.BRING and not state.parcel)
        return replace(state, governor=governor, last=part, open=False, verb=False, brought=brought)

    def _preposition(self, state: _State, part: Part) -> _State | None:
        joins = part is not Part.OF or state.last not in {*_DEEDS, Part.ADVERB} - {Part.BRING}
        second = state.last in _PREPOSITIONS and not part is state.last is Part.WHEN
        ranked = state.last is Part.RANK and part is Part.WHEN  # `the last at 14:20`
        if not joins or second or (state.open and not ranked and state.last is not Part.COUNT):
            return None
        return replace(state, governor=part, last=part, open=False, ranked=state.ranked and not ranked)

    def _something(self, state: _State, part: Part, word: Token) -> _State | None:
        """A place, a time, a happening or a camera."""
        governor = state.governor
        counted = part is Part.PLACE and state.last is Part.COUNT and word.text != NAME.strip()
        if counted or (governor is not None and part not in _TAKES[governor]):
            return None
        bare = governor is None and not state.subject and part in {Part.PLACE, Part.DEVICE}
        return replace(state, governor=None, last=part, open=False, ranked=False, bare=state.bare or bare)

    def _someone(self, state: _State, part: Part, word: Token) -> _State | None:
        """Who was there, a pronoun, or the bell: the subject of its clause, or the object of its verb."""
        governor, package = state.governor, Label.PACKAGE in word.labels
        if not package and self._is_unknown(state, part):
            return None
        new = replace(state, governor=None, last=part, open=False, ranked=False, bare=False)
        if package or part is Part.PRONOUN:
            new = replace(new, parcel=True, brought=False)
        if governor in _PREPOSITIONS or state.subject:
            alone = governor is None and (package or part is Part.BELL)
            taken = governor is not None and (
                part in _TAKES[governor] or (package and governor in {Part.BRING, Part.WHEN})
            )
            return new if alone or taken else None
        if governor is not None and part not in _TAKES[governor] and not self._inverts:
            return new if package and governor is Part.BRING else None
        return replace(new, subject=True, someone=part is Part.WHO)

    def _is_unknown(self, state: _State, part: Part) -> bool:
        """Whether somebody is named of whom it is not known: a first one, who came before a ring, who stood beside."""
        if part is Part.WHO:
            return state.ranked or state.nobody or state.last is Part.CALM
        beside = state.governor is Part.AT and self._inverts
        return part is Part.PRONOUN and (beside or (state.rung and state.verb))

    def _parts(self, tokens: Sequence[Token], i: int) -> Iterator[tuple[int, Part]]:
        """How many words from `i` on are one chunk, and of which Part."""
        token = tokens[i]
        for size in range(1, min(self._words.longest, len(tokens) - i) + 1):
            phrase = " ".join(one.text for one in tokens[i : i + size])
            parts = self._words.parts.get(phrase, frozenset())
            yield from ((size, part) for part in (parts & {Part.RANK} or parts))
        if Part.RANK not in self._words.parts.get(token.text, ()):
            yield from ((1, part) for part in self._of(token))

    def _of(self, token: Token) -> frozenset[Part]:
        """The Parts of one word, beside those that its own form has in the list."""
        if not token.word:
            return _mark(token)
        parts: set[Part] = set()
        if token.labels:
            parts.add(Part.WHO)
        if {token.text, token.base} & self._places or token.base in self._lexicon.words("words.places"):
            parts.add(Part.PLACE)
        if token.text in self._lexicon.quantifiers or token.text in self._lexicon.ordinals:
            parts.add(Part.COUNT)
        if token.text in self._lexicon.content["parts"]:
            parts.add(Part.TIME)
        for base in self._lexicon.bases(token.text):
            parts |= self._words.parts.get(base, frozenset()) & self._words.inflected
        one = token.text.removesuffix(self._lexicon.content["plural_ending"])
        parts |= self._words.parts.get(one, frozenset()) & _PLURAL
        return frozenset(parts) or self._of_compound(token.text)

    def _of_compound(self, text: str) -> frozenset[Part]:
        """The Parts of a word that is written of two known ones: those of the last."""
        for first, last in self._lexicon.halves(text):
            nouns = (self._words.parts.get(last, frozenset())) & {Part.HAPPENING, Part.BELL, Part.DEVICE, Part.TIME}
            if nouns and (self._words.parts.get(first) or first in self._places):
                return nouns
        return frozenset()


def _closed(state: _State) -> bool:
    """Whether a clause may end here: nothing waits for its noun or verb."""
    waits = state.last is Part.ARTICLE or state.governor in _PREPOSITIONS or state.last is Part.MAKE
    return not waits and not state.verb and not state.ranked and not state.open


def _mark(token: Token) -> frozenset[Part]:
    if token.number is not None:
        return frozenset({Part.COUNT})
    if token.text == DONE.strip():
        return frozenset({Part.TIME})
    if token.text == NAME.strip():
        return frozenset({Part.PLACE})
    return frozenset({Part.END if token.text in ENDS else Part.BREAK})


@dataclass(frozen=True, slots=True)
class _Words:
    """The chunks of a language, by their words.

    Attributes:
        parts: The Parts of a word or phrase.
        longest: How many words the longest phrase has.
        inflected: The Parts whose words are known in all their forms.
    """

    parts: dict[str, frozenset[Part]]
    longest: int
    inflected: frozenset[Part]


@cache
def _words(lexicon: Lexicon) -> _Words:
    """From `[chunks]`, where `_` stands for a blank within a phrase."""
    parts: dict[str, set[Part]] = {}
    for part in Part:
        for entry in lexicon.chunks.get(part, "").split():
            parts.setdefault(entry.replace("_", " "), set()).add(part)
    return _Words(
        {words: frozenset(each) for words, each in parts.items()},
        max((words.count(" ") + 1 for words in parts), default=1),
        frozenset(map(Part, lexicon.chunks["inflected"].split())),
    )
