"""A house with three cameras, and a store of what happened there, for the tests of questions."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from blikk_edge.asking.times import Wall
from blikk_edge.core.errors import LlmError
from blikk_edge.core.geometry import Box
from blikk_edge.core.locale import Locale
from blikk_edge.core.observation import Event, Observed, Phase, Ring, Sighting
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo, CameraState
from blikk_edge.llm.port import Completion
from blikk_edge.llm.queue.port import Job

ZONE = ZoneInfo("Europe/Berlin")
LOCALE = Locale(timezone=ZONE)
WALL = Wall(ZONE)
FRONT = CameraInfo(id="front_door", name="Front door", labels=tuple(Label), zones=("porch", "path"), ring=True)
YARD = CameraInfo(id="yard", name="Back yard", labels=tuple(Label), zones=("lawn",))
DRIVE = CameraInfo(id="driveway", name="Driveway", labels=tuple(Label))
CAMERAS = (FRONT, YARD, DRIVE)


def at(text: str) -> float:
    """`11-18 14:30` of 2026 in Berlin, or only `14:30` of the 18th, a Wednesday, as seconds since 1970 UTC."""
    day, clock = text.split() if " " in text else ("11-18", text)
    return datetime.fromisoformat(f"2026-{day}T{clock}").replace(tzinfo=ZONE).timestamp()


NOW = at("14:30")


def visit(
    started: str,
    minutes: float = 1.0,
    *,
    camera: str = "front_door",
    label: Label = Label.PERSON,
    kind: str = "",
    count: int = 1,
    zones: Sequence[str] = (),
    loitering: bool = False,
    goes_on: bool = False,
) -> Event:
    """One event; its id is made of camera, label and start."""
    start = at(started)
    end = start + 60.0 * minutes
    one = Sighting(
        track=1,
        label=label,
        sub_label=kind or label.value,
        score=0.9,
        box=Box(0.2, 0.2, 0.4, 0.8),
        since=start,
        dwell_s=60.0 * minutes,
        zones=tuple(zones),
    )
    return Event(
        id=f"{camera}-{label}-{started}",
        camera=camera,
        phase=Phase.UPDATED if goes_on else Phase.ENDED,
        revision=2,
        time=start + 5.0 if goes_on else end,
        started=start,
        label=label,
        reason=Observed.APPEARED if goes_on else Observed.LEFT,
        objects=(one,) * count,
        peak=count,
        zones=tuple(zones),
        loitering=loitering,
        ended=None if goes_on else end,
    )


def ring(moment: str, *, camera: str = "front_door") -> Ring:
    return Ring(id=f"ring-{moment}", camera=camera, time=at(moment), via="mqtt")


def state(camera: str, *, online: bool = True, detect: bool = True, **counts: int) -> CameraState:
    present = tuple((Label(label), count) for label, count in counts.items())
    return CameraState(camera=camera, online=online, detect=detect, counts=present)


class ScriptedQueue:
    """A desk whose model gives these answers, one after the other; an LlmError is raised."""

    sees = False

    def __init__(self, *answers: str | LlmError) -> None:
        self._answers = list(answers)
        self.jobs: list[Job] = []

    async def ask(self, job: Job) -> Completion:
        self.jobs.append(job)
        answer = self._answers.pop(0)
        if isinstance(answer, LlmError):
            raise answer
        return Completion(text=answer, model="tiny", input_tokens=100, output_tokens=10)
