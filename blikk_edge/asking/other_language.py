"""A question in a language whose rules this node does not use."""

from collections.abc import Callable, Sequence

from blikk_edge.asking.reader import Puzzle
from blikk_edge.core.inquiry import Query
from blikk_edge.language.language import language, tags
from blikk_edge.language.reading import Reading, reading


def hint(reads: Sequence[str], understood: Callable[[Reading], Query | Puzzle]) -> str:
    """What to say to a question that was not understood, in its own language; empty where it is in one of `reads`.

    It is in another one where the rules of that one understand it, or more than half of the words that are strange.
    """
    rules = {tag: found for tag in tags() if (found := reading(tag)) is not None}
    strange = {tag: _strange(understood(found)) for tag, found in rules.items()}
    own = min(strange[tag] for tag in reads)
    other = min((tag for tag in rules if tag not in reads), key=strange.__getitem__, default=None)
    if other is None or 2 * strange[other] >= own:
        return ""
    found = rules[other]
    return found.hint(language(other).every([found.name_of(tag) for tag in reads]))


def _strange(understood: Query | Puzzle) -> int:
    return len(understood.words) if isinstance(understood, Puzzle) else 0
