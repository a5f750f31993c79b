"""Events as the rows of a table, for a terminal of any width: what `blikk demo` and `blikk replay` show."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from blikk_edge.language.language import lasting

# name, width, and how soon the column is left out where the terminal is narrow (0: never)
_COLUMNS: Final = (
    ("time", 12, 0),
    ("camera", 11, 2),
    ("what", 23, 0),
    ("where", 13, 3),
    ("how long", 11, 4),
    ("picture", 16, 1),
)
_GAP: Final = "  "
_RIGHT: Final = frozenset({"how long"})


class EventTable:
    """Rows of the same columns: as many as fit into `columns` characters. Times are shown in `zone`."""

    def __init__(self, columns: int, *, zone: tzinfo | None = UTC) -> None:
        self._width = max(20, columns)
        self._zone = zone
        shown = list(_COLUMNS)
        while len(shown) > 2 and sum(width for _, width, _ in shown) + len(_GAP) * (len(shown) - 1) > self._width:
            shown.remove(min((column for column in shown if column[2]), key=lambda column: column[2]))
        self._shown = tuple((name, width) for name, width, _ in shown)

    def header(self) -> str:
        """The names of the columns."""
        return self._line({name: name for name, _ in self._shown})

    def row(self, content: Mapping[str, Any]) -> str:
        """One event or ring, as it is on MQTT (`contract/schemas`)."""
        objects = content.get("objects") or []
        phase = content.get("phase", "")
        kinds = ", ".join(sorted({_kind(each) for each in objects})) or content.get("label", "ring")
        what = f"{kinds}: {content['reason'].replace('_', ' ')}" if phase == "updated" else f"{kinds} {phase}".strip()
        place = _place(objects[0]["box"]) if objects else "-"
        clock = datetime.fromisoformat(content["time"]).astimezone(self._zone)
        return self._line(
            {
                "time": clock.strftime("%H:%M:%S.%f")[:-5],
                "camera": content["camera"],
                "what": what,
                "where": ", ".join(content.get("zones") or []) or place,
                "how long": lasting(content.get("duration_s", 0.0)),
                "picture": f"picture/{content['picture']}" if content.get("picture") else "none",
            }
        )

    def _line(self, cells: Mapping[str, str]) -> str:
        parts = [
            cells[name].rjust(width) if name in _RIGHT else cells[name].ljust(width) for name, width in self._shown
        ]
        return _GAP.join(parts).rstrip()[: self._width]


def _kind(seen: Mapping[str, Any]) -> str:
    """The user's word for a person, the model's for everything else: a cat says more than an animal."""
    return str(seen["label"] if seen["label"] == "person" else seen["sub_label"])


def _place(box: list[float]) -> str:
    """Where in the picture a box lies, in words."""
    x1, _, x2, y2 = box
    across = ("left", "middle", "right")[min(2, int((x1 + x2) / 2 * 3))]
    return f"{across}, {'near' if y2 > 0.8 else 'far'}"
