"""What a keyframe says of how it is to be decoded: the parameter sets of H.264 and H.265 before its first slice."""

from typing import Final

# ITU-T H.264, table 7-1: SPS, PPS; slices are 1 to 5. H.265, table 7-1: VPS, SPS, PPS; slices are below 32.
_H264_SETS: Final = frozenset({7, 8})
_H265_SETS: Final = frozenset({32, 33, 34})
_START: Final = b"\0\0\1"


def parameter_sets(codec: str, data: bytes) -> bytes:
    """The parameter sets in a packet or in what was announced, with start codes; empty where there are none."""
    found = []
    at = data.find(_START)
    while at >= 0:
        begin = at + len(_START)
        if begin >= len(data):
            break
        kind = (data[begin] >> 1) & 0x3F if codec == "hevc" else data[begin] & 0x1F
        if kind < 32 if codec == "hevc" else 1 <= kind <= 5:
            break
        at = data.find(_START, begin)
        if kind in (_H265_SETS if codec == "hevc" else _H264_SETS):
            found.append(data[begin : at if at >= 0 else len(data)].rstrip(b"\0"))
    return b"".join(b"\0" + _START + unit for unit in dict.fromkeys(found))
