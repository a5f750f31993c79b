"""How questions of one language are read: its words and patterns, from `<tag>/questions.toml`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from typing import Any, Final, NamedTuple

from blikk_edge.core.appearance import Colour
from blikk_edge.core.inquiry import Aggregate
from blikk_edge.core.sightings import Label
from blikk_edge.language.language import ENGLISH, content_of, tags

KIND_LABELS: Final[Mapping[str, Label]] = {
    **dict.fromkeys(("car", "truck", "bus", "van", "bicycle", "motorcycle"), Label.VEHICLE),
    **dict.fromkeys(("cat", "dog", "bird", "fox", "horse", "deer", "bear", "rabbit", "squirrel"), Label.ANIMAL),
    **dict.fromkeys(("raccoon", "cow", "sheep"), Label.ANIMAL),
}
"""The classes of a detector that may be asked for."""

UNIT_S: Final[Mapping[str, float]] = {
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 7 * 86400.0,
    "month": 30 * 86400.0,
}


class Meaning(NamedTuple):
    """What a word asks about: a label (None: all) and a class of the detector.

    `doubtful` says that no camera can see it, `weak` that any other subject counts instead ("did a cat visit").
    """

    label: Label | None
    kind: str = ""
    doubtful: bool = False
    weak: bool = False


@cache
def reading(tag: str) -> "Reading | None":
    """How a language's questions are read; None where there are no rules for it."""
    content = content_of(tag, "questions")
    return None if content is None else Reading(content)


def readings() -> Sequence["Reading"]:
    """All that there are."""
    return [found for tag in tags() if (found := reading(tag)) is not None]


def english() -> "Reading":
    """The reading that is always there."""
    found = reading(ENGLISH)
    assert found is not None  # it comes with this package
    return found


