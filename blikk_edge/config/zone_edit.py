"""Zones and private areas of one camera, written into the text of a `blikk.yaml` that is otherwise left as it is.

Each step is a small edit of a text that is read anew, so that no edit has to know of the others.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final

import yaml

from blikk_edge.config.loading import read
from blikk_edge.config.settings import CameraSettings
from blikk_edge.config.yaml_edit import Collected, NotEditableError, YamlEdit, aliases, below, pairs_of, shared
from blikk_edge.config.yaml_lines import read_tree
from blikk_edge.config.yaml_nodes import compose
from blikk_edge.core.drawn import Drawn, DrawnZone, Points
from blikk_edge.core.sightings import Label
from blikk_edge.grammar.leaf import Leaf
from blikk_edge.grammar.values import said

KEYS: Final = ("zones", "private")
INDENT: Final = "  "
MOST_S: Final = 1_000_000
"""Beyond what `said` keeps exact."""

MARK: Final = b"\xef\xbb\xbf"
"""What editors of Windows put before UTF-8."""

_PLAIN: Final = re.compile(r"[a-z][a-z0-9_]*")
_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def drawn_of(camera: CameraSettings, keys: Leaf) -> Drawn:
    """What the settings of a camera say, and whether a zone says its labels and time itself; `keys` are the camera's.

    Raises nothing: keys that are not there are those of a camera without zones.
    """
    written = keys.get("zones") if isinstance(keys, dict) else None
    zones = []
    for zone in camera.zones:
        own = written.get(zone.name) if isinstance(written, dict) else None
        own = own if isinstance(own, dict) else {}
        zones.append(
            DrawnZone(
                name=zone.name,
                points=zone.polygon.points,
                labels=tuple(label.value for label in zone.labels) if "labels" in own else None,
                loiter_s=zone.loiter_s if "loiter_s" in own else None,
            )
        )
    return Drawn(zones=tuple(zones), private=tuple(polygon.points for polygon in camera.private))


def edited(raw: bytes, file: Path, camera: str, before: Drawn, after: Drawn) -> bytes:
    """The bytes of the file with what was drawn; raises NotEditableError where that would touch anything else.

    `before` is what the file says. What is drawn need not be right: what is wrong with it, reading the result shows.
    """
    mark = MARK if raw.startswith(MARK) else b""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotEditableError("the text is not UTF-8") from None
    text = _Camera(file, camera).edited(text, before, after)
    try:
        return mark + text.encode()
    except UnicodeEncodeError:
        raise NotEditableError("a name that is no text") from None


def only_these_changed(raw: bytes, new: bytes, file: Path, camera: str, environ: Mapping[str, str]) -> bool:
    """Whether two texts of a configuration differ in nothing but the zones and private areas of a camera."""
    one, other = (_without(read_tree(file, environ, each).value, camera) for each in (raw, new))
    return one == other


def says(new: bytes, file: Path, camera: str, after: Drawn, environ: Mapping[str, str]) -> bool:
    """Whether a configuration, read as a node would, has exactly these zones and private areas."""
    reading = read(file, environ, new)
    found = None if reading.settings is None else next((c for c in reading.settings.cameras if c.id == camera), None)
    if found is None:
        return False
    got = drawn_of(found, keys_of(reading.tree.value, camera))
    return _comparable(got) == _comparable(after)


def part(raw: bytes, file: Path, camera: str) -> str:
    """The text of what concerns these keys, and nothing else of the file; empty where there is none of them."""
    text = raw.decode("utf-8-sig", "replace")
    reader = _Camera(file, camera)
    parts = []
    for key, value in reader.own(text):
        start = key.start_mark.index
        indent = key.start_mark.column
        lines = text[start : reader.end(text, key, value)].splitlines()
        parts += [lines[0], *(line[indent:] if not line[:indent].strip() else line for line in lines[1:])]
    return "".join(f"{line}\n" for line in parts)


def to_paste(drawn: Drawn) -> str:
    """What belongs below the camera, in block style."""
    lines: list[str] = []
    if drawn.zones:
        lines += ["zones:", *(INDENT + line for zone in drawn.zones for line in _zone_lines(zone))]
    if drawn.private:
        lines += ["private:", *(f"{INDENT}- {_polygon(points)}" for points in drawn.private)]
    return "".join(f"{line}\n" for line in lines)


def keys_of(value: Leaf, camera: str) -> Leaf:
    """The keys of a camera in the tree of a configuration."""
    cameras = value.get("cameras") if isinstance(value, dict) else None
    return cameras.get(camera) if isinstance(cameras, dict) else None


class _Camera:
    """Edits of one camera's keys in a text."""

    def __init__(self, file: Path, camera: str) -> None:
        self._file = file
        self._camera = camera
        self._read: tuple[str, yaml.Node] | None = None

    def edited(self, text: str, before: Drawn, after: Drawn) -> str:
        text = self._zones(text, before.zones, after.zones)
        return self._private(text, before.private, after.private)

    def own(self, text: str) -> list[tuple[yaml.Node, yaml.Node]]:
        """The keys of KEYS that stand below the camera itself, with their values, in the order of the text."""
        try:
            camera = self._found(text)
        except NotEditableError:
            return []
        return [(key, value) for name, (_, key, value) in pairs_of(camera).items() if name in KEYS]

    def end(self, text: str, key: yaml.Node, value: yaml.Node) -> int:
        """Where a pair ends, behind its last value or alias (`*`), whose node stands where its anchor does."""
        start = key.start_mark.index
        own = below(value)
        ids = {id(key), *map(id, own)}
        others = (node.start_mark.index for node in below(self._root(text)) if id(node) not in ids)
        limit = min((at for at in others if at > start), default=len(text))
        leaves = [node for node in own if not isinstance(node, Collected) or node.flow_style or not node.value]
        spans = [(node.start_mark.index, node.end_mark.index) for node in leaves] + aliases(text)
        return max((end for at, end in spans if start < at < limit), default=key.end_mark.index)

    # -- zones ---------------------------------------------------------------------------------------------------

    def _zones(self, text: str, before: Sequence[DrawnZone], after: Sequence[DrawnZone]) -> str:
        known = {zone.name: zone for zone in before}
        # the zone of the file that each one was, of those that it still is
        stays = {zone.was or zone.name: zone for zone in after if (zone.was or zone.name) in known}
        if len({zone.name for zone in after}) != len(after):
            raise NotEditableError("two zones have the same name")
        if len(after) == len(stays) == len(known) and all(stays[name] == zone for name, zone in known.items()):
            return text
        self._check(text, "zones")
        if not stays:
            return self._whole(
                text,
                "zones",
                lines=[line for zone in after for line in _zone_lines(zone)],
                flow=_braces(_zone_flow(zone) for zone in after),
                any_left=bool(after),
            )
        text = self._remove_zones(text, [name for name in known if name not in stays])
        for name, zone in stays.items():
            text = self._zone(text, name, known[name], zone)
        text = self._rename(text, {name: zone.name for name, zone in stays.items() if zone.name != name})
        new = [zone for zone in after if stays.get(zone.was or zone.name) is not zone]
        return self._add_zones(text, new)

    def _remove_zones(self, text: str, gone: Sequence[str]) -> str:
        if not gone:
            return text
        zones = self._value(text, "zones")
        edit = YamlEdit(text)
        edit.remove(_collected(zones), [pairs_of(zones)[name][0] for name in gone])
        return edit.text()

    def _rename(self, text: str, names: Mapping[str, str]) -> str:
        edit = YamlEdit(text)
        pairs = pairs_of(self._value(text, "zones")) if names else {}
        for name, new in names.items():
            edit.replace(pairs[name][1], _name(new))
        return edit.text()

    def _add_zones(self, text: str, new: Sequence[DrawnZone]) -> str:
        if not new:
            return text
        zones = _collected(self._value(text, "zones"))
        edit = YamlEdit(text)
        edit.insert(zones, len(zones.value) - 1, [_zone_lines(zone) for zone in new], [_zone_flow(z) for z in new])
        return edit.text()

    def _zone(self, text: str, name: str, before: DrawnZone, after: DrawnZone) -> str:
        """One zone that stays: only those of its keys that say something else."""

        def zone(now: str) -> yaml.Node:
            return pairs_of(self._value(now, "zones"))[name][2]

        if before.points != after.points:
            text = self._points(text, lambda now: pairs_of(zone(now))["polygon"][2], before.points, after.points)
        for key, old, new, words in (
            ("labels", before.labels, after.labels, _labels(after.labels)),
            ("loiter_s", before.loiter_s, after.loiter_s, _duration(after.loiter_s)),
        ):
            if old == new:
                continue
            edit, node = YamlEdit(text), _collected(zone(text))
            pairs = pairs_of(node)
            if new is None:
                edit.remove(node, [pairs[key][0]])
            elif key in pairs:
                edit.replace_value(pairs[key][1], pairs[key][2], (), words)
            else:
                edit.insert(node, len(node.value) - 1, [[f"{key}: {words}"]], [f"{key}: {words}"])
            text = edit.text()
        return text

    # -- private areas -------------------------------------------------------------------------------------------

    def _private(self, text: str, before: Sequence[Points], after: Sequence[Points]) -> str:
        if tuple(before) == tuple(after):
            return text
        self._check(text, "private")
        steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        if not before or not after or all(tag in {"delete", "insert"} for tag, *_ in steps):
            return self._whole(
                text,
                "private",
                lines=[f"- {_polygon(points)}" for points in after],
                flow=f"[{', '.join(map(_polygon, after))}]",
                any_left=bool(after),
            )

        def item(number: int) -> Callable[[str], yaml.Node]:
            return lambda now: self._value(now, "private").value[number]

        for tag, i1, i2, j1, j2 in steps:
            for number, new in zip(range(i1, i2), range(j1, j2), strict=False) if tag == "replace" else ():
                text = self._points(text, item(number), before[number], after[new])
        return self._sequence(text, lambda now: self._value(now, "private"), steps, lambda j: _polygon(after[j]))

    # -- both ----------------------------------------------------------------------------------------------------

    def _points(self, text: str, place: Callable[[str], yaml.Node], before: Points, after: Points) -> str:
        """A polygon: only those of its corners that moved, came or went, unless it is written too oddly for that."""
        steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        try:
            edit, node = YamlEdit(text), _collected(place(text))
            for tag, i1, i2, j1, j2 in steps:
                for number, new in zip(range(i1, i2), range(j1, j2), strict=False) if tag == "replace" else ():
                    edit.replace(node.value[number], _point(after[new]))
            return self._sequence(edit.text(), place, steps, lambda j: _point(after[j]))
        except NotEditableError:
            edit = YamlEdit(text)
            edit.replace(place(text), _polygon(after))
            return edit.text()

    @staticmethod
    def _sequence(
        text: str,
        place: Callable[[str], yaml.Node],
        steps: Sequence[tuple[str, int, int, int, int]],
        rendered: Callable[[int], str],
    ) -> str:
        """What the steps take out of a sequence and put into it; what they replace one by one is already done."""
        gone: list[int] = []
        new: list[tuple[int, list[int]]] = []  # behind which of those that stay
        kept = 0
        for tag, i1, i2, j1, j2 in steps:
            both = min(i2 - i1, j2 - j1) if tag in {"equal", "replace"} else 0
            gone += range(i1 + both, i2)
            kept += both
            if j2 - j1 > both:
                new.append((kept - 1, list(range(j1 + both, j2))))
        if gone:
            edit = YamlEdit(text)
            edit.remove(_collected(place(text)), gone)
            text = edit.text()
        if new:
            edit = YamlEdit(text)
            node = _collected(place(text))
            for after, numbers in new:
                flows = [rendered(number) for number in numbers]
                edit.insert(node, after, [[f"- {flow}"] for flow in flows], flows)
            text = edit.text()
        return text

    def _whole(self, text: str, key: str, *, lines: Sequence[str], flow: str, any_left: bool) -> str:
        """All that stands behind a key of the camera: written anew, added, or taken away with the key."""
        cameras, camera = self._below(self._root(text))
        edit = YamlEdit(text)
        if isinstance(camera, yaml.ScalarNode):
            block = [f"{key}:", *(INDENT + line for line in lines)]
            at = pairs_of(cameras)[self._camera][1]
            edit.wrap(at, camera, "source", block, f"{key}: {flow}" if _collected(cameras).flow_style else None)
            return edit.text()
        node, pairs = _collected(camera), pairs_of(camera)
        if key not in pairs:
            block = [f"{key}:", *(INDENT + line for line in lines)]
            edit.insert(node, len(node.value) - 1, [block], [f"{key}: {flow}"])
        elif any_left:
            _, name, value = pairs[key]
            edit.replace_value(name, value, lines, flow if node.flow_style else None)
        else:
            edit.remove(node, [pairs[key][0]])
        return edit.text()

    def _value(self, text: str, key: str) -> yaml.Node:
        return pairs_of(self._found(text))[key][2]

    def _root(self, text: str) -> yaml.Node:
        if self._read is None or self._read[0] != text:
            root = compose(self._file, [], text.encode("utf-8", "surrogatepass"))
            if root is None:
                raise NotEditableError("it would no longer be YAML")
            self._read = text, root
        return self._read[1]

    def _found(self, text: str) -> yaml.Node:
        """The camera."""
        return self._below(self._root(text))[1]

    def _below(self, root: yaml.Node) -> tuple[yaml.Node, yaml.Node]:
        """All cameras, and this one."""
        cameras = pairs_of(root).get("cameras")
        found = pairs_of(cameras[2]).get(self._camera) if cameras else None
        if cameras is None or found is None:
            raise NotEditableError(f"the camera {self._camera} does not stand below `cameras:` itself")
        return cameras[2], found[2]

    def _check(self, text: str, key: str) -> None:
        """Raise NotEditableError where an edit of this key would change something else, or be changed by it."""
        root = self._root(text)
        many = shared(root)
        cameras, camera = self._below(root)
        own = pairs_of(camera).get(key)
        if id(cameras) in many or id(camera) in many:
            raise NotEditableError("the camera is written with an anchor (`&`) that is used elsewhere")
        if own is not None and any(id(node) in many for node in below(own[2])):
            raise NotEditableError(f"`{key}` is written with an anchor (`&`) that is used elsewhere")
        if own is None and _merges(camera, key):
            raise NotEditableError(f"`{key}` comes from another place, by `<<`")
        if own is not None and any(_merges(node, None) for node in below(own[2])):
            raise NotEditableError(f"a part of `{key}` comes from another place, by `<<`")


