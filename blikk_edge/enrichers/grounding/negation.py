"""What a text says was not there: which of its nouns stand under a `no` or a `not`."""

from typing import Final

from blikk_edge.enrichers.grounding import lexicon
from blikk_edge.enrichers.grounding.tokens import Token

_WITHIN: Final = lexicon.word_set(
    "a an any other further more new additional visible moving of or and , person parked unidentified"
)
"""What may stand between `no` and its nouns."""

_BE: Final = lexicon.word_set("was were is are has have been be")
_SEEN: Final = lexicon.word_set(
    "seen detected observed present visible found there spotted noticed recorded involved here around"
)
_SEE: Final = lexicon.word_set("see detect include show involve record observe find notice capture spot pick")
_AFTER_LIST: Final = _BE | _SEEN | lexicon.word_set(". ; , ! ? ) in at on near by came § ¤ or during nearby") | {""}
_TOUCH: Final = lexicon.word_set(
    """
    enter entered reach reached approach approached touch touched cross crossed leave left come came go went near
    close to into in at the any was were seen there been step walk set foot get got visit visited use used on
    nobody person people someone open opened or
    """
)
_LIMITED: Final = lexicon.word_set(
    """
    else other further more longer additional new besides except apart but after afterwards since before until
    then now anymore otherwise
    """
)
_ELSEWHERE: Final = lexicon.word_set(
    """
    rang ring rung pressed left entered stayed remained approached reached touched opened used crossed with stood
    waited loitered stopped
    """
)
_ANY: Final = frozenset({"anyone", "anybody"})
_NOTS: Final = frozenset({"no", "none", "not", "never", "nothing"})


def negate(tokens: list[Token]) -> list[Token]:
    """Marks what is negated, and gives the nouns that are denied outright: `no people`, `nobody was there`."""
    denied: list[Token] = []
    for i, token in enumerate(tokens):
        if token.text in _ANY and any(t.text in _NOTS for t in tokens[max(0, i - 10) : i]):
            token.negated = True
            denied += [] if _limited(tokens, i) else [token]
        elif token.text == "nobody":
            token.negated = True
            if not _limited(tokens, i) and _text(tokens, i + 1) not in _ELSEWHERE:
                denied.append(token)
            _places(tokens, i)
        elif token.text in {"no", "none"}:
            nouns = _listed(tokens, i + 1)
            denied += [] if _limited(tokens, i) or _text(tokens, i + 1) in _LIMITED else nouns
            _places(tokens, i)
        elif token.text in {"not", "never"}:
            denied += [] if _limited(tokens, i) else _not(tokens, i)
            _places(tokens, i)
    return denied


def _listed(tokens: list[Token], start: int) -> list[Token]:
    """The nouns of `no people, vehicles or animals`. A list goes on only with bare nouns."""
    nouns: list[Token] = []
    i = start
    while i < len(tokens) and (tokens[i].labels or tokens[i].text in _WITHIN):
        if tokens[i].text in {"and", ","} and not _goes_on(tokens, i + 1):
            break
        if tokens[i].labels:
            tokens[i].negated = True
            nouns.append(tokens[i])
        i += 1
    return nouns


def _goes_on(tokens: list[Token], i: int) -> bool:
    """Whether a list goes on here: `, vehicles or`, `and animals were seen`, but not `and people walked`."""
    if _text(tokens, i) in {"or", "and", "no"}:
        i += 1
    if i >= len(tokens) or not tokens[i].labels:
        return False
    return _text(tokens, i + 1) in _AFTER_LIST | {"and"}


def _not(tokens: list[Token], i: int) -> list[Token]:
    """The nouns of `a vehicle was not seen` and `did not include vehicles`."""
    after = _text(tokens, i + 2) if _text(tokens, i + 1) == "been" else _text(tokens, i + 1)
    if _text(tokens, i - 1) in _BE and after in _SEEN:
        for token in reversed(tokens[max(0, i - 5) : i]):
            if token.text in {".", ";", "and", "but", ","}:
                break
            if token.labels:
                token.negated = True
                return [token]
    if after in _SEE:
        return _listed(tokens, i + 2)
    return []


def _places(tokens: list[Token], i: int) -> None:
    """Negates places and rings near a `not`: `never reached the gate`, `the doorbell did not ring`."""
    for token in tokens[i + 1 : i + 8]:
        if token.base in lexicon.PLACES | lexicon.WATCHED or token.text in lexicon.WATCHED:
            token.negated = True
        elif token.text not in _TOUCH and not token.negated and token.base not in {"press", "touch"}:
            break
    if _text(tokens, i + 1) in {"ring", "rung", "chime", "pressed", "rang"}:
        for token in tokens[max(0, i - 4) : i]:
            if token.base in lexicon.WATCHED:
                token.negated = True


def _limited(tokens: list[Token], i: int) -> bool:
    """Whether it is said of a part only: `nobody else`, `no other people`, `nobody came after 9`."""
    for token in tokens[i + 1 : i + 12]:
        if token.text in {".", ";", "!", "?"}:
            return False
        if token.text in _LIMITED:
            return True
    return False


def _text(tokens: list[Token], i: int) -> str:
    return tokens[i].text if 0 <= i < len(tokens) else ""
