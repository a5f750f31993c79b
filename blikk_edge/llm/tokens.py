"""How many tokens a prompt will cost, before a model has counted them."""

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from blikk_edge.llm.port import Prompt

DATA_BYTES: Final = 1.7
"""Bytes of a token in lines of numbers, names and times: measured 1.7 (CSV) to 2.5 (compact JSON) on two large public
vocabularies, the worse one taken. The usual rule of four characters counts half of what is paid."""

PROSE_BYTES: Final = 3.0
"""Bytes of a token in prose: English 5.2, German 3.5; from below, as DATA_BYTES is."""

OTHER_SCRIPT_BYTES: Final = 2.5
"""Bytes of a token beyond ASCII: Chinese 2.6, Russian 3.9."""

MESSAGE_TOKENS: Final = 10
"""What a chat template wraps around each message; 17 around both of a small vocabulary that spells its marks out."""

IMAGE_TOKENS: Final = 258
"""One picture of at most 512 px: 85 to 258 at the services, up to some 300 where a local model cuts it in patches."""

RATIO_LEAST: Final = 0.5
RATIO_MOST: Final = 2.0
RATIO_PACE: Final = 0.3


def data_tokens(text: str) -> int:
    """Tokens of lines of observations, JSON and the like, rather too many than too few."""
    return math.ceil(len(text.encode("utf-8", "replace")) / DATA_BYTES)


def prose_tokens(text: str) -> int:
    """Tokens of sentences, rather too many than too few."""
    total = len(text.encode("utf-8", "replace"))
    plain = sum(character.isascii() for character in text)
    return math.ceil(plain / PROSE_BYTES + (total - plain) / OTHER_SCRIPT_BYTES)


def schema_tokens(schema: Mapping[str, Any]) -> int:
    """Tokens of a schema that is in the prompt."""
    return data_tokens(json.dumps(schema, separators=(",", ":")))


def prompt_tokens(prompt: Prompt, *, image_tokens: int = IMAGE_TOKENS) -> int:
    """Tokens that `prompt` sends: `system` as prose, `user` as data, each Picture at `image_tokens`."""
    text = prose_tokens(prompt.system) + data_tokens(prompt.user) + 2 * MESSAGE_TOKENS
    return text + image_tokens * len(prompt.pictures)


class Ratio:
    """How the truth compares to the estimates of one endpoint: a running mean of counted / estimated, 0.5 to 2."""

    def __init__(self) -> None:
        self.value = 1.0

    def learn(self, *, estimated: int, counted: int) -> None:
        """Take in one call; nothing is learnt from a count of none."""
        if estimated > 0 and counted > 0:
            seen = min(RATIO_MOST, max(RATIO_LEAST, counted / estimated))
            self.value += RATIO_PACE * (seen - self.value)

    def corrected(self, estimated: int) -> int:
        """The estimate as this endpoint counts."""
        return math.ceil(estimated * self.value)
