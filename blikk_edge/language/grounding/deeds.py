"""What somebody is said to have done, in words that claim nothing when they stand alone: objects and particles of verbs.

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
        verbs = lexicon.particles.get(token.text)
        if verbs and _ends(tokens, i, lexicon) and (clause := _before(tokens, i, lexicon)):
            if not {word for t in clause for word in (t.text, t.base)} & verbs:
                words = " ".join(t.text for t in (*clause[-4:], token))
                yield Violation(Claim.UNKNOWN, words, "what it claims cannot be checked")


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


def _ends(tokens: Sequence[Token], i: int, lexicon: Lexicon) -> bool:
    """Whether a clause ends behind this word."""
    return i + 1 == len(tokens) or tokens[i + 1].text in lexicon.words("deeds.ends")


def _before(tokens: Sequence[Token], i: int, lexicon: Lexicon) -> Sequence[Token]:
    first = i
    while first > 0 and tokens[first - 1].text not in lexicon.words("deeds.begins"):
        first -= 1
    return tokens[first:i]
