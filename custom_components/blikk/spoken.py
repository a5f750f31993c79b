"""What people ask Assist and what it and the media browser say, in the languages of `languages/*.yaml`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict

from .names import capital

ENGLISH = "en"
PERIODS = ("today", "yesterday", "morning", "afternoon", "evening", "night", "hour", "week")
_FOLDER = Path(__file__).parent / "languages"
_WORD = re.compile(r"<(\w+)>")
_NOT_SPOKEN = re.compile(r"[^\w' -]+|_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Sentences that ask the same: the intent, what of its slots they fill, and their templates."""

    intent: str
    slots: Mapping[str, str]
    sentences: tuple[str, ...]


class Language:
    """One language; `content` is that of its file."""

    def __init__(self, tag: str, content: Mapping[str, Any]) -> None:
        self.tag = tag
        self.questions = [
            Question(intent=item["intent"], slots=item.get("slots", {}), sentences=tuple(item["sentences"]))
            for item in content["questions"]
        ]
        self._content = content

    # ---- asked

    def templates(self, question: Question, names: Sequence[str]) -> Iterator[str]:
        """The sentences of a question, with these names of cameras, for Home Assistant to recognize."""
        places = dict.fromkeys([*self._content["door"], *filter(None, map(spoken, names))])
        words = {
            **self._content["words"],
            "place": self._content["place"].format(names=f"({'|'.join(places)})"),
            "when": f"({'|'.join(phrase for phrases in self._content['periods'].values() for phrase in phrases)})",
        }
        for sentence in question.sentences:
            template = sentence
            while _WORD.search(template):
                template = _WORD.sub(lambda found: words[found[1]], template)
            yield template

    def period(self, sentence: str) -> str | None:
        """The period that a sentence names."""
        phrases = {phrase: period for period, said in self._content["periods"].items() for phrase in said}
        return phrases.get(_longest(sentence, phrases) or "")

    def place(self, sentence: str, names: Sequence[str]) -> tuple[str | None, bool]:
        """The name of a camera that a sentence names, and whether it is the door where it names none."""
        by_spoken = {spoken(name): name for name in reversed(names) if spoken(name)}
        name = _longest(sentence, by_spoken)
        return (by_spoken[name], False) if name else (None, _longest(sentence, self._content["door"]) is not None)

    # ---- answered

    def say(self, key: str, n: int = 1, *, shown: str = "", **values: str) -> str:
        """The text of a key like `answers.last` in the form for `n`, written as `shown`; `{When}` is capital."""
        section, _, name = key.partition(".")
        form = self._content[section][name]
        if not isinstance(form, str):
            form = form[min(n, len(form)) - 1]
        when = str(values.get("when", ""))
        text: str = form.format(**{"n": shown or n, "When": when[:1].upper() + when[1:], **values})
        return text

    def when(self, period: str) -> str:
        """What a period is called."""
        return str(self._content["periods"][period][0])

    def every(self, parts: Sequence[str]) -> str:
        """`a`, `a and b`, `a, b and c`."""
        return str(self._content["and"]).join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""

    def moment(self, time: datetime, now: datetime) -> str:
        """`at 14:05`, `yesterday at 14:05`, `on Monday at 14:05`, `on 16 November at 14:05`."""
        time, now = dt_util.as_local(time), dt_util.as_local(now)
        days = (now.date() - time.date()).days
        key = {0: "today", 1: "yesterday"}.get(days, "week" if 0 <= days < 7 else "date")
        return self.say(f"moments.{key}", 1, time=f"{time:%H:%M}", **self._words_of(time))

    def day(self, day: date, today: date) -> str:
        """`Today`, `Yesterday`, `Saturday, 21 November`."""
        key = {0: "today", 1: "yesterday"}.get((today - day).days, "date" if day.year == today.year else "year")
        return self.say(f"days.{key}", 1, **self._words_of(day))

    def picture(self, name: str) -> str:
        """What a picture is called that the node calls `name`."""
        if name in self._content["pictures"]:
            return self.say(f"pictures.{name}")
        return capital(self.say(f"things.{name}") if name in self._content["things"] else name)

    def _words_of(self, day: date) -> dict[str, str]:
        weekday, month = self._content["weekdays"][day.weekday()], self._content["months"][day.month - 1]
        return {"weekday": weekday, "day": str(day.day), "month": month, "year": str(day.year)}


def spoken(name: str) -> str:
    """A name as it is recognized: letters, digits, single blanks, hyphens and apostrophes."""
    return " ".join(_NOT_SPOKEN.sub(" ", name).split()).strip("-' ")


@cache
def languages() -> dict[str, Language]:
    """All languages by tag; blocking the first time."""
    return {path.stem: Language(path.stem, load_yaml_dict(path)) for path in sorted(_FOLDER.glob("*.yaml"))}


def language_of(tag: str) -> Language:
    """The language of a tag like `de-CH`; English where there is none."""
    return known_language(tag) or languages()[ENGLISH]


def known_language(tag: str) -> Language | None:
    """The language of a tag like `de-CH`, where we have it."""
    return languages().get(tag.lower().replace("_", "-").partition("-")[0])


def span(period: str, now: datetime) -> tuple[datetime, datetime | None]:
    """From when until when (None: now) a period lasts; a time of day that has not come yet is yesterday's."""
    midnight = dt_util.start_of_local_day(now)
    match period:
        case "hour":
            return now - timedelta(hours=1), None
        case "week":
            return now - timedelta(days=7), None
        case "yesterday":
            return dt_util.start_of_local_day(midnight - timedelta(hours=1)), midnight
        case "night":
            return _at(midnight - timedelta(hours=1), 22), _at(midnight, 6)
        case "morning" | "afternoon" | "evening":
            first, last = {"morning": (5, 12), "afternoon": (12, 18), "evening": (18, 24)}[period]
            day = midnight if _at(midnight, first) <= now else dt_util.start_of_local_day(midnight - timedelta(hours=1))
            return _at(day, first), _at(day, last)
        case _:
            return midnight, None


def _at(day: datetime, hour: int) -> datetime:
    local = dt_util.as_local(day)
    if hour == 24:
        return dt_util.start_of_local_day(local.date() + timedelta(days=1))
    return dt_util.start_of_local_day(local.date()).replace(hour=hour)


def _longest(sentence: str, phrases: Mapping[str, str] | Sequence[str]) -> str | None:
    """The longest of the phrases that stands in a sentence as whole words."""
    said = f" {spoken(sentence).casefold()} "
    return max((each for each in phrases if f" {each.casefold()} " in said), key=len, default=None)
