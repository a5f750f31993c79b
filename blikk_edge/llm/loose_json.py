"""JSON as models write it that are held to no form: other quotes, bare keys, comments, missing commas and ends."""

import re
from typing import Any, Final

DEEPEST: Final = 16

_CLOSING: Final = {
    '"': '"',
    "'": "'",
    "`": "`",
    "\N{FULLWIDTH QUOTATION MARK}": "\N{FULLWIDTH QUOTATION MARK}",
    "“": "”“",
    "”": "”",
    "„": "“”",
    "«": "»",
    "\N{LEFT SINGLE QUOTATION MARK}": "\N{RIGHT SINGLE QUOTATION MARK}",
    "「": "」",
}
"""The signs that may end a text, by the one that begins it. A straight `"` ends any of them."""

_BLANK: Final = re.compile(r"(?:[\s\ufeff\u200b-\u200d\u2060]|//[^\r\n]*|/\*.*?\*/|#[^\r\n]*)*", re.DOTALL)
_WORD: Final = re.compile(r"[^\W\d][\w-]*")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_WORDS: Final = {"true": True, "false": False, "null": None, "none": None, "undefined": None, "nan": None}
_OPEN, _CLOSE, _LIST, _LIST_END = "{\uff5b", "}\uff5d", "[\uff3b", "]\uff3d"
_COLONS, _COMMAS = ":\uff1a=", ",;\uff0c\u3001"
"""With the wide forms that belong to Chinese and Japanese."""


def read_object(text: str, start: int) -> tuple[dict[str, Any], int]:
    """The object that begins at `start`, and where it ends.

    Texts may hold quotes of their own: one ends where something of JSON follows. What is missing at the end is added
    where no value is cut off. Raises ValueError for what cannot be made out.
    """
    reader = _Reader(text)
    return reader.object(start, 0)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text

    def _sign(self, at: int) -> str:
        return self._text[at : at + 1]

    def _past_blank(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        return at if found is None else found.end()

    def _is(self, at: int, signs: str) -> bool:
        return at < len(self._text) and self._text[at] in signs

    def object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        value: dict[str, Any] = {}
        at = self._past_blank(at + 1)
        while at < len(self._text) and not self._is(at, _CLOSE):
            key, at = self._key(at)
            at = self._past_blank(at)
            if not self._is(at, _COLONS):
                raise ValueError("a key without a value")
            value[key], at = self._value(self._past_blank(at + 1 + (self._text[at : at + 2] == "=>")), depth + 1)
            at = self._past_comma(at)
        if not value:
            raise ValueError("nothing in it")
        return value, at + 1

    def _list(self, at: int, depth: int) -> tuple[list[Any], int]:
        values: list[Any] = []
        at = self._past_blank(at + 1)
        while at < len(self._text) and not self._is(at, _LIST_END):
            value, at = self._value(at, depth + 1)
            values.append(value)
            at = self._past_comma(at)
        return values, at + 1

    def _past_comma(self, at: int) -> int:
        at = self._past_blank(at)
        if not self._is(at, _COMMAS):
            return at
        at = self._past_blank(at + 1)
        if at >= len(self._text) or self._is(at, _COMMAS):
            raise ValueError("something is cut off")
        return at

    def _key(self, at: int) -> tuple[str, int]:
        if self._is(at, "".join(_CLOSING)):
            return self._string(at, _COLONS)
        found = _WORD.match(self._text, at)
        if found is None:
            raise ValueError("no key")
        return found[0], found.end()

    def _value(self, at: int, depth: int) -> tuple[Any, int]:
        if depth > DEEPEST:
            raise ValueError("too deep")
        if self._is(at, _OPEN):
            return self.object(at, depth)
        if self._is(at, _LIST):
            return self._list(at, depth)
        if self._is(at, "".join(_CLOSING)):
            return self._string(at, _COMMAS + _CLOSE + _LIST_END)
        if (number := _NUMBER.match(self._text, at)) is not None:
            digits = number[0]
            return (int(digits) if digits.lstrip("+-").isdecimal() else float(digits)), number.end()
        word = _WORD.match(self._text, at)
        if word is None:
            raise ValueError("no value")
        known = _WORDS.get(word[0].lower(), word[0])
        if known is word[0] and not self._is(self._past_blank(word.end()), _COMMAS + _CLOSE + _LIST_END):
            raise ValueError("no value, or one that is cut off")
        return known, word.end()

    def _string(self, at: int, after: str) -> tuple[str, int]:
        """A text, up to the first closing sign behind which one of `after` comes, or the next key."""
        closing = _CLOSING[self._text[at]] + '"'
        begin, at = at + 1, at + 1
        while at < len(self._text):
            if self._text[at] == "\\":
                at += 2
                continue
            if self._text[at] in closing and self._ends(at + 1, after):
                return _ESCAPE.sub(_unescaped, self._text[begin:at]), at + 1
            at += 1
        raise ValueError("a text that is cut off")

    def _ends(self, at: int, after: str) -> bool:
        then = self._past_blank(at)
        if self._is(then, after):
            return True
        if after == _COLONS:
            return False
        # the last one, or one behind which a comma was forgotten
        return then >= len(self._text) or ("\n" in self._text[at:then] and self._begins_key(then))

    def _begins_key(self, at: int) -> bool:
        try:
            _, end = self._key(at)
        except ValueError:
            return False
        return self._is(self._past_blank(end), _COLONS)


def _unescaped(found: re.Match[str]) -> str:
    sign = found[1]
    return chr(int(sign[1:], 16)) if len(sign) == 5 else _ESCAPED.get(sign, sign)
