"""What a text says was not there: which of its nouns stand under a `no` or a `not`."""

from blikk_edge.language.grounding.lexicon import Lexicon
from blikk_edge.language.grounding.numbers import DONE
from blikk_edge.language.grounding.tokens import ENDS, Token


def negate(tokens: list[Token], lexicon: Lexicon) -> list[Token]:
    """Marks what is negated, and gives the nouns that are denied outright: `no people`, `nobody was there`."""
    denial = _Denial(tokens, lexicon)
    denied: list[Token] = []
    for i in range(len(tokens)):
        denied += denial.at(i)
    return denied


class _Denial:
    """The denials of one text."""

    def __init__(self, tokens: list[Token], lexicon: Lexicon) -> None:
        self._tokens = tokens
        self._lexicon = lexicon
        self._after_list = self._words("after_list") | {""}

    def at(self, i: int) -> list[Token]:
        """What the word at `i` denies outright; what it negates is marked."""
        token, within = self._tokens[i], not self._limited(i)
        if token.text in self._words("any") and any(
            t.text in self._words("nots") for t in self._tokens[max(0, i - 10) : i]
        ):
            token.negated = True
            return [token] if within else []
        if token.text in self._words("nobody"):
            token.negated = True
            self._places(i)
            return [token] if within and self._text(i + 1) not in self._words("elsewhere") else []
        if token.text in self._words("no"):
            nouns = self._listed(i + 1)
            self._places(i)
            return nouns if within and self._text(i + 1) not in self._words("limited") else []
        if token.text in self._words("not"):
            nouns = self._not(i) if within else []
            self._places(i)
            return nouns
        return []

    def _listed(self, start: int) -> list[Token]:
        """The nouns of `no people, vehicles or animals`. A list goes on only with bare nouns."""
        tokens, nouns, i = self._tokens, [], start
        while i < len(tokens) and (tokens[i].labels or tokens[i].text in self._words("within")):
            if tokens[i].text in self._words("and") and not self._goes_on(i + 1):
                break
            if tokens[i].labels:
                tokens[i].negated = True
                nouns.append(tokens[i])
            i += 1
        return nouns

    def _goes_on(self, i: int) -> bool:
        """Whether a list goes on here: `, vehicles or`, `and animals were seen`, but not `and people walked`."""
        if self._text(i) in self._words("joins"):
            i += 1
        if i >= len(self._tokens) or not self._tokens[i].labels:
            return False
        return self._text(i + 1) in self._after_list | self._words("and")

    def _not(self, i: int) -> list[Token]:
        """The nouns of `a vehicle was not seen` and `did not include vehicles`."""
        after = self._text(i + 2) if self._text(i + 1) in self._words("been") else self._text(i + 1)
        if self._text(i - 1) in self._words("be") and after in self._words("seen"):
            for token in reversed(self._tokens[max(0, i - 5) : i]):
                if token.text in self._words("breaks"):
                    break
                if token.labels:
                    token.negated = True
                    return [token]
        return self._listed(i + 2) if after in self._words("see") else []

    def _places(self, i: int) -> None:
        """Negates places, rings and deeds near a `not`: `never reached the gate`, `nobody walked by`."""
        watched = self._lexicon.words("words.watched")
        for token in self._tokens[i + 1 : i + 8]:
            does = {token.text, token.base} & self._lexicon.agents.keys()
            if does or token.base in self._lexicon.words("words.places") | watched or token.text in watched:
                token.negated = True
            elif (
                token.text not in self._words("touch")
                and not token.negated
                and token.base not in self._words("pressing")
            ):
                break
        if self._text(i + 1) in self._words("pressed"):
            for token in self._tokens[max(0, i - 4) : i]:
                if token.base in watched:
                    token.negated = True

    def _limited(self, i: int) -> bool:
        """Whether it is said of a part only: `nobody else`, `no other people`, `nobody came after 9`."""
        for at, token in enumerate(self._tokens[i + 1 : i + 12], i + 1):
            if token.text in ENDS:
                return False
            spans = self._text(at - 1) == self._text(at + 1) == DONE.strip()  # `from 8 to 9`
            if token.text in self._words("limited") and not spans:
                return True
        return False

    def _text(self, i: int) -> str:
        return self._tokens[i].text if 0 <= i < len(self._tokens) else ""

    def _words(self, name: str) -> frozenset[str]:
        return self._lexicon.words(f"denials.{name}")
