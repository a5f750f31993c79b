"""A language as it is written: sentences, plurals, numbers, names of days. Its words are in `<tag>/texts.toml`."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from gettext import c2py
from importlib.resources import files
from typing import Any, Final

ENGLISH: Final = "en"
_ROOT: Final = files(__package__)
_WORD: Final = re.compile(r"[^\W\d_]+")
_BLANKS: Final = re.compile(r" {2,}")


def tags() -> tuple[str, ...]:
    """The languages that there are texts in."""
    return tuple(sorted(each.name for each in _ROOT.iterdir() if each.joinpath("texts.toml").is_file()))


def content_of(tag: str, name: str) -> dict[str, Any] | None:
    """The data of a language in its file `name`; None where it has none."""
    path = _ROOT.joinpath(tag, f"{name}.toml")
    return tomllib.loads(path.read_text("utf-8")) if tag.isalpha() and path.is_file() else None


@cache
def language(tag: str) -> "Language":
    """The language of a tag like `de`; English for one that there are no texts in."""
    content = content_of(tag, "texts")
    return Language(tag, content) if content is not None else language(ENGLISH)


def lasting(seconds: float) -> str:
    """How long something lasted, as tables and the log say it: in the words of an English sentence about it."""
    return language(ENGLISH).duration(seconds)


class Language:
    """One language; `content` is that of its `texts.toml`, whose keys are named like `event.stayed`."""

    def __init__(self, tag: str, content: Mapping[str, Any]) -> None:
        self.tag = tag
        self.name: str = content["name"]
        self.weekdays: Sequence[str] = content["weekdays"]
        self.months: Sequence[str] = content["months"]
        self._content = content
        self._mends = [(re.compile(pattern), instead) for pattern, instead in content["mend"]]
        self._plural: Callable[[int], int] = c2py(content["plural"])

    def say(self, key: str, n: int = 1, **values: object) -> str:
        """The sentence of a key in its form for `n`, with these values in it; without capital and full stop."""
        section, _, name = key.partition(".")
        form = self._content[section][name]
        if not isinstance(form, str):
            form = form[min(self._plural(n), len(form) - 1)]
        text: str = form.format_map(_Values(values, n=self.number(n), count=n))
        return self._mended(_BLANKS.sub(" ", text).strip(" "))

    def thing(self, kind: str, n: int = 1) -> str:
        """`a car`, `two cars`: so many of a label or of a class of the detector."""
        return self.say(f"things.{kind}", n)

    def counted(self, kind: str, n: int) -> str:
        """`one car`, `two cars`: where the number is what was asked."""
        pattern, instead = self._content["one"]
        return re.sub(pattern, instead, self.thing(kind)) if n == 1 else self.thing(kind, n)

    def things(self, kind: str) -> str:
        """`cars`."""
        several: str = self._content["things"][kind][-1]
        return several.removeprefix("{n} ")

    def number(self, n: int) -> str:
        """In words up to ten."""
        words = self._content["numbers"]
        return words[n] if 0 <= n < len(words) else str(n)

    def times(self, n: int) -> str:
        """`once`, `twice`, `three times`."""
        times = self._content["times"]
        return self.say(f"times.{n if str(n) in times else 'other'}", n)

    def duration(self, seconds: float) -> str:
        """`a moment`, `40 s`, `12 min`, `2 h 5 min`, `3 days`; rounded down, so it is never more than there was."""
        whole = int(min(max(0.0, seconds), 1e9))
        minutes, hours = whole // 60 % 60, whole // 3600
        if whole < 60:
            return self.say("duration.seconds" if whole else "duration.moment", whole)
        if hours >= 48:
            return self.say("duration.days", hours // 24)
        if not hours:
            return self.say("duration.minutes", minutes)
        return self.say("duration.hours_minutes" if minutes else "duration.hours", hours, minutes=minutes)

    def every(self, parts: Sequence[str]) -> str:
        """`a`, `a and b`, `a, b and c`."""
        return self._listed(parts, "and")

    def either(self, parts: Sequence[str]) -> str:
        """`a`, `a or b`, `a, b or c`."""
        return self._listed(parts, "or")

    def neither(self, parts: Sequence[str]) -> str:
        """What follows on `no`: `a`, `a or b`."""
        return self._listed(parts, "nor")

    def place(self, name: str) -> str:
        """A name of the user's as it is said within a sentence: `the front door`, `the Einfahrt`, `Camera 1`.

        A language whose articles have a gender has none before names: nobody could know which.
        """
        places = self._content.get("places")
        if places is None or not name or re.search(places["proper"], name, re.I):
            return name
        words = _WORD.findall(name)
        usual = {word for word in words if word.lower() in self._place_words}
        short = {word for word in words if 1 < len(word) <= 4 and word.isupper()}
        if usual and not set(words) - usual - short and not re.search(places["address"], name):
            name = _WORD.sub(lambda found: found[0].lower() if found[0] in usual else found[0], name)
        return f"{places['article']}{name}"

    def date(self, day: int, month: int, weekday: int, year: int | None = None) -> str:
        """`Monday 16 November`; the month from 1, the weekday from 0 (Monday)."""
        key = "moment.date" if year is None else "moment.date_year"
        return self.say(key, day=day, month=self.months[month - 1], weekday=self.weekdays[weekday], year=year)

    def instruction(self, verb: str) -> str:
        """What is added to a prompt so that it writes this language: ` Answer in German.`; nothing for English."""
        return "" if self.tag == ENGLISH else f" {verb} in {self.name}."

    @cached_property
    def style(self) -> str:
        """What is added to a prompt so that its text can be checked: of which phrases it is made; empty for a language
        that has none.
        """
        notices = content_of(self.tag, "notices")
        return "" if notices is None else f" {notices['prompt']['style']}"

    @cached_property
    def denial(self) -> re.Pattern[str]:
        """What says that there was nothing."""
        return re.compile(self._content["wording"]["no"], re.I)

    @cached_property
    def yes_or_no(self) -> re.Pattern[str]:
        """What an answer may begin with, which claims nothing."""
        return re.compile(self._content["wording"]["yes_or_no"], re.I)

    @cached_property
    def indefinite(self) -> frozenset[str]:
        """`a`, `one`: numbers that may be no claim."""
        return frozenset(self._content["wording"]["indefinite"].split("|"))

    @cached_property
    def number_words(self) -> Mapping[str, int]:
        """Words to numbers, small ones and the usual round ones."""
        also = self._content["wording"]["numbers"].items()
        counted = {word: n for n, word in enumerate(self._content["numbers"]) if n}
        return counted | {word: int(n) for n, words in also for word in words.split("|")}

    @cached_property
    def _place_words(self) -> frozenset[str]:
        """What places around a home are called; a name of other words may be a proper one, or of another language."""
        return frozenset(self._content["places"]["words"].split())

    def _listed(self, parts: Sequence[str], word: str) -> str:
        joined = self._content[word].join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""
        return self._mended(joined)

    def _mended(self, text: str) -> str:
        for pattern, instead in self._mends:
            text = pattern.sub(instead, text)
        return text


class _Values(dict[str, Any]):
    """Values by name; by its name with a capital, a value with one."""

    def __missing__(self, name: str) -> str:
        value = str(self[name[:1].lower() + name[1:]]) if name[:1].isupper() else ""
        if not name[:1].isupper():
            raise KeyError(name)
        return f"{value[:1].upper()}{value[1:]}"