class Reading:
    """Compiled; `content` is that of a `questions.toml`, which says what stands for what."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content
        self._patterns: dict[str, re.Pattern[str]] = {}
        self.numbers = {word: float(value) for value, words in content["numbers"].items() for word in words.split("|")}
        self.filler = frozenset(content["filler"].split())
        self.short = tuple((re.compile(pattern), instead) for pattern, instead in content["short"])
        self.subjects = _subjects(content)
        self.subject = any_of(self.subjects)
        self.measure_words = any_of(content["asks"]["measure_words"].split("|"))
        self.weekdays: tuple[str, ...] = tuple(content["days"]["weekdays"].split("|"))
        self.months: tuple[str, ...] = tuple(content["days"]["months"].split("|"))
        self.parts: Mapping[str, tuple[int, int]] = content["parts"]
        places = content["places"]
        self.door: str = places["door"]
        self.leading = rf"(?:(?:{places['leads']}) )?(?:(?:{places['articles']}) )?"
        short: int = content["days"]["month_short"]
        months = "|".join(f"{name[:short]}(?:{re.escape(name[short:])})?" for name in self.months)
        self._macros = {
            "<AMOUNT>": rf"(?P<n>\d{{1,4}}|{_longest(self.numbers)})",
            "<UNIT>": rf"(?P<unit>{'|'.join(content['units'].values())})\b",
            "<HOUR>": _longest(word for word, value in self.numbers.items() if 1 <= value <= 12),
            "<WEEKDAY>": "|".join(self.weekdays),
            "<MONTH>": months,
            "<REL>": content["times"]["rel"],
            "<CLOCK>": content["times"]["clock"],
        }
        self.measures = tuple(
            (re.compile(self._expanded(pattern)), Aggregate(measure))
            for pattern, measure in content["asks"]["measures"]
        )

    @cached_property
    def watched_forms(self) -> Sequence[re.Pattern[str]]:
        """Whole questions about what is there now.

        Groups: `noun`, `place`, `n` and `unit` of a time, `loiter`, `parked`, and `many` where a number is asked.
        """
        said = self._content["watched"]
        nouns = {word for word, meaning in self.subjects.items() if meaning.label and not meaning.doubtful}
        nouns -= {*said["without"].split("|"), *self._content["subjects"]["weak"].split("|")}
        macros = {
            "<NOUN>": f"(?P<noun>{_longest(nouns)})",
            "<ARTICLE>": f"(?:(?:{said['articles']}) )?",
            "<PLACE>": f"(?: (?!{said['no_place']})(?P<place>.+?))?",
            "<FOR>": said["for"],
        }
        forms = []
        for form in said["forms"]:
            for macro, meaning in macros.items():
                form = form.replace(macro, meaning)  # noqa: PLW2901  # one macro after the other
            forms.append(re.compile(self._expanded(form)))
        return forms

    def hint(self, reads: str) -> str:
        """That a node reads only `reads` (names by `name_of`), and how it would read this language."""
        said: str = self._content["elsewhere"]["hint"]
        return said.format(reads=reads)

    def name_of(self, tag: str) -> str:
        """What a language that has rules is called in this one."""
        name: str = self._content["elsewhere"][tag]
        return name

    def bare_place(self, place: str) -> str:
        """A place without what leads to it: `in the driveway` is `driveway`; nothing for all that a camera sees."""
        said = self._content["watched"]
        if place in said["here"].split("|"):
            return ""
        return re.sub(said["tails"], "", re.sub(said["leads"], "", place)).strip()

    def pattern(self, key: str) -> re.Pattern[str]:
        """The pattern of a key like `times.ago`."""
        if key not in self._patterns:
            section, name = key.split(".")
            self._patterns[key] = re.compile(self._expanded(self._content[section][name]))
        return self._patterns[key]

    def means(self, word: str | None, key: str) -> bool:
        """Whether it is one of the words of a key like `days.yesterday`."""
        section, name = key.split(".")
        return word is not None and word in self._content[section][name].split("|")

    def relation(self, word: str | None) -> str | None:
        """`since`, `from`, `after`, `before`, `until`, `within`; None for what relates to no moment."""
        return next((name for name in self._content["relations"] if self.means(word, f"relations.{name}")), None)

    def is_who(self, word: str) -> bool:
        """Whether it asks who somebody is."""
        return self.means(word, "subjects.who")

    def colours(self) -> Sequence[tuple[Colour, re.Pattern[str]]]:
        """Each colour, with what it is called."""
        return [(colour, self.pattern(f"colours.{colour}")) for colour in Colour]

    def puzzled_by(self, words: str) -> str:
        """That these words cannot be searched for without a model."""
        said: str = self._content["search"]["puzzled"]
        return said.format(words=words)

    def share_min(self, words: str) -> int:
        """The minutes from the full hour that `half past` and the like name."""
        return next(int(minutes) for minutes in self._content["shares"] if self.means(words, f"shares.{minutes}"))

    def unit_s(self, word: str) -> float:
        """The seconds of a unit of time."""
        units = self._content["units"]
        return next(UNIT_S[name] for name, pattern in units.items() if re.fullmatch(pattern, word))

    def month(self, word: str) -> int:
        """From 1."""
        short = self._content["days"]["month_short"]
        return next(n for n, name in enumerate(self.months, 1) if name[:short] == word[:short])

    def _expanded(self, pattern: str) -> str:
        for macro, meaning in self._macros.items():
            pattern = pattern.replace(macro, meaning)
        return pattern


def any_of(words: Iterable[str]) -> re.Pattern[str]:
    """A pattern of whole words; longer ones before shorter."""
    return re.compile(rf"\b(?:{_longest(words)})\b")


def _longest(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True)).replace(r"\ ", " ")


def _subjects(content: Mapping[str, Any]) -> Mapping[str, Meaning]:
    said: Mapping[str, str] = content["subjects"]
    kinds: Mapping[str, str] = content["kinds"]
    return {
        **{word: Meaning(label) for label in Label for word in said[label.value].split("|")},
        **{word: Meaning(KIND_LABELS[kind], kind) for kind, words in kinds.items() for word in words.split("|")},
        **dict.fromkeys(said["doubtful"].split("|"), Meaning(Label.PERSON, doubtful=True)),
        **dict.fromkeys(said["all"].split("|"), Meaning(None)),
        **dict.fromkeys(said["weak"].split("|"), Meaning(Label.PERSON, weak=True)),
    }
