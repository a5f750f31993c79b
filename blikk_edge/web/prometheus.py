"""The text that Prometheus reads, made of families of figures; `prometheus_client` is imported when it is asked for."""

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from math import isinf
from typing import TYPE_CHECKING, TypeAlias

from blikk_edge import __version__
from blikk_edge.core.errors import ConfigError
from blikk_edge.core.installing import pip_install
from blikk_edge.core.probe import Timing

if TYPE_CHECKING:
    from prometheus_client import Metric
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

Labels: TypeAlias = tuple[str, ...]
Rows: TypeAlias = Iterable[tuple[Labels, float | None]]
"""The values of the labels, and what is measured; None is left out."""


def missing() -> ConfigError | None:
    """What to type where `prometheus_client` is not installed; None where it is."""
    if find_spec("prometheus_client") is not None:
        return None
    return _needed()


def _needed() -> ConfigError:
    return ConfigError(f"/metrics needs the package prometheus_client. Type: {pip_install('blikk-edge[metrics]')}")


def page(families: Callable[[], Iterator["Metric"]], accept: str = "") -> tuple[bytes, str]:
    """The page with these families and the figures of the process, and its content type, of those that `accept` allows.

    What is there now is on it, and nothing else. Raises ConfigError where `prometheus_client` is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415  # 11 MB, if it is asked for
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415
    except ImportError:
        raise _needed() from None
    registry = CollectorRegistry()
    registry.register(_Collector(families))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Collector:
    """What the library asks for the metrics."""

    def __init__(self, families: Callable[[], Iterator["Metric"]]) -> None:
        self._families = families

    def describe(self) -> Iterator["Metric"]:
        """Nothing is measured twice: no name need be known before."""
        return iter(())

    def collect(self) -> Iterator["Metric"]:
        """All of them."""
        return self._families()


def build_info(program: str) -> "Metric":
    """Which program this is, `node`, `worker` or `collect`, and its version."""
    return gauge(
        "build_info", "1; the program and its version.", ("program", "version"), (((program, __version__), 1),)
    )


def gauge(name: str, meaning: str, labels: Labels, rows: Rows) -> "Metric":
    """`blikk_<name>`, which goes up and down."""
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415  # see page

    return _filled(GaugeMetricFamily(f"blikk_{name}", meaning, labels=labels), rows)


def counter(name: str, meaning: str, labels: Labels, rows: Rows) -> "Metric":
    """`blikk_<name>_total`, which grows from start on."""
    from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415  # see page

    return _filled(CounterMetricFamily(f"blikk_{name}", meaning, labels=labels), rows)


def histogram(name: str, meaning: str, labels: Labels, timings: Iterable[tuple[Labels, Timing]]) -> "Metric":
    """`blikk_<name>` in buckets, with its sum and count."""
    from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415  # see page

    family = HistogramMetricFamily(f"blikk_{name}", meaning, labels=labels)
    for values, timing in timings:
        buckets = [("+Inf" if isinf(bound_s) else str(bound_s), count) for bound_s, count in timing.buckets]
        family.add_metric(values, buckets, timing.total_s)
    return family


def _filled(family: "GaugeMetricFamily | CounterMetricFamily", rows: Rows) -> "Metric":
    """The family with those rows that have a value."""
    for values, value in rows:
        if value is not None:
            family.add_metric(values, value)
    return family
