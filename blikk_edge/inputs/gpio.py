"""A doorbell button on a GPIO pin of a Raspberry Pi."""

import asyncio
import importlib
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.commands import Press
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.installing import pip_install
from blikk_edge.core.ports import Order

BOUNCE: Final = timedelta(milliseconds=50)
"""Contacts of push buttons bounce for 1 to 20 ms (Ganssle, A Guide to Debouncing); doubled for old bells."""

QUIET_S: Final = 0.5
"""A second press so soon is a trembling finger or a loose wire."""

HEADERS: Final = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")
"""Labels of the chip that a Raspberry Pi's pins belong to: up to the 3, the 4, the 5. Its lines are BCM numbers."""

DEVICES: Final = Path("/dev")


class GpioButton:
    """Rings for `camera` when the button between BCM pin `pin` and ground is pressed.

    `pull_up=False` is for a button to 3.3 V. The chips are looked for in the folder `devices`.
    """

    def __init__(
        self,
        camera: str,
        pin: int,
        order: Order,
        *,
        clock: Clock,
        pull_up: bool = True,
        devices: Path = DEVICES,
    ) -> None:
        self.name = f"gpio.{camera}"
        self._camera = camera
        self._pin = pin
        self._order = order
        self._clock = clock
        self._pull_up = pull_up
        self._devices = devices
        self._pressed_at: float | None = None

    async def run(self) -> None:
        """Listen until cancelled. Raises BlikkError: no gpiod, no such pin, in use, no GPIO on this machine."""
        loop = asyncio.get_running_loop()
        broken: asyncio.Future[None] = loop.create_future()
        request = self._open()

        def read() -> None:
            try:
                for _ in request.read_edge_events():
                    self._press()
            except OSError as error:
                loop.remove_reader(request.fd)
                broken.set_exception(self._unusable(error))

        loop.add_reader(request.fd, read)
        try:
            await broken
        finally:
            loop.remove_reader(request.fd)
            request.release()

    def _open(self) -> Any:
        """The line, with the kernel watching it: it debounces, and reports presses alone."""
        try:
            gpiod = importlib.import_module("gpiod")
            line = importlib.import_module("gpiod.line")
        except ImportError as error:
            raise BlikkError(
                f"ring of {self._camera}: gpiod is not installed: {pip_install('blikk-edge[gpio]')}"
            ) from error
        settings = gpiod.LineSettings(
            direction=line.Direction.INPUT,
            edge_detection=line.Edge.RISING,
            bias=line.Bias.PULL_UP if self._pull_up else line.Bias.PULL_DOWN,
            active_low=self._pull_up,
            debounce_period=BOUNCE,
        )
        try:
            return gpiod.request_lines(self._chip(gpiod), consumer="blikk", config={self._pin: settings})
        except (OSError, ValueError) as error:
            raise self._unusable(error) from error

    def _chip(self, gpiod: Any) -> str:
        """The device of the chip that has the pins; raises OSError."""
        refused: OSError | None = None
        for device in sorted(self._devices.glob("gpiochip*")):
            try:
                with gpiod.Chip(str(device)) as chip:
                    info = chip.get_info()
            except OSError as error:
                refused = error
                continue
            if info.label in HEADERS:
                if self._pin >= info.num_lines:
                    raise ValueError(f"the chip {info.label} has no such pin")
                return str(device)
        raise refused or FileNotFoundError("this machine has no pins of a Raspberry Pi")

    def _unusable(self, error: Exception) -> BlikkError:
        return BlikkError(
            f"ring of {self._camera}: GPIO {self._pin} cannot be used: {error}; "
            "is the pin right (BCM number), free, and this user in the group gpio?"
        )

    def _press(self) -> None:
        now = self._clock.monotonic()
        if self._pressed_at is None or now - self._pressed_at >= QUIET_S:
            self._pressed_at = now
            self._order(Press(camera=self._camera, via="gpio"))
