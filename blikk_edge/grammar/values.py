"""Types of values: how the text of a scalar becomes a number, a duration, a path or a Secret.

A type raises `Wrong` and never quotes what was written.
"""

import difflib
import ipaddress
import math
import re
import unicodedata
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import urlsplit

import voluptuous as vol

from blikk_edge.core.geometry import MAX_POINTS, Polygon
from blikk_edge.core.locale import language_of, zone_named, zone_names
from blikk_edge.grammar.leaf import Leaf
from blikk_edge.grammar.problem import Wrong, did_you_mean, listed
from blikk_edge.grammar.secrets import Secret, SourceUrl


class ValueType(Protocol):
    """Reads what stands at a key; `words` says in the reference what may stand there."""

    @property
    def words(self) -> str:
        """What may stand there."""
        ...

    def __call__(self, leaf: Leaf) -> Any:
        """The value; raises vol.Invalid."""
        ...


@dataclass(frozen=True, slots=True)
class Scalar:
    """A type that is read from one text.

    Attributes:
        words: What may stand there, for messages and the reference page.
        read: The value of a text; raises Wrong.
        secret: Whether a `!secret` may stand there, because the value is kept secret ever after.
    """

    words: str
    read: Callable[[str], Any]
    secret: bool = False

    def __call__(self, leaf: Leaf) -> Any:
        """The value; a `!secret` is only taken where the value is kept secret ever after."""
        if leaf is None:
            raise Wrong("no value stands here", f"Write {self.words}, or remove the key for its default.")
        if isinstance(leaf, Secret):
            if not self.secret:
                raise Wrong("a `!secret` in a place that is shown to others", "Write the value here, or use `!env`.")
            leaf = leaf.reveal()
        if not isinstance(leaf, str):
            raise Wrong("a list or mapping where one value belongs", f"Write {self.words}; quote it if it is text.")
        if any(unicodedata.category(c) in {"Cc", "Cs"} for c in leaf):
            raise Wrong("a line break or control character in the value", "Write the value in one line.")
        if not leaf.strip():
            raise Wrong("the value is empty", f"Write {self.words}, or remove the key for its default.")
        return self.read(leaf)


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """A type of a stream's address: one that came as a `!secret` shows no more than its scheme.

    Attributes:
        words: What may stand there, for messages and the reference page.
        read: The address in a text; raises Wrong.
    """

    words: str
    read: Callable[[str], SourceUrl]

    def __call__(self, leaf: Leaf) -> SourceUrl:
        """The address; raises Wrong."""
        url: SourceUrl = Scalar(self.words, self.read, secret=True)(leaf)
        return SourceUrl(url.reveal(), hidden=isinstance(leaf, Secret))


TEXT = Scalar("text", str.strip)
SECRET = Scalar("text, kept secret", Secret, secret=True)
PRIVATE_TEXT = Scalar("text", str, secret=True)

_TRUE, _FALSE = {"true", "yes", "on"}, {"false", "no", "off"}
_UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]*\.?[0-9]+)\s*([a-z]*)")
_SLUG = re.compile(r"[a-z0-9_]{1,64}")
_PLACE = re.compile(r"[a-z0-9_-]{1,64}")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
_TOPIC = re.compile(r"[^/+#\s]+(/[^/+#\s]+)*")


