"""The keys of `blikk.yaml` for traces: where they go."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from blikk_edge.core.loopback import is_loopback
from blikk_edge.grammar.places import file_in
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import WEB_ADDRESS
from blikk_edge.net.options import TOKEN

PATH: Final = "/v1/traces"
"""Where a collector takes traces, as OTLP over HTTP has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracesOptions:
    """Where traces of events go.

    Attributes:
        endpoint: A collector that takes OTLP over HTTP; without a path `/v1/traces` is added.
        token: Sent as `Authorization: Bearer`; None: the collector asks for none.
        ca: The certificate authority to trust; None: those of the system.
    """

    endpoint: str
    token: Secret | None = None
    ca: Path | None = None

    @property
    def url(self) -> str:
        """Where the traces are posted."""
        plain = self.endpoint.rstrip("/")
        return plain if urlsplit(plain).path else f"{plain}{PATH}"


def traces(folder: Path) -> Section:
    """What stands below `traces`, whose relative paths start at `folder`."""
    return Section(
        of=TracesOptions,
        make=_checked,
        plain="endpoint",
        keys=(
            Key(
                name="endpoint",
                value=WEB_ADDRESS,
                required=True,
                meaning="A collector that takes OpenTelemetry traces (OTLP over HTTP), as `http://127.0.0.1:4318`; "
                'where it has no path, `/v1/traces` is added. It needs `pip install "blikk-edge[otel]"`.',
            ),
            Key(name="token", value=TOKEN, meaning="What the collector asks for, sent as `Authorization: Bearer`."),
            Key(
                name="ca",
                value=file_in(folder),
                meaning="The certificate authority to trust.",
                default="those of the system",
            ),
        ),
    )


def _checked(**values: Any) -> TracesOptions:
    made = TracesOptions(**values)
    parts = urlsplit(made.endpoint)
    if made.token is not None and parts.scheme.lower() == "http" and not is_loopback(parts.hostname or ""):
        raise Wrong("a token that everybody on the way can read", "Write `https://`, or remove `token`.", "endpoint")
    return made
