"""Text to the numbers that a CLIP text tower reads: byte-pair encoding, as the model's `tokenizer.json` defines it."""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from blikk_edge.core.errors import ModelError

START: Final = "<|startoftext|>"
END: Final = "<|endoftext|>"
LONGEST: Final = 77
"""Tokens of one text, start and end included: CLIP's text towers have no more places."""

MOST_BYTES: Final = 32 * 1024 * 1024

_SPECIAL: Final = re.compile(f"{re.escape(START)}|{re.escape(END)}")
# Unicode's White_Space; Python's own \s has four control characters more.
_SPACE: Final = re.compile("[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+")
_CONTRACTIONS: Final = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


class Tokenizer:
    """The tokenizer of a file in the format of Hugging Face's `tokenizers`, of the one kind that CLIP uses.

    Raises ModelError where the file is not one of these.
    """

    def __init__(self, path: Path) -> None:
        content = _read(path)
        try:
            model = content["model"]
            if model["type"] != "BPE" or model.get("end_of_word_suffix") != "</w>":
                raise ModelError(f"tokenizer {path}: its model is not CLIP's byte-pair encoding")
            self._numbers = _numbers(model["vocab"], content.get("added_tokens") or [])
            merges = [_pair(merge) for merge in model["merges"]]
            self._start, self._end = self._numbers[START], self._numbers[END]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"tokenizer {path}: no tokenizer of CLIP: {error!r}") from error
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._letters = _byte_letters()
        if missing := [letter for letter in self._letters if letter not in self._numbers]:
            raise ModelError(f"tokenizer {path}: {len(missing)} of 256 bytes have no token")
        self._word = lru_cache(maxsize=1024)(self._encode_word)

    def encode(self, text: str) -> Sequence[int]:
        """The numbers of a text, from its start token to its end token, at most LONGEST; what is longer is cut off.

        The names of these two tokens in a text are passed over: a text cannot end itself.
        """
        numbers = [number for word in _words(_normal(_SPECIAL.sub(" ", text))) for number in self._word(word)]
        return [self._start, *numbers[: LONGEST - 2], self._end]

    @property
    def end(self) -> int:
        """The number of the end token, with which shorter texts are filled up."""
        return self._end

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return max(self._numbers.values()) + 1

    def _encode_word(self, word: str) -> tuple[int, ...]:
        letters = [self._letters[byte] for byte in word.encode("utf-8")]
        letters[-1] += "</w>"
        return tuple(self._numbers.get(part, self._end) for part in self._merged(letters))

    def _merged(self, parts: list[str]) -> list[str]:
        """The parts of a word, joined in the order in which the file lists the pairs."""
        none = len(self._ranks)
        while len(parts) > 1:
            pairs = list(pairwise(parts))
            rank, pair = min((self._ranks.get(pair, none), pair) for pair in pairs)
            if rank == none:
                break
            parts = _joined(parts, pair)
        return parts


def _joined(parts: list[str], pair: tuple[str, str]) -> list[str]:
    joined: list[str] = []
    at = 0
    while at < len(parts):
        if tuple(parts[at : at + 2]) == pair:
            joined.append(pair[0] + pair[1])
            at += 2
        else:
            joined.append(parts[at])
            at += 1
    return joined


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(f"tokenizer {path}: larger than any tokenizer of CLIP")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ModelError(f"tokenizer {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"tokenizer {path}: not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"tokenizer {path}: no JSON object")
    return content


def _numbers(vocab: Mapping[str, Any], added: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    numbers = {**vocab, **{token["content"]: token["id"] for token in added}}
    if not all(isinstance(number, int) and number >= 0 for number in numbers.values()):
        raise ValueError("a token without a number")
    return numbers


def _pair(merge: Any) -> tuple[str, str]:
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return str(first), str(second)


def _normal(text: str) -> str:
    """As the file's normalizers have it: NFC, single blanks, small letters (each by itself)."""
    text = _SPACE.sub(" ", unicodedata.normalize("NFC", text))
    return "".join(letter.lower() for letter in text)


def _words(text: str) -> Iterator[str]:
    """Runs of letters, single digits, and runs of what is neither; English short forms by themselves."""
    at = 0
    while at < len(text):
        short = next((each for each in _CONTRACTIONS if text.startswith(each, at)), None)
        group = _group(text[at])
        end = at + (len(short) if short else 1)
        while not short and group in "LO" and end < len(text) and _group(text[end]) == group:
            end += 1
        if group != " ":
            yield text[at:end]
        at = end


def _group(letter: str) -> str:
    if _SPACE.fullmatch(letter):
        return " "
    category = unicodedata.category(letter)[0]
    return category if category in "LN" else "O"


def _byte_letters() -> tuple[str, ...]:
    """A printable letter for each byte, as GPT-2's encoder has them: bytes that are printable stand for themselves."""
    own = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    letters, others = [], 0
    for byte in range(256):
        letters.append(chr(byte) if byte in own else chr(256 + others))
        others += byte not in own
    return tuple(letters)
