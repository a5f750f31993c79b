"""Reads a damaged SQLite file page by page, its log too: rows are found wherever a page still holds them.

The format is that of https://www.sqlite.org/fileformat2.html; section numbers below are of that page.
"""

import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

Value: TypeAlias = str | float | int | bytes | None

MAGIC: Final = b"SQLite format 3\x00"
PAGE_BYTES: Final = 4096
"""SQLite's own default; ours never have another."""

MAX_ROW_BYTES: Final = 4_000_000
"""A longer row is not one of ours, but a length that was damaged."""

MAX_LOG_BYTES: Final = 64_000_000
"""A longer log is not read a second time: it is emptied at one megabyte."""

TABLE_LEAF, TABLE_INNER, INDEX_LEAF, INDEX_INNER = 0x0D, 0x05, 0x0A, 0x02

_LOG_HEADER: Final = struct.Struct(">8I")
_FRAME_HEADER: Final = struct.Struct(">6I")
_LOG_MAGIC: Final = 0x377F0682


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What SQLite's write-ahead log holds (section 4).

    Attributes:
        page_bytes: The size of a page; 0 where there is no log.
        images: Where each page's newest image begins, in bytes from the log's beginning, by page number.
        damaged: Whether there are whole transactions after a frame that is not whole, or a header that is not: SQLite
            would pass over them without a word.
    """

    page_bytes: int = 0
    images: dict[int, int] = field(default_factory=dict)
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table or an index.

    Attributes:
        rowid: 0 in an index.
        values: Those of its columns, in order.
        index: Whether it stands in an index.
    """

    rowid: int
    values: tuple[Value, ...]
    index: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """What one page holds.

    Attributes:
        kind: TABLE_LEAF, TABLE_INNER, INDEX_LEAF or INDEX_INNER.
        rows: Its rows; none on an inner page of a table.
        children: The numbers of the pages below an inner page.
        keys: The largest rowid of each child but the last, of an inner page of a table.
        whole: Whether every cell of it could be read.
    """

    kind: int
    rows: tuple[Row, ...] = ()
    children: tuple[int, ...] = ()
    keys: tuple[int, ...] = ()
    whole: bool = True


def read_log(path: Path) -> Log:
    """The log at `path`; an empty one where there is none."""
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_LOG_BYTES else b""
    except OSError:
        return Log()
    if len(data) <= _LOG_HEADER.size:
        return Log()
    magic, _, page_bytes, _, *salts, first, second = _LOG_HEADER.unpack_from(data)
    order = ">" if magic & 1 else "<"
    sound = magic | 1 == _LOG_MAGIC | 1 and _sum(order, data[:24], (0, 0)) == (first, second)
    if not sound:
        page_bytes, order = PAGE_BYTES, "<" if sys.byteorder == "little" else ">"
        salts = list(_FRAME_HEADER.unpack_from(data.ljust(64, b"\0"), _LOG_HEADER.size)[2:4])
    return _frames(data, page_bytes, order, salts, (first, second), sound=sound)


def _frames(
    data: bytes, page_bytes: int, order: str, salts: Sequence[int], seed: tuple[int, int], *, sound: bool
) -> Log:
    """Frames are good by themselves: the checksum of each goes on from the one that the frame before it says it has."""
    images: dict[int, int] = {}
    waiting: dict[int, int] = {}  # of the transaction that has not been seen to end
    broken, damaged, seeded = False, not sound, sound
    whole_bytes = _FRAME_HEADER.size + page_bytes
    for start in range(_LOG_HEADER.size, len(data) - whole_bytes + 1, whole_bytes):
        number, size, *frame_salts, one, two = _FRAME_HEADER.unpack_from(data, start)
        if frame_salts != list(salts):  # from before the log was begun anew, or damaged where others follow
            broken, seeded = True, False
            continue
        begin = start + _FRAME_HEADER.size
        total = _sum(order, data[start : start + 8], seed) if seeded else seed
        good = not seeded or _sum(order, data[begin : begin + page_bytes], total) == (one, two)
        seed, seeded = (one, two), True
        if not good:
            broken = True
            continue
        waiting[number] = begin
        if size:  # the last of its transaction
            images |= waiting
            waiting = {}
            damaged |= broken
    return Log(page_bytes=page_bytes, images=images, damaged=damaged and bool(images))


def _sum(order: str, data: bytes, seed: tuple[int, int]) -> tuple[int, int]:
    """SQLite's checksum of some words, in pairs (section 4.2)."""
    first, second = seed
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