def _merges(node: yaml.Node, key: str | None) -> bool:
    """Whether a mapping takes this key, or any, from another by `<<`."""
    if not isinstance(node, yaml.MappingNode):
        return False
    for name, value in node.value:
        if name.tag.endswith(":merge"):
            bases = value.value if isinstance(value, yaml.SequenceNode) else [value]
            if key is None or any(key in pairs_of(base) or _merges(base, key) for base in bases):
                return True
    return False


def _collected(node: yaml.Node) -> Collected:
    if not isinstance(node, yaml.MappingNode | yaml.SequenceNode):
        raise NotEditableError("a value where several belong")
    return node


def _without(value: Leaf, camera: str) -> Leaf:
    """A tree without those keys of a camera; a camera that is no more than its address is a mapping with it."""
    if not isinstance(value, dict) or not isinstance(cameras := value.get("cameras"), dict):
        return value
    found = cameras.get(camera)
    keys: Leaf = (
        {name: each for name, each in found.items() if name not in KEYS}
        if isinstance(found, dict)
        else {"source": found}
    )
    return {**value, "cameras": {**cameras, camera: keys}}


def _comparable(drawn: Drawn) -> object:
    """With labels in one order: a list of them is a set."""
    order = [label.value for label in Label]

    def rank(label: str) -> int:
        return order.index(label) if label in order else len(order)

    zones = [
        replace(zone, was=None, labels=None if zone.labels is None else tuple(sorted(zone.labels, key=rank)))
        for zone in drawn.zones
    ]
    return sorted(zones, key=lambda zone: zone.name), drawn.private


