"""What a text says of all that was there: that all rang, that nothing else came, that a parcel was taken."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile
from typing import Final

from blikk_edge.core.sightings import Label
from blikk_edge.language.facts import Facts
from blikk_edge.language.grounding.claims import Claim, Violation
from blikk_edge.language.grounding.lexicon import Lexicon
from blikk_edge.language.grounding.numbers import DONE
from blikk_edge.language.grounding.tokens import ENDS, Token, tokens_of

NEAR_S: Final = 30.0
"""A ring so long before or after somebody was seen may be theirs."""

_CLAUSE_WORDS: Final = 6

_SENTENCE: Final = re.compile(r"[^.;!?]+(?:\.(?=\d)[^.;!?]+)*")


def ring_times(facts: Facts) -> list[float]:
    """The times at which it rang, as far as a text may say: who came or went within NEAR_S of a ring may have rung."""
    return [time for time in facts.times if any(abs(time - ring) <= NEAR_S for ring in facts.rings)]


def misclaimed(text: str, facts: Facts, lexicon: Lexicon) -> Iterator[Violation]:
    """What a prepared text says of the whole and what nothing supports."""

    def found(state: str) -> re.Match[str] | None:
        return lexicon.pattern(f"states.{state}").search(text)

    parcel = facts.peak.get(Label.PACKAGE, 0) > 0
    lies = not facts.ended or any(stay.still for stay in facts.stays if stay.label is Label.PACKAGE)
    lies = lies and not facts.taken
    if sum(facts.visits.values()) > 1 and (said := found("all_rang")):
        yield Violation(Claim.RING, said[0], "who rang is not known")
    if parcel and lies and (said := found("taken")):
        yield Violation(Claim.STATE, said[0], "it is still there")
    if parcel and (said := found("nothing_left")):
        yield Violation(Claim.LABEL, said[0], "a parcel was seen")
    still = any(stay.still for stay in facts.stays)
    if facts.labels and not still and not facts.parked and (said := found("motionless")):
        yield Violation(Claim.STATE, said[0], "that it stood still was not reported")
    yield from _rang_when(text, facts, lexicon)
    yield from _at_an_edge(text, facts, lexicon)
    for sentence in _SENTENCE.findall(text):
        if only := lexicon.pattern("states.nothing_but").search(sentence):
            yield from _more(only[0], tokens_of(sentence, lexicon), facts)


def mistold(tokens: Sequence[Token], facts: Facts, lexicon: Lexicon) -> Iterator[Violation]:
    """A coming of what had been there, a going of what is there still, a second time where there was one."""
    stood = facts.drove_off and facts.labels == (Label.VEHICLE,) and facts.visits.get(Label.VEHICLE, 0) < 2
    once = max(sum(facts.visits.values()), *facts.seen.values(), 1) < 2
    stays = not facts.ended and not facts.drove_off and once and Label.PACKAGE not in facts.labels
    times = max(sum(facts.visits.values()), len(facts.rings), 1)
    lies = Label.PACKAGE in facts.labels and not facts.taken and not (facts.ended and not _still(facts))
    over = facts.ended and bool(facts.labels) and not _still(facts) and not facts.parked
    is_there = over and _together(tokens, lexicon, "still", "present")
    if over and (stayed := _stayed_there(tokens, lexicon)):
        yield Violation(Claim.STATE, stayed, "it is over")
    if is_there:
        yield Violation(Claim.STATE, is_there, "it is over")
    if facts.parked and (moved := _together(tokens, lexicon, "move", "thereafter")):
        yield Violation(Claim.STATE, moved, "it parked")
    several = any(count > 1 for count in facts.peak.values())
    denied = False
    for i, token in enumerate(tokens):
        denied = token.text != "." and (denied or token.text in lexicon.chunk_words("not"))
        if stood and not denied and token.text in lexicon.chunk_words("arrive"):
            yield Violation(Claim.STATE, token.text, "it had been there before")
        if stays and not denied and token.text in lexicon.chunk_words("leave"):
            yield Violation(Claim.STATE, token.text, "it goes on")
        if lies and not denied and token.text in lexicon.chunk_words("take"):
            yield Violation(Claim.STATE, token.text, "it is still there")
        if denied and facts.parked and token.text in lexicon.chunk_words("halt"):
            yield Violation(Claim.STATE, token.text, "it parked")
        if several and (moved := _one_moved(tokens[i : i + _CLAUSE_WORDS], lexicon)):
            yield Violation(Claim.COUNT, moved, "what one of several did is not known")
        following = tokens[i + 1].base if i + 1 < len(tokens) else ""
        nth = lexicon.ordinals.get(token.text, 0)
        if nth > times and following in lexicon.words("counts.times"):
            yield Violation(Claim.COUNT, f"{token.text} {following}", f"it was so {times} times")


def _still(facts: Facts) -> bool:
    return any(stay.still for stay in facts.stays)


def _stayed_there(tokens: Sequence[Token], lexicon: Lexicon) -> str:
    """What says that somebody is there, or came to stay: `is in the yard`, `stayed there`; else empty."""
    left = lexicon.chunk_words("leave") | lexicon.chunk_words("not")
    for i, (token, following) in enumerate(pairwise(tokens)):
        rest = {one.text for one in takewhile(lambda one: one.text not in ENDS, tokens[i:])}
        here = following.text in lexicon.chunk_words("there")
        is_at = token.text in lexicon.chunk_words("present") and (here or following.text in lexicon.chunk_words("at"))
        stays = token.text in lexicon.chunk_words("stay") and here and DONE.strip() not in rest
        if (is_at or stays) and not left & rest:
            return f"{token.text} {following.text}"
    return ""


def _one_moved(tokens: Sequence[Token], lexicon: Lexicon) -> str:
    """The words that say of one of several that it came or went: `one of them left`; else empty."""
    first, *rest = tokens
    if first.number != 1 and first.text not in lexicon.chunk_words("one"):
        return ""
    for i, token in enumerate(rest):
        if not token.word or token.labels or token.text in lexicon.chunk_words("happening"):
            return ""
        if token.text in lexicon.chunk_words("leave") | lexicon.chunk_words("arrive"):
            return " ".join(one.text for one in tokens[: i + 2])
    return ""


def _together(tokens: Sequence[Token], lexicon: Lexicon, *parts: str) -> str:
    """The words of these kinds, where one sentence has one of each and denies nothing; else empty."""
    sentence: list[str] = []
    for text in (*(token.text for token in tokens), "."):
        if text not in ENDS:
            sentence.append(text)
            continue
        found = [next((word for word in sentence if word in lexicon.chunk_words(part)), "") for part in parts]
        if all(found) and not (lexicon.chunk_words("not") - set(found)) & set(sentence):
            return " ".join(found)
        sentence = []
    return ""


def _rang_when(text: str, facts: Facts, lexicon: Lexicon) -> Iterator[Violation]:
    """A ring while something was there, or before it came, where no ring was then."""
    for match in lexicon.pattern("states.rang_when").finditer(text) if facts.rings else ():
        named = {label for token in tokens_of(match["rest"], lexicon) for label in token.labels}
        stays = [stay for stay in facts.stays if stay.label in named]
        near = any(s.since - NEAR_S <= ring <= s.until + NEAR_S for s in stays for ring in facts.rings)
        if stays and (match["before"] or not near):
            yield Violation(Claim.RING, match[0].strip(), "the ring was not then")


def _at_an_edge(text: str, facts: Facts, lexicon: Lexicon) -> Iterator[Violation]:
    """`At the end of the hour`: something was in that third of it; a ring, where the sentence names one."""
    for sentence in _SENTENCE.findall(text):
        match = lexicon.pattern("states.edge").search(sentence)
        if match is None:
            continue
        rings = any(token.base in lexicon.words("words.watched") for token in tokens_of(sentence, lexicon))
        stays = [time for stay in facts.stays for time in (stay.since, stay.until)]
        times = facts.rings if rings else (*stays, *facts.rings, *facts.moments)
        third_s = facts.duration_s / 3
        first, last = (facts.until - third_s, facts.until) if match["last"] else (facts.since, facts.since + third_s)
        if not any(first <= time <= last for time in times):
            yield Violation(Claim.TIME, match[0], "nothing of it was then")


def _more(words: str, tokens: Sequence[Token], facts: Facts) -> Iterator[Violation]:
    """What was there too, of a sentence that says there was nothing but what it names."""
    named = {label for token in tokens for label in token.labels}
    if more := [label.value for label in facts.labels if label not in named]:
        yield Violation(Claim.LABEL, words, f"there was {' and '.join(more)} too")
