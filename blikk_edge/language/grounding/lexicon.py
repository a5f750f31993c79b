"""What the words of one language claim, from `languages/<tag>/claims.toml`: nouns, guesses, numbers, times, denials.

Macros of its patterns: <Q> a qualifier of a time, named `q`; <HM> a time with minutes, named `h`, `m` and `s`; <PART>
what may follow a time, named `part`; <HM2> and <PART2> the same once more; <MONTH>, <WEEKDAY>, <PARTS> their names;
<ACTOR> who may do something.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from blikk_edge.core.sightings import Label
from blikk_edge.language.grounding.claims import Claim
from blikk_edge.language.language import content_of, language

_HM: Final = r"(?P<h>\d{1,2})[:.·](?P<m>\d{2})(?:[:.](?P<s>\d{2}))?(?!\d|[:.]\d)"
_NEVER: Final = re.compile(r"(?!)")


@cache
def lexicon(tag: str) -> "Lexicon | None":
    """The lexicon of a language; None where one of its three files is not there."""
    content, notices, statements = (content_of(tag, name) for name in ("claims", "notices", "statements"))
    if content is None or notices is None or statements is None:
        return None
    return Lexicon(tag, content, chunks=notices["chunks"], statements=statements)


class Lexicon:
    """One language's; `content` is that of its `claims.toml`, and likewise `chunks` and `statements` of the others."""

    def __init__(
        self, tag: str, content: Mapping[str, Any], *, chunks: Mapping[str, Any], statements: Mapping[str, Any]
    ) -> None:
        spoken = language(tag)
        self.chunks = chunks
        self.statements = statements
        self.content = content
        self.months = [month.casefold() for month in spoken.months]
        self.weekdays = [day.casefold() for day in spoken.weekdays]
        self.rewrites = [(re.compile(pattern), instead) for pattern, instead in content["rewrites"]]
        self.plurals: dict[str, str] = {}
        self.generic = self._nouns(content["generic"])
        self.specific = self._nouns(content["kinds"])
        self.plurals |= {word: word for word in content["counts"]["crowd"].split()}  # each is several
        self.kinds = {word: kind for kind, words in content["same"].items() for word in words.split()}
        self.roles = {word: labels for labels, words in _by_labels(content["roles"]) for word in words}
        self.agents = {word: labels for labels, words in _by_labels(content["agents"]) for word in words}
        self.alike = [frozenset(words.split()) for words in content["words"]["alike"]]
        self.guesses = {
            word: Claim(claim)
            for claim in ("guess", "intent", "identity", "weapon", "ethnicity", "age", "gender")
            for word in content["guesses"][claim].split()
        }
        self.number_words = _numbers(content["numbers"])
        self.quantifiers: Mapping[str, Sequence[float]] = content["counts"]["quantifiers"]
        self.ordinals: Mapping[str, int] = content["counts"]["ordinals"]
        self._words: dict[str, frozenset[str]] = {}
        self._chunk_words: dict[str, frozenset[str]] = {}
        self._patterns: dict[str, re.Pattern[str]] = {}
        self.phrases = [
            (re.compile(self._expanded(pattern)), Claim(claim)) for pattern, claim in content["guesses"]["phrases"]
        ]
        self.particles = {word: frozenset(verbs.split()) for word, verbs in content["deeds"]["particles"].items()}
        self.known = frozenset(self.agents).union(
            *(self.words(f"words.{name}") for name in ("plain", "pictured", "places", "scenery", "sides", "watched")),
            self.quantifiers,
            self.ordinals,
            self.content["parts"],
        )

    def words(self, key: str) -> frozenset[str]:
        """The words of a key like `counts.stops`."""
        if key not in self._words:
            section, name = key.split(".")
            self._words[key] = frozenset(self.content[section][name].split())
        return self._words[key]

    def chunk_words(self, part: str) -> frozenset[str]:
        """The words of a key of the notices like `leave`."""
        if part not in self._chunk_words:
            self._chunk_words[part] = frozenset(self.chunks.get(part, "").split())
        return self._chunk_words[part]

    def has(self, word: str | None, key: str) -> bool:
        """Whether it is one of the words of a key, or one of its phrases, divided by `|`."""
        section, name = key.split(".")
        return word is not None and word in self.content[section][name].split("|")

    def pattern(self, key: str) -> re.Pattern[str]:
        """The pattern of a key like `states.again`; one that never matches where the language has none."""
        if key not in self._patterns:
            section, name = key.split(".")
            text = self.content[section].get(name)
            self._patterns[key] = _NEVER if not text else re.compile(self._expanded(text))
        return self._patterns[key]

    def bases(self, word: str) -> Iterator[str]:
        """What a word may be a form of, itself first: `stopped` gives `stopped`, `stopp`, `stop`, ..."""
        yield word
        word = re.sub(self.content["possessive"], "", word) if self.content["possessive"] else word
        yield word
        for ending, instead in self.content["endings"]:
            if word.endswith(ending) and len(word) - len(ending) >= 2:
                yield word.removesuffix(ending) + instead
        for ending in self.content["doubled"]:
            stem = word.removesuffix(ending)
            if word.endswith(ending) and len(stem) > 2 and stem[-1] == stem[-2]:
                yield stem[:-1]

    def halves(self, word: str) -> Iterator[tuple[str, str]]:
        """What a word may be written of, the longest beginning first; nothing where the language writes words apart."""
        links: Sequence[str] = self.content["links"]
        prefixes: Sequence[str] = self.content["prefixes"]
        for at in range(len(word) - 3, 2, -1) if links else ():
            for link in links:
                first = word[: at - len(link)]
                if word[:at].endswith(link) and len(first) >= 2 and first not in prefixes:
                    yield first, word[at:]

    def is_plural(self, word: str, base: str) -> bool:
        """Whether a form of a noun is its plural; one that is the same in both is neither."""
        if base in self.words("words.same_in_plural"):
            return False
        if word in self.plurals:
            return True
        ending = self.content["plural_ending"]
        stem = re.sub(self.content["possessive"], "", word) if self.content["possessive"] else word
        return bool(ending) and base not in {word, stem} and word.endswith(ending)

    def _nouns(self, content: Mapping[str, str]) -> dict[str, Label]:
        """Labels by the singular; the plurals are noted."""
        nouns = {}
        for label, words in content.items():
            for word in words.split():
                one, *several = word.split("/")
                nouns[one] = Label(label)
                self.plurals |= dict.fromkeys(several, one)
        return nouns

    def _actors(self) -> Iterator[str]:
        """Who may do something: what people, vehicles and animals are called, and the pronouns for them."""
        nouns = self.content["generic"], self.content["kinds"]
        for label in ("person", "vehicle", "animal"):
            for word in " ".join(content.get(label, "") for content in nouns).split():
                one, *several = word.split("/")
                yield from (one, *several)
                yield one + self.content["plural_ending"]
        yield from self.content["deeds"]["pronouns"].split()

    def _expanded(self, pattern: str) -> str:
        clocks = self.content["clocks"]
        part = clocks["part"]
        qualifiers = "|".join(clocks[name] for name in ("before", "after", "about", "by") if clocks[name])
        second = _HM.replace("<h>", "<h2>").replace("<m>", "<m2>").replace("<s>", "<s2>")
        for macro, meaning in {
            "<HM2>": second,
            "<HM>": _HM,
            "<PART2>": f"(?:{part.replace('<part>', '<part2>')})",
            "<PART>": f"(?:{part})",
            "<Q>": rf"(?:\b(?P<q>{qualifiers})\s+)?",
            "<MONTH>": "|".join(self.months),
            "<WEEKDAY>": "|".join(self.weekdays),
            "<PARTS>": "|".join(self.content["parts"]),
            "<ACTOR>": f"(?:{'|'.join(self._actors())})",
        }.items():
            pattern = pattern.replace(macro, meaning)
        return pattern


def _by_labels(content: Mapping[str, str]) -> Iterator[tuple[tuple[Label, ...], Sequence[str]]]:
    for labels, words in content.items():
        yield tuple(map(Label, labels.split())), words.split()


def _numbers(content: Mapping[str, Any]) -> dict[str, int]:
    """Words to numbers, up to 99."""
    ones, tens = content["ones"].split(), content["tens"].split()
    joined = {
        content["joined"].format(tens=ten, ones=one): 10 * t + o
        for t, ten in enumerate(tens, 2)
        for o, one in enumerate(ones[:10])
        if o
    }
    return {word: n for n, word in enumerate(ones)} | {word: 10 * n for n, word in enumerate(tens, 2)} | joined
