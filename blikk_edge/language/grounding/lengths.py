"""Lengths of time in a text: what is claimed, and how exactly."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from blikk_edge.language.grounding.lexicon import Lexicon
from blikk_edge.language.grounding.numbers import DONE

_UNIT_S: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Length:
    """A claimed length of time.

    Attributes:
        words: Those that claim it.
        least_s: The shortest that it may mean; infinity for one that nothing supports.
        most_s: The longest that it may mean.
        gap: Whether it may lie between two times that were named.
        whole: Whether it is that of everything reported.
        long: Whether nothing more is said than that it was long.
        vague: Whether nothing more is said than that it was short.
    """

    words: str
    least_s: float
    most_s: float
    gap: bool = False
    whole: bool = False
    long: bool = False
    vague: bool = False

    def fits(self, length_s: float) -> bool:
        """Whether it may mean this length."""
        return self.least_s <= length_s <= self.most_s


def lengths(text: str, lexicon: Lexicon, mark: Callable[[Length], str] = lambda _: DONE) -> tuple[str, list[Length]]:
    """The lengths of time in lower-case text with digits, and the text with the `mark` of each instead."""
    claims: list[Length] = []
    gap = re.compile(rf"(?:{lexicon.content['lengths']['into']})\b")

    def length(match: re.Match[str]) -> str:
        claims.append(_length(match, lexicon))
        return mark(claims[-1])

    def vague(match: re.Match[str]) -> str:
        if match["unit"]:
            unit_s = _unit_s(match["unit"], lexicon)
            claims.append(Length(match[0], 1.5 * unit_s, 60 * unit_s, gap=gap.match(match[0]) is not None))
        else:
            claims.append(
                Length(match[0], 60.0, math.inf, long=True)
                if match["long"]
                else Length(match[0], 0.0, 120.0, vague=True)
            )
        return mark(claims[-1])

    def whole(match: re.Match[str]) -> str:
        least, most = (1700.0, 1900.0) if match["half"] else (3300.0, 3900.0) if match["hour"] else (14400.0, 90000.0)
        claims.append(Length(match[0], least, most, whole=True))
        return mark(claims[-1])

    text = _pattern(lexicon).sub(length, text)
    return lexicon.pattern("lengths.vague").sub(vague, lexicon.pattern("lengths.whole").sub(whole, text)), claims


@cache
def _pattern(lexicon: Lexicon) -> re.Pattern[str]:
    said = lexicon.content["lengths"]
    many = "|".join([r"\d+(?:\.\d+)?", *sorted(said["many"], key=len, reverse=True)])
    unit = f"(?:{'|'.join(said[name] for name in _UNIT_S)})"
    return re.compile(
        rf"(?:\b(?:(?P<near>{said['near']})|(?P<above>{said['above']})|(?P<below>{said['below']})"
        rf"|(?P<every>{said['every']}))\s+)?"
        rf"(?:\b(?P<into>{said['into']})\s+)?"
        rf"\b(?P<n>{many})(?P<half> {said['half']})?(?:(?<=\d)\s*|\s+(?![smh]\b))(?P<unit>{unit})"
        rf"(?P<halfed> (?:{'|'.join(said['halved'])})\b)?"
        rf"(?:(?:\s*,|\s+{said['and']})?\s*(?P<n2>\d+)\s*(?P<unit2>{unit}))?"
        rf"(?P<gap>\s+(?:(?:{said['gap']})\b|{DONE}))?"
    )


def _unit_s(word: str, lexicon: Lexicon) -> float:
    """The seconds of a unit, by the pattern that fits its whole word."""
    said = lexicon.content["lengths"]
    return next(unit_s for name, unit_s in _UNIT_S.items() if re.match(rf"(?:{said[name]})$", word))


def _length(match: re.Match[str], lexicon: Lexicon) -> Length:
    said = lexicon.content["lengths"]
    words = match[0].strip()
    unit_s = _unit_s(match["unit"], lexicon)
    least, most = said["many"].get(match["n"]) or (float(match["n"]), float(match["n"]))
    fraction = least < 1 or "." in match["n"] or bool(match["half"] or match["halfed"])
    more = 0.5 if match["half"] else said["halved"].get((match["halfed"] or "").strip(), 0.0)
    least, most = (least + more) * unit_s, (most + more) * unit_s
    if match["n2"]:
        unit_s, fraction = _unit_s(match["unit2"], lexicon), False
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
    """What a length may be that is given in this unit, rounded down or to the nearest."""
    if unit_s == 1.0:
        slack_s = max(2.0, min(5.0, 0.05 * most))
        return least - slack_s, most + slack_s
    if unit_s == 60.0:
        return least - 30.0, most + (30.0 if fraction else 60.0)
    return 0.9 * least, 1.15 * most
