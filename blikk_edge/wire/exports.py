"""An event as one file, which `blikk replay` reads: a zip with its records, all that is known of it, and its pictures.

`records.jsonl` has its Observations and revisions as `blikk replay --json` prints them, `event.json` what the API says
of it, `pictures/` its redacted JPEGs, named by time (UTC) and place. What is read is somebody else's: all of it is
checked, and nothing is unpacked to a disk.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from blikk_edge.core.errors import WireError
from blikk_edge.core.observation import Event, Observation
from blikk_edge.core.picture import Picture
from blikk_edge.wire.records import record_from_text, record_to_text
from blikk_edge.wire.values import JsonObject

FORMAT: Final = 1
RECORDS: Final = "records.jsonl"
EVENT: Final = "event.json"
RECORDS_BYTES: Final = 8_000_000
EVENT_BYTES: Final = 8_000_000
PICTURE_BYTES: Final = 4_000_000
PICTURES_MAX: Final = 100

_PICTURE: Final = re.compile(r"pictures/(\d{8}T\d{6})(\d{3})Z-([a-z_]{1,32})\.jpg", re.ASCII)
_WRITTEN: Final = (2020, 1, 1, 0, 0, 0)
"""The time that each entry carries: the same event gives the same bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What an export holds.

    Attributes:
        records: Observations and revisions, in the order in which they were reported.
        pictures: Its redacted Pictures, by time.
    """

    records: tuple[Observation | Event, ...]
    pictures: tuple[Picture, ...] = field(default=(), repr=False)


def write_export(
    records: Iterable[Observation | Event], about: JsonObject, pictures: Sequence[tuple[str, float, bytes]]
) -> bytes:
    """The file; of each picture its place, its capture time and its JPEG."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        lines = "".join(f"{record_to_text(record)}\n" for record in records)
        file.writestr(_entry(RECORDS), lines, zipfile.ZIP_DEFLATED)
        text = json.dumps({"format": FORMAT, **about}, ensure_ascii=False, indent=1)
        file.writestr(_entry(EVENT), text.encode("utf-8", "replace"), zipfile.ZIP_DEFLATED)
        for name, time, jpeg in pictures[:PICTURES_MAX]:
            whole_s, ms = divmod(round(time * 1000), 1000)
            stamp = f"{datetime.fromtimestamp(whole_s, UTC):%Y%m%dT%H%M%S}{ms:03d}Z"
            file.writestr(_entry(f"pictures/{stamp}-{name}.jpg"), jpeg)
    return made.getvalue()


def is_export(path: Path) -> bool:
    """Whether the file looks like one: no clip is a zip. False as well where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def read_export(path: Path) -> Export:
    """What is in the file; raises WireError that says what is not as it should be."""
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
            if RECORDS not in names:
                raise WireError(f"{path}: a zip without {RECORDS} is no export of an event")
            about = _object(_read(file, EVENT, EVENT_BYTES)) if EVENT in names else {}
            if about.get("format", FORMAT) != FORMAT:
                raise WireError(f"{path}: written by a newer blikk; update")
            records = tuple(_records(_read(file, RECORDS, RECORDS_BYTES)))
            found = sorted(name for name in names if name.startswith("pictures/") and not name.endswith("/"))
            if len(found) > PICTURES_MAX:
                raise WireError(f"{path}: {len(found)} pictures; an export has at most {PICTURES_MAX}")
            events = [record for record in records if isinstance(record, Event)]
            if not events:
                raise WireError(f"{path}: {RECORDS} holds no event")
            of = events[-1]
            pictures = tuple(_picture(name, _read(file, name, PICTURE_BYTES), of) for name in found)
            return Export(records=records, pictures=pictures)
    except OSError as error:
        raise WireError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise WireError(f"{path}: no zip that can be read: {error}") from error


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, _WRITTEN)


def _read(file: zipfile.ZipFile, name: str, most: int) -> bytes:
    with file.open(name) as entry:
        content = entry.read(most + 1)
    if len(content) > most:
        raise WireError(f"{file.filename}: {name} is larger than {most} bytes")
    return content


def _object(content: bytes) -> JsonObject:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise WireError(f"{EVENT} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise WireError(f"{EVENT} is no JSON object")
    return found


def _records(content: bytes) -> Iterable[Observation | Event]:
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        if line.strip():
            try:
                record = record_from_text(line)
            except WireError as error:
                raise WireError(f"{RECORDS}, line {number}: {error}") from error
            if isinstance(record, Observation | Event):
                yield record


def _picture(name: str, jpeg: bytes, event: Event) -> Picture:
    found = _PICTURE.fullmatch(name)
    size = jpeg_size(jpeg)
    if found is None or size is None:
        raise WireError(f"{name[:80]!r} is no picture of an export")
    moment = datetime.strptime(f"{found[1]}+0000", "%Y%m%dT%H%M%S%z")
    return Picture(
        camera=event.camera,
        name=found[3],
        time=moment.timestamp() + int(found[2]) / 1000,
        jpeg=jpeg,
        width_px=size[0],
        height_px=size[1],
        event=event.id,
    )


def jpeg_size(jpeg: bytes) -> tuple[int, int] | None:
    """Width and height as the frame header says (ITU-T T.81, B.2.2); None for what is no JPEG."""
    at = 2
    while jpeg.startswith(b"\xff\xd8") and at + 9 <= len(jpeg) and jpeg[at] == 0xFF:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            return int.from_bytes(jpeg[at + 7 : at + 9]), int.from_bytes(jpeg[at + 5 : at + 7])
        at += 2 + length
    return None
