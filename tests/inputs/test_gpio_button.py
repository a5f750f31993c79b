"""A button on a pin rings once per press, and says what is wrong with its pin. Pins are gpiozero's mock pins."""

import asyncio
import sys
import time

import pytest
from button_pins import listening, press
from gpiozero.pins.mock import MockFactory

from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.commands import Command, Press
from blikk_edge.core.errors import BlikkError
from blikk_edge.inputs.gpio import QUIET_S, GpioButton

PRESS = Press(camera="front_door", via="gpio")


@pytest.fixture
def pins():
    factory = MockFactory()
    yield factory
    factory.reset()


async def test_a_press_rings_once(pins: MockFactory, start, until) -> None:
    orders: list[Command] = []
    clock = VirtualClock(100.0)
    start(GpioButton("front_door", 17, orders.append, clock=clock, pin_factory=pins))
    pin = pins.pin(17)
    await until(lambda: listening(pin))
    press(pin)
    assert orders == [PRESS]
    for _ in range(5):  # a bouncing contact
        press(pin)
    assert orders == [PRESS]
    clock.set(clock.now() + QUIET_S)
    press(pin)
    assert orders == [PRESS, PRESS]


async def test_the_pin_is_free_again_after_a_stop(pins: MockFactory, start, until) -> None:
    orders: list[Command] = []
    for _ in range(2):
        task = start(GpioButton("front_door", 17, orders.append, clock=VirtualClock(), pin_factory=pins))
        pin = pins.pin(17)
        await until(lambda pin=pin: listening(pin))
        task.cancel()
        await asyncio.wait((task,))
    assert task.cancelled()


async def test_two_cameras_on_one_pin_are_a_clear_error(pins: MockFactory, start, until) -> None:
    start(GpioButton("front_door", 17, print, clock=VirtualClock(), pin_factory=pins))
    pin = pins.pin(17)
    await until(lambda: listening(pin))
    with pytest.raises(BlikkError, match=r"ring of yard: GPIO 17 cannot be used: .*in use"):
        await GpioButton("yard", 17, print, clock=VirtualClock(), pin_factory=pins).run()


async def test_a_pin_that_does_not_exist_is_a_clear_error(pins: MockFactory) -> None:
    with pytest.raises(BlikkError, match="GPIO 99 cannot be used"):
        await GpioButton("front_door", 99, print, clock=VirtualClock(), pin_factory=pins).run()


async def test_without_gpiozero_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    with pytest.raises(BlikkError, match=r"/python[0-9.]* -m pip install 'blikk-edge\[gpio\]'"):
        await GpioButton("front_door", 17, print, clock=VirtualClock()).run()


async def test_a_machine_without_gpio_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "pigpio")  # would need a daemon, which is nowhere
    with pytest.raises(BlikkError, match="GPIO 17 cannot be used"):
        await GpioButton("front_door", 17, print, clock=VirtualClock()).run()


async def test_press_to_order_takes_milliseconds(
    pins: MockFactory, start, until, capsys: pytest.CaptureFixture[str]
) -> None:
    times: list[float] = []
    start(
        GpioButton("front_door", 17, lambda _: times.append(time.perf_counter()), clock=SystemClock(), pin_factory=pins)
    )
    pin = pins.pin(17)
    await until(lambda: listening(pin))
    began = time.perf_counter()
    press(pin)
    await until(lambda: times)
    took = 1000 * (times[0] - began)
    with capsys.disabled():
        print(f"\n[inputs] GPIO press to order: {took:.2f} ms")
    assert took < 200
