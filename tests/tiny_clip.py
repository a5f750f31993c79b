"""A CLIP model of two towers in which words for colours match pictures of that colour, and its tokenizer.

Inputs, outputs and files are as those of the model in the registry, whose weights no test has. The tokenizer is of the
same kind with a vocabulary of its own: all bytes, and the words below.
"""

import json
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from blikk_edge.transforms.embedding.tokenizer import END, START, _byte_letters
from blikk_edge.transforms.embedding.towers import MEAN, STD

COLOURS: Final = {
    "red": (200, 30, 30),
    "green": (30, 160, 60),
    "blue": (30, 60, 200),
    "white": (235, 235, 235),
    "black": (25, 25, 25),
    "grey": (128, 128, 128),
}
WORDS: Final = (*COLOURS, "person", "car", "photo", "the", "carrying", "parcel", "empty", "street")
SIDE_PX: Final = 224


def write_tokenizer(path: Path) -> None:
    """The tokenizer, written as Hugging Face writes that of CLIP."""
    letters = _byte_letters()
    vocab = [*letters, *(f"{letter}</w>" for letter in letters)]
    merges: list[list[str]] = []
    for word in WORDS:
        parts = _merged([*word[:-1], f"{word[-1]}</w>"], merges)
        while len(parts) > 1:
            joined = parts[0] + parts[1]
            merges.append(parts[:2])
            if joined not in vocab:
                vocab.append(joined)
            parts = [joined, *parts[2:]]
    numbers = {token: number for number, token in enumerate([*vocab, START, END])}
    split = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_special(numbers[START], START), _special(numbers[END], END)],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFC"},
                {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
                {"type": "Lowercase"},
            ],
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": split}, "behavior": "Removed", "invert": True},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            ],
        },
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": [END, numbers[END]],
            "cls": [START, numbers[START]],
            "trim_offsets": False,
            "add_prefix_space": False,
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": END,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": numbers,
            "merges": [" ".join(pair) for pair in merges],
        },
    }
    path.write_text(json.dumps(content))


def _merged(parts: list[str], merges: list[list[str]]) -> list[str]:
    """The parts of a word with the merges that there are so far, each in its turn."""
    for pair in merges:
        at = 0
        while at < len(parts) - 1:
            if parts[at : at + 2] == pair:
                parts[at : at + 2] = ["".join(pair)]
            at += 1
    return parts


def _special(number: int, content: str) -> dict[str, object]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": True}
    return {"id": number, "content": content, **flags}


def write_model(path: Path, tokenizer: Path, *, turned: float = 0.0, names: dict[str, str] | None = None) -> None:
    """The towers. `turned` mixes noise into the picture tower; `names` gives inputs and outputs other names."""
    numbers = json.loads(tokenizer.read_text())["model"]["vocab"]
    size = len(COLOURS) + 1  # the last one is never nothing
    table = np.zeros((len(numbers), size), np.float32)
    for place, colour in enumerate(COLOURS):
        table[numbers[f"{colour}</w>"], place] = 1.0
    bias = np.zeros(size, np.float32)
    bias[-1] = 0.1
    anchors = np.array(list(COLOURS.values()), np.float32).T / 255.0  # (3, colours)
    turn = np.eye(size, dtype=np.float32)
    turn += turned * np.random.default_rng(5).normal(size=(size, size)).astype(np.float32)
    pad = np.eye(len(COLOURS), size, dtype=np.float32)
    # softmax of -40 |rgb - anchor|^2, in which |rgb|^2 is the same for all
    values = {
        "std": STD.reshape(1, 3, 1, 1),
        "mean": MEAN.reshape(1, 3, 1, 1),
        "double_anchors": 80.0 * anchors,
        "squares": -40.0 * (anchors**2).sum(axis=0),
        "pad": pad,
        "bias": bias,
        "turn": turn,
        "table": table,
        "axes_1": np.array([1], np.int64),
        "axes_23": np.array([2, 3], np.int64),
        "axes_2": np.array([2], np.int64),
        "from": np.array([SIDE_PX // 4, SIDE_PX // 4], np.int64),
        "to": np.array([3 * SIDE_PX // 4, 3 * SIDE_PX // 4], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Mul", ["pixel_values", "std"], ["spread"]),
        node("Add", ["spread", "mean"], ["rgb"]),
        node("Slice", ["rgb", "from", "to", "axes_23"], ["middle"]),
        node("ReduceMean", ["middle", "axes_23"], ["one_rgb"], keepdims=0),
        node("MatMul", ["one_rgb", "double_anchors"], ["near"]),
        node("Add", ["near", "squares"], ["nearness"]),
        node("Softmax", ["nearness"], ["colours"], axis=-1),
        node("MatMul", ["colours", "pad"], ["padded"]),
        node("Add", ["padded", "bias"], ["picture"]),
        node("MatMul", ["picture", "turn"], ["turned"]),
        node("LpNormalization", ["turned"], ["image_embeds"], axis=-1, p=2),
        node("Gather", ["table", "input_ids"], ["words"]),
        node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["mask", "axes_2"], ["mask_3"]),
        node("Mul", ["words", "mask_3"], ["read"]),
        node("ReduceSum", ["read", "axes_1"], ["meaning"], keepdims=0),
        node("Add", ["meaning", "bias"], ["text"]),
        node("LpNormalization", ["text"], ["text_embeds"], axis=-1, p=2),
        node("Transpose", ["image_embeds"], ["turned_images"], perm=[1, 0]),
        node("MatMul", ["text_embeds", "turned_images"], ["logits_per_text"]),
        node("Transpose", ["logits_per_text"], ["logits_per_image"], perm=[1, 0]),
    ]
    for each in nodes:
        for fields in (each.input, each.output):
            for at, name in enumerate(fields):
                fields[at] = (names or {}).get(name, name)

    def info(name: str, kind: int, shape: list[object]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info((names or {}).get(name, name), kind, shape)

    graph = helper.make_graph(
        nodes,
        "two towers",
        [
            info("input_ids", TensorProto.INT64, ["text_batch_size", "sequence_length"]),
            info("pixel_values", TensorProto.FLOAT, ["image_batch_size", "num_channels", "height", "width"]),
            info("attention_mask", TensorProto.INT64, ["text_batch_size", "sequence_length"]),
        ],
        [
            info("logits_per_image", TensorProto.FLOAT, ["image_batch_size", "text_batch_size"]),
            info("logits_per_text", TensorProto.FLOAT, ["text_batch_size", "image_batch_size"]),
            info("text_embeds", TensorProto.FLOAT, ["text_batch_size", size]),
            info("image_embeds", TensorProto.FLOAT, ["image_batch_size", size]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def write_pair(folder: Path) -> tuple[Path, Path]:
    """Model and tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    model, tokenizer = folder / "two_towers.onnx", folder / "tokenizer.json"
    write_tokenizer(tokenizer)
    write_model(model, tokenizer)
    return model, tokenizer
