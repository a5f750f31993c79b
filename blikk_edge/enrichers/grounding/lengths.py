"""Lengths of time in English text: what is claimed, and how exactly."""

import math
import re
from dataclasses import dataclass
from typing import Final

from blikk_edge.enrichers.grounding.numbers import DONE

_NEAR: Final = r"about|around|roughly|approximately|nearly|almost|circa|some|slightly (?:over|under)|~"
_ABOVE: Final = (
    r"over|above|exceeding|more than|longer than|at least|no less than|just over|well over|a (?:little|bit) over"
)
_BELOW: Final = r"under|within|below|less than|shorter than|fewer than|just under|at most|up to|no more than"

_UNIT_S: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNIT: Final = (
    r"(?:secs?\b|seconds\b|second\b(?!\s+(?!and\b|later\b|after\b|ago\b|apart\b|or\b|on\b|at\b|in\b|before\b|long\b)"
    r"[a-z])|s\b|minutes?\b|mins?\b|m\b|hours?\b|hrs?\b|h\b|days?\b)"
)
_MANY: Final = {
    "a": (1.0, 1.0),
    "an": (1.0, 1.0),
    "half a": (0.5, 0.5),
    "half an": (0.5, 0.5),
    "half": (0.5, 0.5),
    **dict.fromkeys(("3 quarters of a", "3 quarters of an"), (0.75, 0.75)),
    **dict.fromkeys(("a quarter of a", "a quarter of an", "quarter of a", "quarter of an"), (0.25, 0.25)),
    "a couple of": (1.5, 3.0),
    "a couple": (1.5, 3.0),
    "a few": (1.5, 12.0),
    "few": (1.5, 12.0),
    "a handful of": (2.0, 12.0),
    "several": (2.5, 30.0),
    "some": (1.5, 40.0),
    "many": (10.0, math.inf),
}
_HOW_MANY: Final = "|".join([r"\d+(?:\.\d+)?", *sorted(_MANY, key=len, reverse=True)])
_LENGTH: Final = re.compile(
    rf"(?:\b(?:(?P<near>{_NEAR})|(?P<above>{_ABOVE})|(?P<below>{_BELOW})|(?P<every>every|each))\s+)?"
    rf"(?:\b(?P<into>after|in)\s+)?"
    rf"\b(?P<n>{_HOW_MANY})(?P<half> and a half)?(?:(?<=\d)\s*|\s+(?![smh]\b))(?P<unit>{_UNIT})"
    rf"(?P<halfed> and a (?:half|quarter)\b)?"
    rf"(?:(?:\s*,|\s+and)?\s*(?P<n2>\d+)\s*(?P<unit2>{_UNIT}))?"
    rf"(?P<gap>\s+(?:later|after|afterwards|apart|earlier|before|ago)\b)?"
)
_VAGUE: Final = re.compile(
    r"\b(?:for|lasted|over|within|in|after)\s+(?P<unit>seconds|minutes|hours|days)\b"
    r"|\b(?P<long>for long|(?:a |for a )?long (?:time|while|stay|visit)|extended (?:time|period|stay|visit)|prolonged"
    r"|lengthy)\b"
    r"|\b(?P<short>briefly|brief|a (?:short |brief )?moment|momentarily|short (?:time|while|stay|visit)|quick)\b"
)
_WHOLE: Final = re.compile(
    r"\b(?P<half>half hour)\b|\b(?P<hour>(?:the|this|past|last|quiet|busy|whole|entire|one) hour|hourly)\b"
    r"|\b(?P<day>(?<!in )(?<!of )(?:the|this|past|last|quiet|busy|whole|entire|all|every) day|daily"
    r"|all night|overnight)\b"
)


@dataclass(frozen=True, slots=True)
class Length:
    """A claimed length of time, true from `least_s` to `most_s`.

    `gap` says that it may lie between two times that were named; `whole` that it is that of everything told.
    """

    words: str
    least_s: float
    most_s: float
    gap: bool = False
    whole: bool = False

    def fits(self, length_s: float) -> bool:
        """Whether it may mean this length."""
        return self.least_s <= length_s <= self.most_s


def lengths(text: str) -> tuple[str, list[Length]]:
    """The lengths of time in lower-case text with digits, and the text without them."""
    claims: list[Length] = []

    def length(match: re.Match[str]) -> str:
        claims.append(_length(match))
        return DONE

    def vague(match: re.Match[str]) -> str:
        if match["unit"]:
            unit_s = _UNIT_S[match["unit"][0]]
            claims.append(Length(match[0], 1.5 * unit_s, 60 * unit_s))
        else:
            claims.append(Length(match[0], 60.0, math.inf) if match["long"] else Length(match[0], 0.0, 120.0))
        return DONE

    def whole(match: re.Match[str]) -> str:
        least, most = (1700.0, 1900.0) if match["half"] else (3300.0, 3900.0) if match["hour"] else (14400.0, 90000.0)
        claims.append(Length(match[0], least, most, whole=True))
        return DONE

    text = _LENGTH.sub(length, text)
    return _VAGUE.sub(vague, _WHOLE.sub(whole, text)), claims


def _length(match: re.Match[str]) -> Length:
    words = match[0].strip()
    unit_s = _UNIT_S[match["unit"][0]]
    least, most = _MANY.get(match["n"]) or (float(match["n"]), float(match["n"]))
    more = 0.5 if match["half"] or (match["halfed"] or "").endswith("half") else 0.25 if match["halfed"] else 0.0
    least, most = (least + more) * unit_s, (most + more) * unit_s
    fraction = more > 0 or "." in match["n"] or match["n"].startswith(("half", "3 q", "a q", "quarter"))
    if match["n2"]:
        unit_s, fraction = _UNIT_S[match["unit2"][0]], False
        least, most = least + float(match["n2"]) * unit_s, most + float(match["n2"]) * unit_s
    gap = bool(match["gap"] or match["into"])
    if match["every"]:
        return Length(words, math.inf, math.inf)
    if match["above"]:
        return Length(words, 0.98 * least, math.inf, gap)
    if match["below"]:
        return Length(words, 0.0, 1.02 * most, gap)
    low, high = _rounded(least, most, unit_s, fraction=fraction)
    if match["near"]:
        low, high = min(low, 0.75 * least), max(high, 1.25 * most)
    return Length(words, low, high, gap)


def _rounded(least: float, most: float, unit_s: float, *, fraction: bool) -> tuple[float, float]:
    """What a length may be that is told in this unit, rounded down or to the nearest."""
    if unit_s == 1.0:
        slack_s = max(2.0, min(5.0, 0.05 * most))
        return least - slack_s, most + slack_s
    if unit_s == 60.0:
        return least - 30.0, most + (30.0 if fraction else 59.9)
    return 0.9 * least, 1.15 * most
