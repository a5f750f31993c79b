"""Whether the numbers of a text are those that were seen."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from blikk_edge.core.sightings import Label
from blikk_edge.enrichers.facts import MAX_STAYS, Facts, Stay
from blikk_edge.enrichers.grounding import lexicon
from blikk_edge.enrichers.grounding.claims import Claim, Violation
from blikk_edge.enrichers.grounding.tokens import Token

_BETWEEN: Final = lexicon.word_set(
    """
    other more different separate additional new further of the these distinct unidentified unknown moving visible
    parked single total individual total unique
    """
)
"""What may stand between a number and its noun."""

_QUANTIFIERS: Final[dict[str, tuple[float, float]]] = {
    "both": (2, 2),
    "pair": (2, 2),
    "couple": (2, 2),
    "duo": (2, 2),
    "trio": (3, 3),
    "single": (1, 1),
    "lone": (1, 1),
    "solo": (1, 1),
    "sole": (1, 1),
    "few": (2, math.inf),
    "multiple": (2, math.inf),
    "various": (2, math.inf),
    "group": (2, math.inf),
    "several": (3, math.inf),
    "number": (2, math.inf),
    "handful": (3, math.inf),
    "many": (5, math.inf),
    "numerous": (5, math.inf),
    "lot": (5, math.inf),
    "lots": (5, math.inf),
    "dozens": (12, math.inf),
    "bunch": (3, math.inf),
}
_ORDINALS: Final = {"second": 2, "third": 3, "fourth": 4, "fifth": 5, "another": 2, "sixth": 6, "seventh": 7}
_MORE_TO_COME: Final = lexicon.word_set("other another others third second joined more later remaining rest then")
_TIMES: Final = lexicon.word_set("visit time occasion event arrival sighting appearance detection by")
_STOPS: Final = lexicon.word_set(". ; : , ! ? and but")
_ENDS: Final = frozenset(".;!?")
_AT_ONCE: Final = frozenset({"simultaneous", "simultaneously", "together"})
_IN_ALL: Final = frozenset({"total", "all", "altogether", "overall"})


@dataclass(frozen=True, slots=True)
class _Quantity:
    least: float
    most: float
    tokens: tuple[int, ...]


def miscounts(tokens: Sequence[Token], facts: Facts) -> Iterator[Violation]:
    """Every number in the text that nothing supports."""
    counted = [(i, _quantity(tokens, i)) for i, token in enumerate(tokens) if token.labels and not token.negated]
    # `two people came, one person stayed`: whoever has told of all may go on to tell of one
    told = {
        label
        for i, quantity in counted
        if quantity and quantity.least >= _bounds(facts, tokens[i])[0] and _fits(tokens, i, quantity, facts)
        for label in tokens[i].labels
    }
    partly = any(token.text in _MORE_TO_COME for token in tokens)
    for i, quantity in counted:
        if quantity is None or _fits(tokens, i, quantity, facts, part=partly or bool(told & set(tokens[i].labels))):
            continue
        said = " ".join(t.text for t in tokens[min((*quantity.tokens, i)) : i + 1])
        yield Violation(Claim.COUNT, said, f"seen: {_seen(facts, tokens[i])}")
    used = {j for _, quantity in counted if quantity for j in quantity.tokens}
    for i, token in enumerate(tokens):
        bounds = None if i in used else _loose(tokens, i)
        if bounds is not None and not _fits_anything(tokens, i, *bounds, facts):
            yield Violation(Claim.COUNT, token.text, "nothing was seen or happened so many times")


def _quantity(tokens: Sequence[Token], i: int) -> _Quantity | None:
    """How many of a noun the text claims; two at least for a bare plural, None where it says nothing."""
    found = _before(tokens, i) or _behind(tokens, i)
    if found is None and tokens[i].plural:
        return _Quantity(5 if tokens[i].text == "crowd" else 2, math.inf, ())
    return found


def _before(tokens: Sequence[Token], i: int) -> _Quantity | None:
    """The number that stands before a noun."""
    j = i - 1
    while j >= 0 and tokens[j].text in _BETWEEN - set(_QUANTIFIERS):
        j -= 1
    if j < 0:
        return None
    token = tokens[j]
    if token.number is not None:
        return _numbered(tokens, j)
    if token.text in {"one", "only"} | set(_QUANTIFIERS):
        least, most = _QUANTIFIERS.get(token.text, (1.0, 1.0))
        return None if token.text == "only" else _Quantity(least, most, (j,))
    if token.text in _ORDINALS:
        return _Quantity(_ORDINALS[token.text], math.inf, (j,))
    return None


def _numbered(tokens: Sequence[Token], j: int) -> _Quantity:
    """`3`, `2 or 3`, `between 2 and 3`, `at least 3`, which ends at `j`."""
    most = least = tokens[j].number or 0.0
    used = [j]
    if j >= 2 and tokens[j - 2].number is not None and tokens[j - 1].text in {"or", "to", "and"}:
        least, used = tokens[j - 2].number or 0.0, [j - 2, j - 1, j]
    before = tuple(token.text for token in tokens[max(0, min(used) - 3) : min(used)])
    if (
        least == most
        and before[-2:] in {("more", "than"), ("greater", "than")}
        and before[:1] not in {("no",), ("not",)}
    ):
        least, most = least + 1, math.inf
    elif least == most and before[-1:] in {("least",), ("over",)}:
        most = math.inf
    return _Quantity(least, most, tuple(used))


def _behind(tokens: Sequence[Token], i: int) -> _Quantity | None:
    """`person 2`, `people: 3`, `people (3`, `person x2`: at least so many."""
    for j in (i + 1, i + 2):
        if j < len(tokens) and (number := tokens[j].number) is not None:
            return _Quantity(number, math.inf, (j,))
        if j < len(tokens) and tokens[j].text not in {":", "(", "x", "×", "="}:
            break
    return None


def _fits(tokens: Sequence[Token], i: int, quantity: _Quantity, facts: Facts, *, part: bool = False) -> bool:
    """Whether as many of this noun were seen, at once where the text says so; a `part` of them may be fewer."""
    low, high = _bounds(facts, tokens[i])
    if _at_once(tokens, i):
        high = max((facts.peak.get(label, 0) for label in tokens[i].labels), default=0)
    return quantity.least <= high and (part or quantity.most >= low)


def _at_once(tokens: Sequence[Token], i: int) -> bool:
    """Whether the text says that so many of this noun were there at a time; a clause with a number tells of itself."""
    if any(t.text in _IN_ALL for t in _around(tokens, i, _STOPS)):
        return False
    if any(t.base in _AT_ONCE for t in _around(tokens, i, _STOPS)):
        return True
    sentence = _around(tokens, i, _ENDS)
    said = next((j for j, t in enumerate(sentence) if t.base in _AT_ONCE), None)
    return said is not None and not any(t.number is not None for t in _around(sentence, said, _STOPS))


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


def is_of(stay: Stay, kind: str) -> bool:
    """Whether this object is of the class that a noun names."""
    sub_label = stay.sub_label.strip().lower().replace("_", " ")
    sub_label = lexicon.ALIASES.get(sub_label, sub_label)
    return sub_label in lexicon.BAGS if kind == "bag" else sub_label == kind


def _loose(tokens: Sequence[Token], i: int) -> tuple[float, float] | None:
    """A number that no noun took, or `twice` and the like."""
    token = tokens[i]
    if token.number is not None:
        return token.number, token.number
    if token.text == "twice":
        return 2, 2
    if token.text == "once" and any(t.base in lexicon.WATCHED for t in _around(tokens, i, _STOPS)):
        return 1, 1
    if token.text in _ORDINALS and token.text not in {"second", "another"}:
        return _ORDINALS[token.text], math.inf
    if token.text in _QUANTIFIERS and token.text not in {"number", "single", "sole"}:
        return _QUANTIFIERS[token.text]
    return None


def _fits_anything(tokens: Sequence[Token], i: int, least: float, most: float, facts: Facts) -> bool:
    """Whether a loose number may mean visits, rings, cameras or what was seen."""
    following = tokens[i + 1].base if i + 1 < len(tokens) else ""
    rings = any(t.base in lexicon.WATCHED for t in _around(tokens, i, _STOPS))
    if rings or following == "ring":
        return least <= len(facts.rings) <= most
    if following == "camera":
        return least <= len(facts.cameras) <= most
    total = sum(facts.visits.values())
    visits = [*facts.visits.values(), total, total - facts.visits.get(Label.PACKAGE, 0)]  # a parcel does not visit
    if following in _TIMES or tokens[i].text == "twice":
        return any(least <= n <= most for n in visits)
    spans = [(facts.peak.get(label, 0), facts.seen.get(label, 0)) for label in facts.labels]
    spans += [(n, n) for n in visits] + [(sum(low for low, _ in spans), sum(high for _, high in spans))]
    return least == most == 1 or any(low <= most and high >= least for low, high in spans)


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