class Pages:
    """The pages of the database at `path` under its log; use it as a context. Raises OSError on opening alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log_path = path.with_name(f"{path.name}-wal")
        self._log = read_log(self._log_path)
        self._main: BinaryIO | None = None
        self._log_file: BinaryIO | None = None
        self._main_bytes = 0
        self._page_bytes = PAGE_BYTES
        self._usable = PAGE_BYTES

    def __enter__(self) -> "Pages":
        if self._path.exists():
            self._main = self._path.open("rb")
            self._main_bytes = self._path.stat().st_size
        if self._log.images:
            self._log_file = self._log_path.open("rb")
        header = self._main.read(100) if self._main is not None else b""
        size = int.from_bytes(header[16:18], "big") if header.startswith(MAGIC) else 0
        size = 65536 if size == 1 else size
        if size not in {2**power for power in range(9, 17)}:
            size = self._log.page_bytes or PAGE_BYTES
            header = b""
        self._page_bytes = size
        self._usable = size - (header[20] if len(header) > 20 and header[20] <= 32 else 0)
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._main, self._log_file):
            if file is not None:
                file.close()

    def rows(self) -> Iterator[Row]:
        """Every row of every page that can be read, whatever table it is of."""
        last = -(-self._main_bytes // self._page_bytes)
        # a damaged log may name page four billion
        for number in (*range(1, last + 1), *sorted(each for each in self._log.images if each > last)):
            if (page := self.page(number)) is not None:
                yield from page.rows

    def page(self, number: int) -> Page | None:
        """One page; None where it is no page of a table or an index, or gone."""
        data = self._bytes(number)
        start = 100 if number == 1 else 0
        if len(data) < self._usable or data[start] not in {TABLE_LEAF, TABLE_INNER, INDEX_LEAF, INDEX_INNER}:
            return None
        kind = data[start]
        count = int.from_bytes(data[start + 3 : start + 5], "big")
        inner = kind in {TABLE_INNER, INDEX_INNER}
        table = start + (12 if inner else 8)
        if table + 2 * count > self._usable:
            return None
        rows: list[Row] = []
        children: list[int] = []
        keys: list[int] = []
        whole = True
        for n in range(count):
            cell = int.from_bytes(data[table + 2 * n : table + 2 * n + 2], "big")
            try:
                if not table + 2 * count <= cell < self._usable:
                    raise ValueError("outside of the page")
                if inner:
                    children.append(int.from_bytes(data[cell : cell + 4], "big"))
                    cell += 4
                if kind == TABLE_INNER:
                    keys.append(_varint(data, cell)[0])
                else:
                    rows.append(self._row(data, cell, kind))
            except (ValueError, IndexError, struct.error):
                whole = False
        if inner:
            children.append(int.from_bytes(data[start + 8 : start + 12], "big"))
        return Page(kind, tuple(rows), tuple(children), tuple(keys), whole)

    def _bytes(self, number: int) -> bytes:
        try:
            if (begin := self._log.images.get(number)) is not None and self._log_file is not None:
                self._log_file.seek(begin)
                return self._log_file.read(self._page_bytes)
            if self._main is None or number < 1:
                return b""
            self._main.seek((number - 1) * self._page_bytes)
            return self._main.read(self._page_bytes)
        except OSError:  # a sector that the disk cannot read any more
            return b""

    def _row(self, data: bytes, cell: int, kind: int) -> Row:
        """A cell of a leaf, or of an inner page of an index (section 1.6). Raises ValueError, IndexError."""
        length, cell = _varint(data, cell)
        rowid = 0
        if kind == TABLE_LEAF:
            rowid, cell = _varint(data, cell)
        if not 0 < length <= MAX_ROW_BYTES:
            raise ValueError("no row of ours is so long")
        most = self._usable - 35 if kind == TABLE_LEAF else (self._usable - 12) * 64 // 255 - 23
        least = (self._usable - 12) * 32 // 255 - 23
        local = length
        if length > most:
            local = least + (length - least) % (self._usable - 4)
            local = local if local <= most else least
        payload = data[cell : cell + local]
        if len(payload) < local:
            raise ValueError("it ends outside of the page")
        if local < length:
            payload += self._overflow(int.from_bytes(data[cell + local : cell + local + 4], "big"), length - local)
        return Row(rowid, _values(payload), kind != TABLE_LEAF)

    def _overflow(self, number: int, length: int) -> bytes:
        parts: list[bytes] = []
        seen: set[int] = set()
        while len(parts) * (self._usable - 4) < length:
            data = self._bytes(number) if number not in seen else b""
            if len(data) < self._usable:
                raise ValueError("the rest of it is gone, or goes round in a circle")
            seen.add(number)
            number = int.from_bytes(data[:4], "big")
            parts.append(data[4 : self._usable])
        return b"".join(parts)[:length]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends (section 1.6)."""
    value = 0
    for n in range(8):
        byte = data[at + n]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + n + 1
    value = value << 8 | data[at + 8]
    return value - (1 << 64 if value >= 1 << 63 else 0), at + 9


_INTEGER_BYTES: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def _values(payload: bytes) -> tuple[Value, ...]:
    """A record's values (section 2.1). Raises ValueError, IndexError."""
    end, at = _varint(payload, 0)
    kinds: list[int] = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    if at != end or end > len(payload):
        raise ValueError("its header does not end where it should")
    values: list[Value] = []
    for kind in kinds:
        value, at = _value(payload, at, kind)
        values.append(value)
    if at != len(payload):
        raise ValueError("it is longer or shorter than its header says")
    return tuple(values)


def _value(payload: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind in {0, 8, 9}:
        return {0: None, 8: 0, 9: 1}[kind], at
    if kind in _INTEGER_BYTES:
        end = at + _INTEGER_BYTES[kind]
        return int.from_bytes(payload[at:end], "big", signed=True), end
    if kind == 7:
        return struct.unpack(">d", payload[at : at + 8])[0], at + 8
    if kind < 12:
        raise ValueError("no kind of value")
    end = at + (kind - 12) // 2
    data = payload[at:end]
    return (data.decode() if kind % 2 else data), end
