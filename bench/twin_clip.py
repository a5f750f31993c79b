"""A CLIP model of TinyCLIP's architecture (ViT-8M/16, Text-3M) with random weights: what it finds means nothing."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

WIDTH, HEADS, IMAGE_LAYERS, TEXT_LAYERS, OUT = 256, 4, 10, 3, 512
PATCH_PX, SIDE_PX, PLACES, TOKENS = 16, 224, 77, 49408


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.values: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(0)
        self._count = 0

    def op(self, kind: str, *inputs: str, out: str = "", **attributes: object) -> str:
        self._count += 1
        out = out or f"t{self._count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name=f"n{self._count}", **attributes))
        return out

    def value(self, array: np.ndarray) -> str:
        name = f"v{len(self.values)}"
        self.values.append(numpy_helper.from_array(array, name))
        return name

    def weights(self, *shape: int) -> str:
        return self.value((self._random.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32))

    def ints(self, *numbers: int) -> str:
        return self.value(np.array(numbers, np.int64))

    def norm(self, x: str) -> str:
        one, zero = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
        return self.op("LayerNormalization", x, self.value(one), self.value(zero), axis=-1)

    def heads(self, x: str, *, turned: bool = False) -> str:
        parts = self.op("Reshape", x, self.ints(0, 0, HEADS, WIDTH // HEADS))
        return self.op("Transpose", parts, perm=[0, 2, 3, 1] if turned else [0, 2, 1, 3])

    def linear(self, x: str, inside: int, outside: int) -> str:
        product = self.op("MatMul", x, self.weights(inside, outside))
        return self.op("Add", product, self.value(np.zeros(outside, np.float32)))

    def block(self, x: str, mask: str = "") -> str:
        seen = self.norm(x)
        query, key, value = (self.linear(seen, WIDTH, WIDTH) for _ in range(3))
        scores = self.op("MatMul", self.heads(query), self.heads(key, turned=True))
        scores = self.op("Mul", scores, self.value(np.float32((WIDTH // HEADS) ** -0.5)))
        if mask:
            scores = self.op("Add", scores, mask)
        read = self.op("MatMul", self.op("Softmax", scores, axis=-1), self.heads(value))
        read = self.op("Reshape", self.op("Transpose", read, perm=[0, 2, 1, 3]), self.ints(0, 0, WIDTH))
        x = self.op("Add", x, self.linear(read, WIDTH, WIDTH))
        wide = self.linear(self.norm(x), WIDTH, 4 * WIDTH)
        gate = self.op("Sigmoid", self.op("Mul", wide, self.value(np.float32(1.702))))
        return self.op("Add", x, self.linear(self.op("Mul", wide, gate), 4 * WIDTH, WIDTH))


def write(path: Path) -> None:
    """The two towers in one file, with the inputs and outputs of the published one."""
    graph = _Graph()
    patches = graph.op(
        "Conv",
        "pixel_values",
        graph.weights(WIDTH, 3, PATCH_PX, PATCH_PX),
        kernel_shape=[PATCH_PX] * 2,
        strides=[PATCH_PX] * 2,
    )
    x = graph.op("Transpose", graph.op("Reshape", patches, graph.ints(0, WIDTH, -1)), perm=[0, 2, 1])
    x = graph.op("Concat", graph.weights(1, 1, WIDTH), x, axis=1)
    x = graph.norm(graph.op("Add", x, graph.weights(1, (SIDE_PX // PATCH_PX) ** 2 + 1, WIDTH)))
    for _ in range(IMAGE_LAYERS):
        x = graph.block(x)
    first = graph.op("Gather", graph.norm(x), graph.value(np.array(0, np.int64)), axis=1)
    image = graph.op("MatMul", first, graph.weights(WIDTH, OUT))
    graph.op("LpNormalization", image, out="image_embeds", axis=-1, p=2)

    length = graph.op("Gather", graph.op("Shape", "input_ids"), graph.ints(1), axis=0)
    places = graph.op("Slice", graph.weights(PLACES, WIDTH), graph.ints(0), length, graph.ints(0))
    x = graph.op("Add", graph.op("Gather", graph.weights(TOKENS, WIDTH), "input_ids"), places)
    future = graph.value(np.triu(np.full((PLACES, PLACES), -1e9, np.float32), 1))
    two = graph.op("Concat", length, length, axis=0)
    mask = graph.op("Slice", future, graph.ints(0, 0), two, graph.ints(0, 1))
    given = graph.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    hidden = graph.op("Mul", graph.op("Sub", given, graph.value(np.float32(1))), graph.value(np.float32(1e9)))
    mask = graph.op("Add", mask, graph.op("Unsqueeze", hidden, graph.ints(1, 2)))
    for _ in range(TEXT_LAYERS):
        x = graph.block(x, mask)
    last = graph.op("ArgMax", "input_ids", axis=1, keepdims=0)
    at = graph.op("Unsqueeze", graph.op("Unsqueeze", last, graph.ints(1)), graph.ints(2))
    at = graph.op("Expand", at, graph.ints(1, 1, WIDTH))
    end = graph.op("Squeeze", graph.op("GatherElements", graph.norm(x), at, axis=1), graph.ints(1))
    graph.op("LpNormalization", graph.op("MatMul", end, graph.weights(WIDTH, OUT)), out="text_embeds", axis=-1, p=2)
    logits = graph.op(
        "MatMul", "text_embeds", graph.op("Transpose", "image_embeds", perm=[1, 0]), out="logits_per_text"
    )
    graph.op("Transpose", logits, out="logits_per_image", perm=[1, 0])

    info = helper.make_tensor_value_info
    text = ["text_batch_size", "sequence_length"]
    made = helper.make_graph(
        graph.nodes,
        "twin",
        [
            info("input_ids", TensorProto.INT64, text),
            info("pixel_values", TensorProto.FLOAT, ["image_batch_size", 3, SIDE_PX, SIDE_PX]),
            info("attention_mask", TensorProto.INT64, text),
        ],
        [
            info("logits_per_image", TensorProto.FLOAT, ["image_batch_size", "text_batch_size"]),
            info("logits_per_text", TensorProto.FLOAT, ["text_batch_size", "image_batch_size"]),
            info("text_embeds", TensorProto.FLOAT, ["text_batch_size", OUT]),
            info("image_embeds", TensorProto.FLOAT, ["image_batch_size", OUT]),
        ],
        graph.values,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)


def write_quantised(full: Path, path: Path) -> None:
    """The same with 8-bit weights, quantised dynamically by ONNX Runtime."""
    quantize_dynamic(full, path, weight_type=QuantType.QUInt8, op_types_to_quantize=["MatMul", "Gather"])
