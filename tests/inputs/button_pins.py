"""A finger on gpiozero's mock pins."""

from gpiozero.pins.mock import MockPin


def press(pin: MockPin) -> None:
    """Pull the pin to ground and let it go."""
    pin.drive_low()
    pin.drive_high()


def listening(pin: MockPin) -> bool:
    """Whether somebody waits for a press: gpiozero watches the pin a moment before it is told whom to call."""
    return pin.when_changed is not None and pin.when_changed.__self__.when_pressed is not None