def _flag(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise Wrong("neither yes nor no", "Write `true` or `false`.")
    return word in _TRUE


FLAG = Scalar("true or false", _flag)


def flag_of(leaf: Leaf) -> bool | None:
    """What a leaf says as a switch; None where it is no word for yes or no."""
    return _flag(leaf) if isinstance(leaf, str) and leaf.strip().lower() in _TRUE | _FALSE else None


def _timezone(text: str) -> str:
    name = text.strip()
    if zone_named(name) is not None:
        return name
    names = zone_names()
    if not names:
        raise Wrong("this machine knows no time zones", "Install `tzdata`, with apt or with pip, or remove the key.")
    small = {each.lower(): each for each in names}
    near = difflib.get_close_matches(name.lower()[:100], small, n=1, cutoff=0.8)
    mend = f"Did you mean `{small[near[0]]}`?" if near else "Write one like `Europe/Berlin`."
    raise Wrong("no time zone of that name is known", mend)


def _language(text: str) -> str:
    tag = language_of(text.strip())
    if tag is None:
        raise Wrong("no tag of a language", "Write a short one like `de` or `pt-BR`.")
    return tag


LANGUAGE = Scalar("the short tag of a language like `de`", _language)
TIMEZONE = Scalar("a time zone like `Europe/Berlin`", _timezone)


def number(low: float, high: float) -> Scalar:
    """A number from `low` to `high`, ends included."""
    words = f"a number from {low:g} to {high:g}"

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isnan(value):
            raise Wrong("not a number", f"Write {words}.")
        if not low <= value <= high:
            raise Wrong("a number out of range", f"Write {words}.")
        return value

    return Scalar(words, read)


def whole(low: int, high: int) -> Scalar:
    """A whole number from `low` to `high`, ends included."""
    words = f"a whole number from {low} to {high}"

    def read(text: str) -> int:
        digits = text.strip().replace("_", "")
        if re.fullmatch(r"-?[0-9]{1,18}", digits) is None:
            raise Wrong("not a whole number", f"Write {words}.")
        if not low <= int(digits) <= high:
            raise Wrong("a number out of range", f"Write {words}.")
        return int(digits)

    return Scalar(words, read)


def duration(low_s: float, high_s: float, *, unit: type[float] | type[int] = float) -> Scalar:
    """Seconds, as a number or as text with a unit: `10s`, `5min`, `1h`."""
    words = f"a duration from {said(low_s)} to {said(high_s)}"

    def read(text: str) -> float:
        found = _DURATION.fullmatch(text.strip().lower())
        if found is None or (found[2] or "s") not in _UNITS:
            raise Wrong("not a duration", "Write seconds as a number, or a number with ms, s, min, h or d: `5min`.")
        value = float(found[1]) * _UNITS[found[2] or "s"]
        if not low_s <= value <= high_s:
            raise Wrong("a duration out of range", f"Write {words}.")
        return unit(value)

    return Scalar(words, read)


def said(seconds: float) -> str:
    """Seconds in the largest unit that gives a whole number: `5min`."""
    for unit in ("d", "h", "min", "s"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:g}{unit}"
    return f"{seconds:g}s"


def choice(options: type[StrEnum] | Sequence[str]) -> Scalar:
    """One of a few words."""
    known = {str(option): option for option in options}

    def read(text: str) -> Any:
        if (option := known.get(text.strip().lower())) is None:
            raise Wrong(f"not {listed(known)}", did_you_mean(text, tuple(known)))
        return option

    return Scalar(listed(known), read)


def _rotate(text: str) -> int:
    turned = {"0": 0, "90": 90, "180": 180, "270": 270, "-90": 270}.get(text.strip().removesuffix("°").strip())
    if turned is None:
        raise Wrong("not a quarter turn", "Write `90`, `180` or `270`: degrees, clockwise.")
    return turned


ROTATE = Scalar("0, 90, 180 or 270", _rotate)


def _slug(text: str) -> str:
    if _SLUG.fullmatch(text) is None:
        raise Wrong("not an id", "Use 1 to 64 of a-z, 0-9 and _, like `front_door`.")
    return text


SLUG = Scalar("an id of a-z, 0-9 and _", _slug)


def _place(text: str) -> str:
    if _PLACE.fullmatch(text) is None:
        raise Wrong("not the label of a place", "Use 1 to 64 of a-z, 0-9, _ and -, like `hall-a`.")
    return text


PLACE = Scalar("a label of a-z, 0-9, _ and -", _place)


def _host(text: str) -> str:
    if _HOST.fullmatch(text.strip()) is None and not _is_ip_address(text.strip()):
        mend = "Write only the name or address, like `broker.local`; port, user and password have keys of their own."
        raise Wrong("not a host name or IP address", mend)
    return text.strip()


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


HOST = Scalar("a host name or IP address", _host)


def _topic(text: str) -> str:
    if _TOPIC.fullmatch(text) is None or len(text) > 200 or text.startswith("$"):
        raise Wrong("not an MQTT topic", "Use words joined by `/`, without `+`, `#`, `$` in front and spaces.")
    return text


TOPIC = Scalar("an MQTT topic", _topic)


def _sha256(text: str) -> str:
    if re.fullmatch(r"[0-9a-f]{64}", text.strip().lower()) is None:
        raise Wrong("not a SHA-256", "Write the 64 digits that `sha256sum` prints.")
    return text.strip().lower()


SHA256 = Scalar("64 hexadecimal digits", _sha256)


def _web_address(text: str) -> str:
    """An address that is shown in logs, so it may hold no user, password or query."""
    try:
        parts = urlsplit(text.strip())
        plain = parts.hostname and parts.port != 0 and "@" not in text and not parts.query and not parts.fragment
    except ValueError:
        plain = False
    if not plain or parts.scheme.lower() not in {"http", "https"} or re.search(r"\s", text.strip()):
        mend = "Write `https://host/path`, without user, password and `?`: it is shown in logs."
        raise Wrong("not a plain web address", mend)
    return text.strip()


WEB_ADDRESS = Scalar("an http or https address", _web_address)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of different values of one type; a single value stands for a list of one."""

    each: Scalar

    @property
    def words(self) -> str:
        """What may stand there."""
        return f"a list of {self.each.words}"

    def __call__(self, leaf: Leaf) -> tuple[Any, ...]:
        """The values in the order they were written; at least one."""
        items = leaf if isinstance(leaf, list) else [leaf]
        if not items:
            raise Wrong("the list is empty", f"Write at least one of {self.each.words}, or remove the key.")
        values, wrongs = read_all(items, self.each)
        wrongs = wrongs or [
            Wrong("the same value twice", "Keep one of them.", index)
            for index, value in enumerate(values)
            if value in values[:index]
        ]
        if wrongs:
            raise vol.MultipleInvalid(wrongs)
        return tuple(values)


def errors_at(step: Hashable, wrong: vol.Invalid) -> list[vol.Invalid]:
    """Everything that is wrong below one step of the path."""
    wrong.prepend([step])
    return errors_of(wrong)


def errors_of(wrong: vol.Invalid) -> list[vol.Invalid]:
    """Everything that is wrong."""
    return wrong.errors if isinstance(wrong, vol.MultipleInvalid) else [wrong]


def read_all(items: Sequence[Leaf], read: Callable[[Leaf], Any]) -> tuple[list[Any], list[vol.Invalid]]:
    """Read every item; what could be read, and what is wrong with the others."""
    values: list[Any] = []
    wrongs: list[vol.Invalid] = []
    for index, item in enumerate(items):
        try:
            values.append(read(item))
        except vol.Invalid as wrong:
            wrongs += errors_at(index, wrong)
    return values, wrongs


_SHARE = number(0, 1)
_LEAST_AREA = 1e-6  # less than one pixel of any picture that is looked at


@dataclass(frozen=True, slots=True)
class _PointType:
    words: str = "a point `[x, y]`, each from 0 to 1"

    def __call__(self, leaf: Leaf) -> tuple[float, float]:
        if not isinstance(leaf, list) or len(leaf) != 2:
            raise Wrong("a point that is not a pair", "Write `[x, y]`, each from 0 to 1.")
        values, wrongs = read_all(leaf, _SHARE)
        if wrongs:
            raise vol.MultipleInvalid(wrongs)
        return values[0], values[1]


POINT = _PointType()


@dataclass(frozen=True, slots=True)
class _PolygonType:
    words: str = "a list of points `[x, y]`, each from 0 to 1"

    def __call__(self, leaf: Leaf) -> Polygon:
        if not isinstance(leaf, list) or len(leaf) < 3:
            raise Wrong("not a polygon", "Write at least 3 points: `[[0, 0.5], [1, 0.5], [1, 1]]`.")
        points, wrongs = read_all(leaf, POINT)
        if wrongs:
            raise vol.MultipleInvalid(wrongs)
        if len(set(points)) < 3:
            raise Wrong("a polygon of fewer than 3 different points", "Write at least 3 different points.")
        if len(points) > MAX_POINTS:
            raise Wrong(f"a polygon of more than {MAX_POINTS} points", "Leave out points that lie close together.")
        polygon = Polygon.of(points)
        if polygon.crosses_itself:
            raise Wrong(
                "a polygon that crosses or touches itself, so that nobody can tell what lies inside",
                "List its corners once, in order around the area; write several areas as several polygons.",
            )
        if polygon.area < _LEAST_AREA:
            raise Wrong("a polygon that encloses nothing: its points lie on a line", "List the corners of the area.")
        return polygon


POLYGON = _PolygonType()


@dataclass(frozen=True, slots=True)
class _PolygonsType:
    words: str = "a list of polygons"

    def __call__(self, leaf: Leaf) -> tuple[Polygon, ...]:
        if not isinstance(leaf, list):
            raise Wrong("not a list of polygons", "Write `- [[0, 0], [0.3, 0], [0.3, 0.2]]`, one line each.")
        polygons, wrongs = read_all(leaf, POLYGON)
        if wrongs:
            raise vol.MultipleInvalid(wrongs)
        return tuple(polygons)


POLYGONS = _PolygonsType()
