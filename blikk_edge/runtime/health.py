"""How the process and the machine are doing."""

import psutil

from blikk_edge.core.clock import Clock
from blikk_edge.core.status import Health

SENSORS = ("cpu_thermal", "coretemp", "k10temp", "soc_thermal", "acpitz")
"""Names under which Linux shows the processor's temperature; a Raspberry Pi says cpu_thermal."""


class Vitals:
    """Measures this process between one call and the next."""

    def __init__(self, clock: Clock) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()  # the first call only sets the mark
        self._clock = clock
        self._started = clock.monotonic()

    def measure(self) -> Health:
        """CPU since the last call (percent of one core), memory now, temperature where the machine reports it."""
        return Health(
            time=self._clock.now(),
            uptime_s=round(self._clock.monotonic() - self._started, 1),
            cpu_percent=round(self._process.cpu_percent(), 1),
            rss_bytes=self._process.memory_info().rss,
            temperature_c=temperature_c(),
        )


def temperature_c() -> float | None:
    """Of the machine, degrees Celsius; None where it has no sensor."""
    readings = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
    for name in SENSORS:
        if readings.get(name):
            return round(float(readings[name][0].current), 1)
    return None