def _zone_lines(zone: DrawnZone) -> list[str]:
    return [f"{_name(zone.name)}:", *(f"{INDENT}{key}: {words}" for key, words in _keys(zone))]


def _zone_flow(zone: DrawnZone) -> str:
    return f"{_name(zone.name)}: {_braces(f'{key}: {words}' for key, words in _keys(zone))}"


def _keys(zone: DrawnZone) -> list[tuple[str, str]]:
    keys = [("polygon", _polygon(zone.points))]
    if zone.labels is not None:
        keys.append(("labels", _labels(zone.labels)))
    if zone.loiter_s is not None:
        keys.append(("loiter_s", _duration(zone.loiter_s)))
    return keys


def _braces(parts: Iterable[str]) -> str:
    return f"{{{', '.join(parts)}}}"


def _name(name: str) -> str:
    """A key as it may stand in any YAML: what is no id is quoted, and reading it says what is wrong with it."""
    if _PLAIN.fullmatch(name) and name not in _WORDS:
        return name
    return json.dumps(name)


def _labels(labels: Sequence[str] | None) -> str:
    return f"[{', '.join(_name(label) for label in labels or ())}]"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    exact = f"{_number(seconds)}s"
    return said(seconds) if seconds.is_integer() and seconds > 0 and seconds < MOST_S else exact


def _polygon(points: Points) -> str:
    return f"[{', '.join(map(_point, points))}]"


def _point(point: tuple[float, float]) -> str:
    return f"[{_number(point[0])}, {_number(point[1])}]"


def _number(value: float) -> str:
    """A number as it is read back, without an exponent: YAML 1.1 takes `1e-05` for text."""
    value = float(value)
    return f"{int(value)}" if value.is_integer() else f"{Decimal(repr(value)):f}"
