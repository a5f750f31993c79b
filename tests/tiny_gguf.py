"""Makes a language model that llama.cpp runs and that knows nothing: random weights, letters for tokens, 0.5 MB.

It writes noise, so that whatever sense an answer has comes from how it was held to a schema or grammar. A projector
turns pictures into 16 tokens of noise that depend on the picture. The same seed gives the same bytes.
"""

from itertools import count
from pathlib import Path

import gguf
import numpy as np

WIDTH = 64
LAYERS = 2
HEADS = 2
CONTEXT = 8192
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES = ("e r", "i n", "t h")  # a byte-level tokenizer without any is refused

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def letters() -> list[str]:
    """The character that stands for each of the 256 bytes in a byte-level vocabulary."""
    shown = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = count(0x100)
    return [chr(byte if byte in shown else next(spare)) for byte in range(0x100)]


class _Random:
    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> np.ndarray:
        return (self._rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)


def tiny_model(path: Path, *, seed: int = 0) -> Path:
    """Write the model to `path`; it writes printable ASCII only, for no server likes broken UTF-8."""
    tokens = [*letters(), *(merge.replace(" ", "") for merge in MERGES), *SPECIAL]
    end_of_text, _, end_of_turn = range(len(tokens) - 3, len(tokens))
    random = _Random(seed)
    embedding, output = random(len(tokens), WIDTH) * 4, random(len(tokens), WIDTH) * 2
    # the first place of the residual is 1 all along, so that the first column of the output is a bias
    embedding[:, 0], output[:, 0] = 1, 0
    unseemly = [byte for byte in range(0x100) if not (byte == 0x0A or 0x20 <= byte < 0x7F)]
    output[unseemly, 0] = -60

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(f"tiny-{seed}")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(len(tokens))
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    normal = [gguf.TokenType.NORMAL] * (len(tokens) - len(SPECIAL))
    writer.add_token_types([*normal, *([gguf.TokenType.CONTROL] * len(SPECIAL))])
    writer.add_token_merges(list(MERGES))
    writer.add_bos_token_id(end_of_text)
    writer.add_eos_token_id(end_of_turn)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)

    def add(name: str, tensor: np.ndarray, *, writes: bool = False) -> None:
        if writes:
            tensor[0] = 0
        writer.add_tensor(name, tensor)

    add("token_embd.weight", embedding)
    for layer in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            add(f"blk.{layer}.{norm}.weight", np.ones(WIDTH, np.float32))
        for part in ("attn_q", "attn_k", "attn_v"):
            add(f"blk.{layer}.{part}.weight", random(WIDTH, WIDTH))
        add(f"blk.{layer}.attn_output.weight", random(WIDTH, WIDTH), writes=True)
        for part in ("ffn_gate", "ffn_up"):
            add(f"blk.{layer}.{part}.weight", random(2 * WIDTH, WIDTH))
        add(f"blk.{layer}.ffn_down.weight", random(WIDTH, 2 * WIDTH), writes=True)
    add("output_norm.weight", np.ones(WIDTH, np.float32))
    add("output.weight", output)
    return _written(writer, path)


def tiny_projector(path: Path, *, seed: int = 0) -> Path:
    """Write a projector for the model to `path`: 56 x 56 px in 16 patches, LLaVA's two layers behind them."""
    side_px, patch_px, width, blocks = 56, 14, 32, 2
    random = _Random(seed + 1)
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_name(f"tiny-projector-{seed}")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("mlp")
    writer.add_vision_image_size(side_px)
    writer.add_vision_patch_size(patch_px)
    writer.add_vision_embedding_length(width)
    writer.add_vision_feed_forward_length(2 * width)
    writer.add_vision_block_count(blocks)
    writer.add_vision_head_count(2)
    writer.add_vision_attention_layernorm_eps(1e-5)
    writer.add_vision_projection_dim(WIDTH)
    writer.add_vision_image_mean([0.5, 0.5, 0.5])
    writer.add_vision_image_std([0.25, 0.25, 0.25])
    writer.add_vision_use_gelu(True)

    def layer(name: str, rows: int, columns: int, gain: float = 1.0) -> None:
        writer.add_tensor(f"{name}.weight", random(rows, columns) * np.float32(gain))
        writer.add_tensor(f"{name}.bias", np.zeros(rows, np.float32))

    def norm(name: str) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(width, np.float32))
        writer.add_tensor(f"{name}.bias", np.zeros(width, np.float32))

    writer.add_tensor("v.class_embd", random(width))
    writer.add_tensor("v.patch_embd.weight", random(width, 3, patch_px, patch_px))
    writer.add_tensor("v.position_embd.weight", random((side_px // patch_px) ** 2 + 1, width))
    norm("v.pre_ln")
    for block in range(blocks):
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            layer(f"v.blk.{block}.{part}", width, width)
        layer(f"v.blk.{block}.ffn_up", 2 * width, width)
        layer(f"v.blk.{block}.ffn_down", width, 2 * width)
        norm(f"v.blk.{block}.ln1")
        norm(f"v.blk.{block}.ln2")
    layer("mm.0", width, width)
    layer("mm.2", WIDTH, width, gain=4.0)
    return _written(writer, path)


def _written(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
