"""A button on a pin rings once per press, and says what is wrong with its pin."""

import asyncio
import select
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from button_pins import Pins, pins_of
from gpiod.line import Bias, Direction, Edge
from patience import in_time

from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.commands import Command, Press
from blikk_edge.core.errors import BlikkError
from blikk_edge.inputs.gpio import HEADERS, QUIET_S, GpioButton

PRESS = Press(camera="front_door", via="gpio")


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pins:
    return pins_of(tmp_path, monkeypatch)


def button(pins: Pins, order, *, camera: str = "front_door", pin: int = 17, clock=None, **options) -> GpioButton:
    return GpioButton(camera, pin, order, clock=clock or VirtualClock(), devices=pins.devices, **options)


async def test_a_press_rings_once(pins: Pins, start, until) -> None:
    orders: list[Command] = []
    clock = VirtualClock(100.0)
    start(button(pins, orders.append, clock=clock))
    await until(lambda: pins.lines)
    pins.lines[17].press()
    await until(lambda: orders)
    clock.set(clock.now() + QUIET_S)
    pins.lines[17].press()
    await until(lambda: len(orders) > 1)
    assert orders == [PRESS, PRESS]


def _waiting(pins: Pins) -> bool:
    return bool(select.select([pins.lines[17].fd], [], [], 0)[0])


async def test_presses_within_half_a_second_are_one(pins: Pins, start, until) -> None:
    orders: list[Command] = []
    start(button(pins, orders.append, clock=VirtualClock(100.0)))
    await until(lambda: pins.lines)
    for _ in range(5):
        pins.lines[17].press()
    await until(lambda: orders and not _waiting(pins))
    assert orders == [PRESS]


@pytest.mark.parametrize(("pull_up", "bias"), [(True, Bias.PULL_UP), (False, Bias.PULL_DOWN)])
async def test_the_kernel_debounces_and_reports_a_pull_to_the_other_side(
    pins: Pins, start, until, pull_up: bool, bias: Bias
) -> None:
    start(button(pins, print, pull_up=pull_up))
    await until(lambda: pins.lines)
    settings = pins.lines[17].settings
    assert (settings.direction, settings.edge_detection, settings.bias) == (Direction.INPUT, Edge.RISING, bias)
    assert settings.active_low is pull_up
    assert settings.debounce_period == timedelta(milliseconds=50)


@pytest.mark.parametrize("label", HEADERS)
async def test_the_chip_of_the_pins_is_found_among_others(pins: Pins, start, until, label: str) -> None:
    pins.label = label
    start(button(pins, print))
    await until(lambda: pins.lines)
    assert pins.requested_of == [str(pins.devices / "gpiochip1")]


async def test_the_pin_is_free_again_after_a_stop(pins: Pins, start, until) -> None:
    for _ in range(2):
        task = start(button(pins, print))
        await until(lambda: pins.lines)
        task.cancel()
        await asyncio.wait((task,))
        assert not pins.lines
    assert task.cancelled()


async def test_two_cameras_on_one_pin_are_a_clear_error(pins: Pins, start, until) -> None:
    start(button(pins, print))
    await until(lambda: pins.lines)
    with pytest.raises(BlikkError, match=r"ring of yard: GPIO 17 cannot be used: .*busy"):
        await button(pins, print, camera="yard").run()


async def test_a_pin_that_does_not_exist_is_a_clear_error(pins: Pins) -> None:
    with pytest.raises(BlikkError, match="GPIO 99 cannot be used: the chip pinctrl-bcm2711 has no such pin"):
        await button(pins, print, pin=99).run()


async def test_a_chip_that_may_not_be_opened_is_a_clear_error(pins: Pins) -> None:
    pins.closed = True
    with pytest.raises(BlikkError, match=r"Permission denied.*group gpio"):
        await button(pins, print).run()


async def test_a_line_that_breaks_is_a_clear_error(pins: Pins, start, until) -> None:
    task = start(button(pins, print))
    await until(lambda: pins.lines)
    pins.lines[17].broken = True
    pins.lines[17].press()
    with pytest.raises(BlikkError, match=r"GPIO 17 cannot be used: .*Input/output error"):
        await task
    assert not pins.lines


async def test_without_gpiod_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(BlikkError, match=r"/python[0-9.]* -m pip install 'blikk-edge\[gpio\]'"):
        await GpioButton("front_door", 17, print, clock=VirtualClock()).run()


async def test_a_machine_without_gpio_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BlikkError, match="GPIO 17 cannot be used: this machine has no pins of a Raspberry Pi"):
        await GpioButton("front_door", 17, print, clock=VirtualClock(), devices=tmp_path).run()


async def test_a_device_that_is_no_chip_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "gpiochip0").touch()
    with pytest.raises(BlikkError, match="GPIO 17 cannot be used"):  # gpiod's own, nothing made up
        await GpioButton("front_door", 17, print, clock=VirtualClock(), devices=tmp_path).run()


@in_time
async def test_press_to_order_takes_milliseconds(pins: Pins, start, until, capsys: pytest.CaptureFixture[str]) -> None:
    times: list[float] = []
    start(button(pins, lambda _: times.append(time.perf_counter()), clock=SystemClock()))
    await until(lambda: pins.lines)
    began = time.perf_counter()
    pins.lines[17].press()
    await until(lambda: times)
    took = 1000 * (times[0] - began)
    with capsys.disabled():
        print(f"\n[inputs] GPIO press to order: {took:.2f} ms")
    assert took < 200
