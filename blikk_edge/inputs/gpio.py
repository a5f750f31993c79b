"""A doorbell button on a GPIO pin of a Raspberry Pi."""

import asyncio
import importlib
from typing import Any, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.commands import Press
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.installing import pip_install
from blikk_edge.core.ports import Order

BOUNCE_S: Final = 0.05
"""Contacts of push buttons bounce for 1 to 20 ms (Ganssle, A Guide to Debouncing); doubled for old bells."""

QUIET_S: Final = 0.5
"""A second press so soon is a trembling finger or a loose wire."""


class GpioButton:
    """Rings for `camera` when the button between BCM pin `pin` and ground is pressed.

    `pull_up=False` is for a button to 3.3 V. `pin_factory` is gpiozero's; None: the one it finds on this machine.
    """

    def __init__(
        self,
        camera: str,
        pin: int,
        order: Order,
        *,
        clock: Clock,
        pull_up: bool = True,
        pin_factory: object | None = None,
    ) -> None:
        self.name = f"gpio.{camera}"
        self._camera = camera
        self._pin = pin
        self._order = order
        self._clock = clock
        self._pull_up = pull_up
        self._pin_factory = pin_factory
        self._pressed_at: float | None = None

    async def run(self) -> None:
        """Listen until cancelled. Raises BlikkError: no gpiozero, no such pin, in use, no GPIO on this machine."""
        # Importing gpiozero takes up to a second on a Pi.
        button = await asyncio.to_thread(self._open)
        try:
            await asyncio.Event().wait()
        finally:
            button.close()

    def _open(self) -> Any:
        try:
            gpiozero = importlib.import_module("gpiozero")
        except ImportError as error:
            raise BlikkError(
                f"ring of {self._camera}: gpiozero is not installed: {pip_install('blikk-edge[gpio]')}"
            ) from error
        try:
            button = gpiozero.Button(
                self._pin, pull_up=self._pull_up, bounce_time=BOUNCE_S, pin_factory=self._pin_factory
            )
        except (gpiozero.GPIOZeroError, ImportError, OSError, *_lgpio_errors()) as error:
            raise BlikkError(
                f"ring of {self._camera}: GPIO {self._pin} cannot be used: {error}; "
                "is the pin right (BCM number), free, and this user in the group gpio?"
            ) from error
        button.when_pressed = self._press
        return button

    def _press(self) -> None:
        """Called in gpiozero's own thread."""
        now = self._clock.monotonic()
        if self._pressed_at is None or now - self._pressed_at >= QUIET_S:
            self._pressed_at = now
            self._order(Press(camera=self._camera, via="gpio"))


def _lgpio_errors() -> tuple[type[Exception], ...]:
    """What gpiozero lets through from the library below it: its own class, only there on a Pi."""
    try:
        return (importlib.import_module("lgpio").error,)
    except ImportError:
        return ()
