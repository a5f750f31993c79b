"""Whether the numbers of a text are those that were seen."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from blikk_edge.core.sightings import Label
from blikk_edge.language.facts import MAX_STAYS, Facts, Stay
from blikk_edge.language.grounding.claims import Claim, Violation
from blikk_edge.language.grounding.lexicon import Lexicon
from blikk_edge.language.grounding.tokens import ENDS, Token, tokens_of

BAGS: Final = frozenset({"bag", "backpack", "handbag", "suitcase"})
ALIASES: Final = {
    "bike": "bicycle",
    "motorbike": "motorcycle",
    "lorry": "truck",
    "minivan": "van",
    "auto": "car",
    "boar": "wild boar",
}
"""Names of classes of a detector that mean the same."""

_BEHIND: Final = 40
"""Letters behind a visit within which its visitor is named."""


@dataclass(frozen=True, slots=True)
class _Quantity:
    least: float
    most: float
    tokens: tuple[int, ...]


def miscounts(tokens: Sequence[Token], facts: Facts, lexicon: Lexicon) -> Iterator[Violation]:
    """Every number in the text that nothing supports."""
    yield from _Counts(tokens, facts, lexicon).wrong()


def is_of(stay: Stay, kind: str) -> bool:
    """Whether this object is of the class that a noun names."""
    sub_label = stay.sub_label.strip().lower().replace("_", " ")
    sub_label = ALIASES.get(sub_label, sub_label)
    return sub_label in BAGS if kind == "bag" else sub_label == kind


class _Counts:
    """The numbers of one text."""

    def __init__(self, tokens: Sequence[Token], facts: Facts, lexicon: Lexicon) -> None:
        self._tokens = tokens
        self._facts = facts
        self._lexicon = lexicon

    def wrong(self) -> Iterator[Violation]:
        """What nothing supports."""
        tokens, facts = self._tokens, self._facts
        counted = [(i, self._quantity(i)) for i, token in enumerate(tokens) if token.labels and not token.negated]
        # `two people came, one person stayed`: whoever has named all may go on to name one
        matched = {
            label
            for i, quantity in counted
            if quantity and quantity.least >= _bounds(facts, tokens[i])[0] and self._fits(i, quantity)
            for label in tokens[i].labels
        }
        partly = any(token.text in self._words("more_to_come") for token in tokens)
        for i, quantity in counted:
            if quantity is None or self._fits(i, quantity, part=partly or bool(matched & set(tokens[i].labels))):
                continue
            said = " ".join(t.text for t in tokens[min((*quantity.tokens, i)) : i + 1])
            yield Violation(Claim.COUNT, said, f"seen: {_seen(facts, tokens[i])}")
        text = " ".join(token.text for token in tokens)
        if facts.peak.get(Label.PERSON, 0) > 1 and (only := self._lexicon.pattern("counts.only_one").search(text)):
            yield Violation(Claim.COUNT, only[0], "more were there at once")
        yield from self._visited_once(text)
        yield from self._one_more([(i, quantity) for i, quantity in counted if quantity])
        used = {j for _, quantity in counted if quantity for j in quantity.tokens}
        for i, token in enumerate(tokens):
            bounds = None if i in used else self._loose(i)
            if bounds is not None and not self._fits_anything(i, *bounds):
                yield Violation(Claim.COUNT, token.text, "nothing was seen or happened so many times")

    def _visited_once(self, text: str) -> Iterator[Violation]:
        """A single visit, where whoever is named behind it came more often; all where nobody is."""
        for once in self._lexicon.pattern("counts.one_visit").finditer(text):
            behind = tokens_of(text[once.end() : once.end() + _BEHIND].split(".", maxsplit=1)[0], self._lexicon)
            labels = {label for token in behind for label in token.labels} or self._facts.visits.keys()
            if max((self._facts.visits.get(label, 0) for label in labels), default=0) > 1:
                yield Violation(Claim.COUNT, once[0], "there were more visits")

    def _one_more(self, counted: Sequence[tuple[int, _Quantity]]) -> Iterator[Violation]:
        """`2 people came, later one more` where no more than two were seen."""
        text = " ".join(token.text for token in self._tokens)
        more = self._lexicon.pattern("counts.one_more").search(text)
        if more is None:
            return
        before = [(i, q) for i, q in counted if len(" ".join(t.text for t in self._tokens[:i])) < more.start()]
        said = max((q.least for _, q in before), default=1)
        seen = max((_bounds(self._facts, self._tokens[i])[1] for i, _ in before), default=0)
        if said + 1 > (seen or max(self._facts.seen.values(), default=0)):
            yield Violation(Claim.COUNT, more[0], "so many were not seen")

    def _quantity(self, i: int) -> _Quantity | None:
        """How many of a noun the text claims; two at least for a bare plural, None where it says nothing."""
        found = self._before(i) or self._behind(i)
        if found is None and self._tokens[i].plural:
            return _Quantity(5 if self._tokens[i].text in self._words("crowd") else 2, math.inf, ())
        return found

    def _before(self, i: int) -> _Quantity | None:
        """The number that stands before a noun."""
        quantifiers, j = self._lexicon.quantifiers, i - 1
        between = self._words("between") - quantifiers.keys() - self._lexicon.ordinals.keys()
        while j >= 0 and self._tokens[j].text in between:
            j -= 1
        if j < 0:
            return None
        token = self._tokens[j]
        if token.number is not None:
            return self._numbered(j)
        if token.text in quantifiers:
            least, most = quantifiers[token.text]
            return _Quantity(least, most, (j,))
        if token.text in self._words("one"):
            return _Quantity(1.0, 1.0, (j,))
        if token.text in self._lexicon.ordinals:
            return _Quantity(self._lexicon.ordinals[token.text], math.inf, (j,))
        return None

    def _numbered(self, j: int) -> _Quantity:
        """`3`, `2 or 3`, `between 2 and 3`, `at least 3`, which ends at `j`."""
        tokens = self._tokens
        most = least = tokens[j].number or 0.0
        used = [j]
        if j >= 2 and tokens[j - 2].number is not None and tokens[j - 1].text in self._words("or"):
            least, used = tokens[j - 2].number or 0.0, [j - 2, j - 1, j]
        before = "".join(f"{token.text} " for token in tokens[max(0, min(used) - 4) : min(used)])
        if least == most and self._lexicon.pattern("counts.more_than").search(before):
            least, most = least + 1, math.inf
        elif least == most and self._lexicon.pattern("counts.at_least").search(before):
            most = math.inf
        return _Quantity(least, most, tuple(used))

    def _behind(self, i: int) -> _Quantity | None:
        """`person 2`, `people: 3`, `people (3`, `person x2`: at least so many."""
        tokens = self._tokens
        for j in (i + 1, i + 2):
            if j < len(tokens) and (number := tokens[j].number) is not None:
                return _Quantity(number, math.inf, (j,))
            if j < len(tokens) and tokens[j].text not in {":", "(", "x", "×", "="}:
                break
        return None

    def _fits(self, i: int, quantity: _Quantity, *, part: bool = False) -> bool:
        """Whether as many of this noun were seen, at once where the text says so; a `part` of them may be fewer."""
        low, high = _bounds(self._facts, self._tokens[i])
        if self._at_once(i):
            high = max((self._facts.peak.get(label, 0) for label in self._tokens[i].labels), default=0)
        return quantity.least <= high and (part or quantity.most >= low)

    def _at_once(self, i: int) -> bool:
        """Whether the text says that so many of this noun were there at a time.

        A clause with a number counts for itself.
        """
        stops = self._words("stops")
        if any(t.text in self._words("in_all") for t in self._around(i, stops)):
            return False
        if any(t.base in self._words("at_once") for t in self._around(i, stops)):
            return True
        sentence = self._around(i, ENDS)
        said = next((j for j, t in enumerate(sentence) if t.base in self._words("at_once")), None)
        return said is not None and not any(t.number is not None for t in _around(sentence, said, stops))

    def _loose(self, i: int) -> tuple[float, float] | None:
        """A number that no noun took, or `twice` and the like."""
        token, ordinals = self._tokens[i], self._lexicon.ordinals
        if token.number is not None:
            return token.number, token.number
        if token.text in self._words("twice"):
            return 2, 2
        if token.text in self._words("once") and self._rings(i):
            return 1, 1
        if token.text in ordinals and token.text not in self._words("anew"):
            return ordinals[token.text], math.inf
        if token.text in self._lexicon.quantifiers and token.text not in self._words("loose"):
            least, most = self._lexicon.quantifiers[token.text]
            return least, most
        return None

    def _fits_anything(self, i: int, least: float, most: float) -> bool:
        """Whether a loose number may mean visits, rings, cameras or what was seen."""
        facts = self._facts
        between = self._words("between")
        next_one = next((token for token in self._tokens[i + 1 :] if token.text not in between), Token(""))
        following = next_one.base
        if self._rings(i) or following in self._words("ring"):
            return least <= len(facts.rings) <= most
        if following in self._words("camera"):
            return least <= len(facts.cameras) <= most
        total = sum(facts.visits.values())
        visits = [total, total - facts.visits.get(Label.PACKAGE, 0)]  # a parcel does not visit
        clause = self._around(i, ENDS)
        if not any(t.text in self._words("in_all") for t in clause) or any(t.labels for t in clause):
            visits += facts.visits.values()
        if self._words("times") & {next_one.text, *self._lexicon.bases(next_one.text)} or self._tokens[
            i
        ].text in self._words("twice"):
            named = {label for one in self._around(i, self._words("stops")) for label in one.labels if not one.negated}
            own = [facts.visits.get(label, 0) for label in named]
            return any(least <= n <= most for n in ([*own, sum(own)] if own else visits))
        spans = [(facts.peak.get(label, 0), facts.seen.get(label, 0)) for label in facts.labels]
        spans += [(n, n) for n in visits] + [(sum(low for low, _ in spans), sum(high for _, high in spans))]
        return least == most == 1 or any(low <= most and high >= least for low, high in spans)

    def _rings(self, i: int) -> bool:
        """Whether the clause is about the doorbell."""
        watched = self._lexicon.words("words.watched")
        return any(token.base in watched for token in self._around(i, self._words("stops")))

    def _around(self, i: int, stops: frozenset[str]) -> Sequence[Token]:
        return _around(self._tokens, i, stops)

    def _words(self, name: str) -> frozenset[str]:
        return self._lexicon.words(f"counts.{name}")


def _bounds(facts: Facts, token: Token) -> tuple[int, int]:
    """How many of what this noun names were seen: at least, at most."""
    low = max(facts.peak.get(label, 0) for label in token.labels)
    high = min(max(facts.seen.get(label, 0), facts.peak.get(label, 0)) for label in token.labels)
    if not token.kind:
        return low, high
    stays = [stay for stay in facts.stays if stay.label in token.labels]
    alike = sum(is_of(stay, token.kind) for stay in stays)
    if alike == len(stays) or len(facts.stays) >= MAX_STAYS:
        return low, high
    return 1, alike


def _around(tokens: Sequence[Token], i: int, stops: frozenset[str]) -> Sequence[Token]:
    """The tokens of the clause that this one stands in."""
    first, last = i, i
    while first > 0 and tokens[first - 1].text not in stops:
        first -= 1
    while last + 1 < len(tokens) and tokens[last + 1].text not in stops:
        last += 1
    return tokens[first : last + 1]


def _seen(facts: Facts, token: Token) -> str:
    label: Label = token.labels[0]
    return f"{facts.peak.get(label, 0)} at once, {facts.seen.get(label, 0)} in all"
