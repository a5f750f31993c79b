"""The settings of the slow loop: summaries, questions, webhook, edge clients. Defaults are written here, once."""

from dataclasses import dataclass, field
from enum import StrEnum

from blikk_edge.core.sightings import Label
from blikk_edge.core.status import SummaryMode
from blikk_edge.core.summary import AnswerKind
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.llm.port import LanguageModel, ModelContext
from blikk_edge.llm.queue.budget import Limits
from blikk_edge.llm.tokens import IMAGE_TOKENS
from blikk_edge.net.options import ServerTlsSettings

TEMPLATE = "template"


class DigestEvery(StrEnum):
    """How often a period is summed up."""

    OFF = "off"
    HOURLY = "hourly"
    DAILY = "daily"


@dataclass(frozen=True, slots=True, kw_only=True)
class SummarySettings:
    """Who writes text about events, and what it may cost.

    `provider` is `template`, or the name of the kind of `model`. `mode` is what a model is given; it may be lowered
    while running, and VISION only chosen here. `image_tokens` is what a picture costs where the model does not count.
    """

    provider: str = TEMPLATE
    mode: SummaryMode = SummaryMode.TEXT
    image_tokens: int = IMAGE_TOKENS
    labels: tuple[Label, ...] = tuple(Label)
    digest: DigestEvery = DigestEvery.OFF
    limits: Limits = field(default_factory=Limits)
    model: Chosen[ModelContext, LanguageModel] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSettings:
    """A sentence to be watched at a camera."""

    id: str
    ask: str
    answer: AnswerKind = AnswerKind.YES_NO
    every_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """Where edge clients bring frames to: `wss://host:port/ingest/<camera>`. Beyond this machine with TLS only.

    Every `every_s` the newest pictures of such a camera are shown to a model that sees, if something happened.
    """

    host: str = "127.0.0.1"
    port: int = 8429
    tls: ServerTlsSettings | None = None
    every_s: float = 30.0
