"""A Raspberry Pi's pins, made up at gpiod's boundary: its settings are the real ones, its chips and lines are these."""

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gpiod
import pytest


@dataclass
class Line:
    """A line that somebody has requested: `press` is an edge that the kernel reports after it has debounced it."""

    settings: gpiod.LineSettings
    fd: int
    _writer: int
    pins: "Pins"
    pin: int
    broken: bool = False

    def press(self) -> None:
        os.write(self._writer, b"!")

    def read_edge_events(self) -> list[Any]:
        if self.broken:
            raise OSError(errno.EIO, "Input/output error")
        return [SimpleNamespace(line_offset=self.pin) for _ in os.read(self.fd, 64)]

    def release(self) -> None:
        os.close(self.fd)
        os.close(self._writer)
        del self.pins.lines[self.pin]


@dataclass
class Pins:
    """A folder with a chip that is not the pins', and one that is; `lines` are those in use."""

    devices: Path
    label: str = "pinctrl-bcm2711"
    count: int = 58
    closed: bool = False
    lines: dict[int, Line] = field(default_factory=dict)
    requested_of: list[str] = field(default_factory=list)

    def chip(self, path: str) -> Any:
        if self.closed:
            raise PermissionError(errno.EACCES, "Permission denied")
        other = path.endswith("gpiochip0")
        info = SimpleNamespace(
            label="raspberrypi-exp-gpio" if other else self.label, num_lines=8 if other else self.count
        )
        return _Open(info)

    def request_lines(self, path: str, *, consumer: str, config: dict[int, gpiod.LineSettings]) -> Line:
        ((pin, settings),) = config.items()
        if pin in self.lines:
            raise OSError(errno.EBUSY, "Device or resource busy")
        self.requested_of.append(path)
        reader, writer = os.pipe()
        line = self.lines[pin] = Line(settings, reader, writer, self, pin)
        return line


@dataclass
class _Open:
    info: Any

    def __enter__(self) -> "_Open":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get_info(self) -> Any:
        return self.info


def pins_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Pins:
    """Have gpiod find these pins in this folder."""
    for name in ("gpiochip0", "gpiochip1"):
        (folder / name).touch()
    pins = Pins(folder)
    monkeypatch.setattr(gpiod, "Chip", pins.chip)
    monkeypatch.setattr(gpiod, "request_lines", pins.request_lines)
    return pins
