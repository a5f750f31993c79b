"""An enricher as somebody else would write it: it says how many visits there have been since it started."""

from dataclasses import dataclass

from blikk_edge.core.observation import Event, Phase
from blikk_edge.core.ports import Inbox, Item
from blikk_edge.core.summary import Answer
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import whole
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.kind import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyOptions:
    """After how many more visits it says so again."""

    each: int = 1


class Tally:
    """Counts the events of each camera."""

    name = "tally"

    def __init__(self, options: TallyOptions, context: Context) -> None:
        self._each = options.each
        self._context = context
        self._counts: dict[str, int] = {}

    async def run(self, inbox: Inbox[Item]) -> None:
        """Count for ever."""
        while True:
            item = await inbox.get()
            if not isinstance(item, Event) or item.phase is not Phase.STARTED:
                continue
            count = self._counts[item.camera] = self._counts.get(item.camera, 0) + 1
            if count % self._each == 0:
                self._context.publish(_answer(item, count))


def _answer(event: Event, count: int) -> Answer:
    return Answer(
        id=f"tally-{event.id}",
        camera=event.camera,
        question="visits",
        asked="How many visits have there been?",
        answer=str(count),
        confidence=1.0,
        time=event.time,
        since=event.time,
        changed=True,
    )


KIND = Kind(
    name="tally",
    meaning="Says how many visits there have been.",
    options=Section(
        of=TallyOptions,
        keys=(Key(name="each", value=whole(1, 1000), meaning="After how many more visits it says so."),),
    ),
    make=Tally,
)
