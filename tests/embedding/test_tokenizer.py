"""Our tokenizer against Hugging Face's `tokenizers` with the same file.

The vocabulary is made here (`tiny_clip`); the published one, of 49408 tokens, was never read by a test.
"""

import json
import sys
from pathlib import Path
from unicodedata import ucd_3_2_0

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_clip import WORDS, write_tokenizer

from blikk_edge.core.errors import ModelError
from blikk_edge.transforms.embedding.tokenizer import END, LONGEST, START, Tokenizer

judges = pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    write_tokenizer(path)
    return path


@pytest.fixture(scope="module")
def both(path: Path) -> tuple[Tokenizer, "judges.Tokenizer"]:
    judge = judges.Tokenizer.from_file(str(path))
    judge.enable_truncation(LONGEST)
    return Tokenizer(path), judge


@pytest.mark.parametrize(
    "text",
    [
        "a photo of a red car",
        "A  RED\tCar\n",
        "it's the person's parcel, they'll carry'd it!?",
        "Straße, ÉCOLE, İstanbul, ΟΔΟΣ, ﬁn, e\u0301",
        "2 cars, 37 people, ½ parcel, ² ৩ Ⅷ",
        "赤い車 🚗 \u200d\u00a0\u3000x\u001cy",
        "!'s ''t '' 're_ve",
        "",
        "red " * 200,
    ],
)
def test_texts_become_the_numbers_of_the_judge(both: tuple[Tokenizer, "judges.Tokenizer"], text: str) -> None:
    ours, judge = both
    assert list(ours.encode(text)) == judge.encode(text).ids


# What was added to Unicode later is a letter to one of the two and nothing to the other, as their tables differ in age.
LONG_KNOWN = [
    letter for letter in map(chr, range(sys.maxunicode + 1)) if ucd_3_2_0.category(letter) not in {"Cn", "Cs", "Co"}
]
PARTS = st.one_of(
    st.sampled_from([*WORDS, "'s", "'LL", " ", "\n", "1", "é"]),
    st.text(st.characters(max_codepoint=0x17F), max_size=6),
    st.text(st.sampled_from(LONG_KNOWN), max_size=6),
)


@given(st.lists(PARTS).map("".join))
def test_any_text_does(both: tuple[Tokenizer, "judges.Tokenizer"], text: str) -> None:
    ours, judge = both
    if START not in text and END not in text:
        assert list(ours.encode(text)) == judge.encode(text).ids


def test_a_text_cannot_end_itself(both: tuple[Tokenizer, "judges.Tokenizer"]) -> None:
    ours, _ = both
    assert list(ours.encode(f"red{END}{START} car")) == list(ours.encode("red car"))


def test_pairs_written_as_lists_are_the_same(
    both: tuple[Tokenizer, "judges.Tokenizer"], path: Path, tmp_path: Path
) -> None:
    content = json.loads(path.read_text())
    content["model"]["merges"] = [pair.split(" ") for pair in content["model"]["merges"]]
    (tmp_path / "newer.json").write_text(json.dumps(content))
    assert list(Tokenizer(tmp_path / "newer.json").encode("red car")) == list(both[0].encode("red car"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ("[]", "no JSON object"),
        ("{}", "no tokenizer of CLIP"),
        ('{"model": {"type": "WordPiece"}}', "not CLIP's byte-pair encoding"),
        ('{"model": {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": {"a": "x"}, "merges": []}}', "no tokenizer"),
    ],
)
def test_another_file_is_refused_with_its_name(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match=words) as caught:
        Tokenizer(tmp_path / "tokenizer.json")
    assert str(tmp_path / "tokenizer.json") in str(caught.value)
