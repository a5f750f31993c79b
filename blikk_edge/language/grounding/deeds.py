"""What somebody is said to have done, in words that claim nothing alone: objects and particles of verbs.

`took a call` and `holte ein Paket ab` are made of known words. So what stands behind an article has to be a noun that
claims nothing, and a particle at the end of a clause has to belong to a verb of coming, staying or going.
"""

from collections.abc import Iterator, Sequence

from blikk_edge.language.grounding.claims import Claim, Violation
from blikk_edge.language.grounding.lexicon import Lexicon
from blikk_edge.language.grounding.tokens import Token


def misdone(tokens: Sequence[Token], lexicon: Lexicon, places: frozenset[str]) -> Iterator[Violation]:
    """Objects and particles that nothing supports; `places` are the words of places that may be named."""
    for i, token in enumerate(tokens):
        if token.text in lexicon.words("deeds.articles") and (odd := _odd_noun(tokens, i, lexicon, places)):
            yield Violation(Claim.UNKNOWN, odd, "what it claims cannot be checked")
        if token.text in lexicon.particles and (odd := _odd_particle(tokens, i, lexicon)):
            yield Violation(Claim.UNKNOWN, odd, "what it claims cannot be checked")


def _odd_noun(tokens: Sequence[Token], i: int, lexicon: Lexicon, places: frozenset[str]) -> str:
    """The noun behind the article at `i`, where it may claim something; words before a noun are passed over."""
    for token in tokens[i + 1 : i + 6]:
        if not token.word or token.labels or {token.text, token.base} & places:
            return ""
        if not token.base or {token.text, token.base} & lexicon.words("deeds.nouns"):
            return ""
        if {token.text, token.base} & lexicon.words("deeds.before_nouns"):
            continue
        judged = token.guess is not None or token.base not in lexicon.words("words.plain")
        return "" if judged else f"{tokens[i].text} {token.text}"
    return ""


def _odd_particle(tokens: Sequence[Token], i: int, lexicon: Lexicon) -> str:
    """The particle at `i`, where it ends a clause without any of its verbs."""
    if i + 1 < len(tokens) and tokens[i + 1].text not in lexicon.words("deeds.ends"):
        return ""
    first = i
    while first > 0 and tokens[first - 1].text not in lexicon.words("deeds.begins"):
        first -= 1
    clause = tokens[first:i]
    if (
        not clause
        or {word for token in clause for word in (token.text, token.base)} & lexicon.particles[tokens[i].text]
    ):
        return ""
    return " ".join(token.text for token in (*clause[-4:], tokens[i]))
