"""How many unsupported claims get past the check of a text, and how many honest texts are refused.

    python bench/grounding.py [--check] [--quick] [--show] [--language de] [--split eighth]
    python bench/grounding.py --prompts DIR

Beside the check stands the way most do it: believe the model unless it names an object of a label that was not seen.
The set is `bench/grounding_set.jsonl`, written by us. The check was tuned on its `dev` rows. The `test` rows were
written afterwards; when the check first met them it accepted 0 of 50 planted claims and refused 5 of 32 honest texts,
in words and phrases it did not know. These were mended, so only rows to come can measure what is new to it; those of
`bench/grounding_texts/en.toml` came next.

`--language` takes another set, `bench/grounding_texts/<tag>.toml`: texts of a language model about twelve cases, the
same for each language, and claims planted into them by hand, each alone and once more behind an honest sentence. Its
`test` are honest texts that were written before the words of the language were mended for any of them, and what the
check refused of them when it first met them is written in docs/design/languages.md. `first` to `third` and `fourth`
to `seventh` (English, German, Spanish) are later sets, each written before the check had met it; the head of each
file says what the first run gave, and whether it was held out. `deeds` and `chunks` were never held out: planted
claims that were written against the check, and in `chunks` honest texts that keep to the prompt. A folder of any other
name beside them is a set too: `<folder>/<tag>.toml` with `honest = [[case, title, text], ...]` and
`planted = [[case, claim, text], ...]`, where a case is one of `cases`.

`--prompts` writes the real prompt of each case in each language, as `DIR/<tag>/<case>-system.txt` and `-user.txt`, so
that honest texts can be written, or asked of a model, as answers to it.

`--quick` takes every fourth row; `--show` prints each miss; `--check` exits 1 where a goal is missed: no planted claim
accepted, at most 5 % of the honest texts refused.
"""

import argparse
import json
import re
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from blikk_edge.core.geometry import Box
from blikk_edge.core.locale import Locale
from blikk_edge.core.observation import Observation, Observed, Ring, Sighting
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label
from blikk_edge.enrichers.summaries.lines import brief_duration, event_lines
from blikk_edge.enrichers.summaries.prompts import Brief
from blikk_edge.language.facts import Facts, Stay
from blikk_edge.language.grounding import check

SET = Path(__file__).with_name("grounding_set.jsonl")
SETS = Path(__file__).with_name("grounding_texts")
NAMED = ("first", "second", "third", "deeds", "fourth", "fifth", "sixth", "seventh", "chunks")
LATER = (*NAMED, *sorted(path.name for path in SETS.iterdir() if path.is_dir() and path.name not in NAMED))
"""Folders of sets that were written later, each before its first run; their heads say what they were used for."""
REFUSED_MAX = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One text about some facts. `kinds` are the claims that were planted; none where it is honest."""

    id: str
    split: str
    title: str
    text: str
    supported: bool
    kinds: tuple[str, ...]
    why: str
    pictures: bool
    facts: Facts


def rows() -> Iterator[Row]:
    """The whole set."""
    for line in SET.read_text(encoding="utf-8").splitlines():
        content = json.loads(line)
        yield Row(**{**content, "kinds": tuple(content["kinds"]), "facts": facts_of(content["facts"])})


def translated(tag: str) -> Iterator[Row]:
    """The sets of one language, the later ones too."""
    content = _texts(tag)
    facts, texts = cases(content["names"], tag), content["texts"]
    honest = (("dev", "honest"), ("test", "new"), ("test", "fresh"))
    yield from _rows(tag, texts, facts, honest, ("dev", "test"))
    for name in filter(lambda name: SETS.joinpath(name, f"{tag}.toml").exists(), LATER):
        yield from _rows(f"{tag}-{name}", _texts(tag, name), facts, ((name, "honest"),), (name, name))


def _texts(tag: str, name: str = "") -> dict[str, Any]:
    return tomllib.loads(SETS.joinpath(name, f"{tag}.toml").read_text(encoding="utf-8"))


def _rows(
    start: str,
    texts: dict[str, Any],
    facts: dict[str, Facts],
    honest: Sequence[tuple[str, str]],
    planted: tuple[str, str],
) -> Iterator[Row]:
    """Honest texts, by split and name; planted ones alone in the first of two splits, behind an honest text in the
    second.
    """
    for split, name in honest:
        for n, (case, title, text) in enumerate(texts.get(name, ()), 1):
            yield _row(f"{start}-{name}-{n}", split, title, text, facts[case])
    before = {case: text for case, _, text in reversed(texts.get("honest", ()))}
    for n, (case, claim, text) in enumerate(texts.get("planted", ()), 1):
        for split, said in zip(planted, (text, f"{before.get(case, '')} {text}"), strict=True):
            yield _row(f"{start}-planted-{n}", split, "", said, facts[case], claim)


def _row(name: str, split: str, title: str, text: str, facts: Facts, *kinds: str) -> Row:
    why = f"planted: {kinds[0]}" if kinds else "every claim is in the facts"
    supported = not kinds
    return Row(
        id=name,
        split=split,
        title=title,
        text=text,
        supported=supported,
        kinds=kinds,
        why=why,
        pictures=False,
        facts=facts,
    )


def cases(names: dict[str, str], tag: str) -> dict[str, Facts]:
    """Twelve things that may have happened, of cameras with these names, on 2026-03-10."""

    def case(
        since: str, until: str, name: str = "door", *, label: Label | None = Label.PERSON, kind: str = "", **more: Any
    ) -> Facts:
        first, last = _time(f"2026-03-10T{since}Z"), _time(f"2026-03-10T{until}Z")
        count = {label: more.pop("count", 1)} if label else {}
        stay = {"sub_label": kind or str(label), "since": first, "until": last, "still": more.pop("still", False)}
        stays = tuple(Stay(track=n, label=label, **stay) for n in range(sum(count.values()))) if label else ()
        given = {
            "camera": name,
            "name": names[name],
            "cameras": (names[name],),
            "ended": True,
            "peak": count,
            "seen": count,
            "visits": dict.fromkeys(count, 1),
            "stays": stays,
            "locale": Locale(timezone=UTC, language=tag),
        }
        rings = tuple(_time(f"2026-03-10T{ring}Z") for ring in more.pop("rings", ()))
        return Facts(**{**given, "since": first, "until": last, "rings": rings, **more})

    person, car = Label.PERSON, Label.VEHICLE
    busy = {"peak": {person: 2, car: 1}, "seen": {person: 4, car: 1}, "visits": {person: 3, car: 1}}
    home = {"name": "home", "camera": None, "cameras": (names["door"], names["drive"])}
    visit = case("08:20:00", "08:22:00", count=2).stays + case("08:40:00", "08:40:30", label=car, kind="car").stays
    brought = case("11:30:00", "11:30:40").stays
    brought += case("11:30:20", "11:31:10", label=Label.PACKAGE, still=True).stays
    one_each = {person: 1, Label.PACKAGE: 1}
    return {
        "visit": case("12:00:00", "12:00:42"),
        "pair": case("14:05:00", "14:08:00", count=2, rings=["14:05:10"]),
        "car": case("09:30:00", "09:30:20", "drive", label=car, kind="car", still=True, parked=True),
        "dog": case("18:20:00", "18:20:25", "yard", label=Label.ANIMAL, kind="dog"),
        "parcel": case("10:15:00", "10:15:30", label=Label.PACKAGE, still=True, ended=False),
        "hour": case("08:00:00", "09:00:00", stays=visit, rings=["08:20:05"], **busy, **home),
        "long": case("22:10:00", "22:21:00", loitering=True),
        "now": case("16:00:00", "16:05:00", ended=False, zones=(names["path"],)),
        "quiet": case("02:00:00", "03:00:00", label=None, **home),
        "leaves": case("07:15:00", "07:15:20", "drive", label=car, kind="car", drove_off=True),
        "courier": case("11:30:00", "11:31:10", stays=brought, peak=one_each, seen=one_each, visits=one_each),
        "cats": case("21:40:00", "21:42:00", "yard", label=Label.ANIMAL, kind="cat", count=2),
    }


def facts_of(content: dict[str, Any]) -> Facts:
    """Facts as they are written in the set: times as ISO 8601, the zone as minutes east of UTC."""
    counts = {name: {Label(label): n for label, n in content[name].items()} for name in ("peak", "seen", "visits")}
    stays = tuple(
        Stay(
            track=track,
            label=Label(stay["label"]),
            sub_label=stay["sub_label"],
            since=_time(stay["since"]),
            until=_time(stay["until"]),
            zones=tuple(stay["zones"]),
            still=stay["still"],
        )
        for track, stay in enumerate(content["stays"], 1)
    )
    return Facts(
        camera=content["camera"],
        name=content["name"],
        cameras=tuple(content["cameras"]),
        since=_time(content["since"]),
        until=_time(content["until"]),
        ended=content["ended"],
        zones=tuple(content["zones"]),
        stays=stays,
        loitering=content["loitering"],
        parked=content["parked"],
        rings=tuple(map(_time, content["rings"])),
        moments=tuple(map(_time, content["moments"])),
        locale=Locale(timezone=timezone(timedelta(minutes=content["utc_offset_min"]))),
        **counts,
    )


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def prompts(folder: Path) -> None:
    """Writes what a model is asked about each case, in each language."""
    for tag in sorted(path.stem for path in SETS.glob("*.toml")):
        folder.joinpath(tag).mkdir(parents=True, exist_ok=True)
        for case, facts in cases(_texts(tag)["names"], tag).items():
            prompt = brief_of(facts).prompt()
            folder.joinpath(tag, f"{case}-system.txt").write_text(prompt.system + "\n", encoding="utf-8")
            folder.joinpath(tag, f"{case}-user.txt").write_text(prompt.user + "\n", encoding="utf-8")


def brief_of(facts: Facts) -> Brief:
    """What a model would be given about a case: the lines of an event, or those of a busy or quiet hour."""
    if facts.camera is None:
        return Brief(facts=facts, lines=_hour_lines(facts))
    facts = replace(facts, stays=tuple(replace(stay, track=n) for n, stay in enumerate(facts.stays, 1)))
    records = [*(each for stay in facts.stays for each in _records(stay, facts)), *map(_ring, facts.rings)]
    return Brief(facts=replace(facts, about=facts.labels[0]), lines=event_lines(facts, records))


def _hour_lines(facts: Facts) -> tuple[str, ...]:
    """As `visit_lines` writes an hour in which much was; the cases say no more of single visits."""
    hour = f"{facts.local(facts.since):%d. %H:00}"
    lines = []
    for label in facts.labels:
        visits, most = facts.visits[label], facts.peak[label]
        longest = brief_duration(max(stay.dwell_s for stay in facts.stays if stay.label is label))
        several = f", up to {most} at once" if most > 1 else ""
        plural = "s" if visits > 1 else ""
        lines.append(f"{hour} {label.value} {visits} visit{plural}{several}, longest {longest}")
    return (*lines, *(f"{facts.local(ring):%H:%M} doorbell rings" for ring in facts.rings))


def _records(stay: Stay, facts: Facts) -> Iterator[Observation]:
    """How a stay was reported."""
    parcel = stay.label is Label.PACKAGE
    yield _observation(
        stay,
        stay.since,
        Observed.MOVING if facts.drove_off else Observed.ENTERED_ZONE if facts.zones else Observed.APPEARED,
        zones=facts.zones,
        change=ParcelChange.LEFT_BEHIND if parcel else None,
    )
    if facts.loitering:
        yield _observation(stay, stay.since + 60, Observed.LOITERING)
    if stay.still and not parcel:
        yield _observation(stay, stay.until, Observed.STILL)
    elif facts.ended and not parcel:
        yield _observation(stay, stay.until, Observed.LEFT)


def _observation(
    stay: Stay, time: float, kind: Observed, *, zones: tuple[str, ...] = (), change: ParcelChange | None = None
) -> Observation:
    seen = Sighting(
        track=stay.track,
        label=stay.label,
        sub_label=stay.sub_label,
        score=0.9,
        box=Box(0.4, 0.3, 0.5, 0.7),
        since=stay.since,
        dwell_s=time - stay.since,
        zones=zones,
    )
    return Observation(
        id=f"{stay.track}-{kind}",
        camera="camera",
        kind=kind,
        time=time,
        until=time,
        score=0.0,
        objects=(seen,),
        zones=zones,
        change=change,
    )


def _ring(time: float) -> Ring:
    return Ring(id="ring", camera="camera", time=time, via="mqtt")


def ours(row: Row) -> bool:
    """Whether our check lets the text pass."""
    return not check(row.title, row.text, row.facts, pictures=row.pictures)


def naive(row: Row) -> bool:
    """The rival: no label named that was not seen."""
    said = f"{row.title} {row.text}".lower()
    nouns = {
        Label.PERSON: r"person|people|someone|somebody|man|woman",
        Label.VEHICLE: r"vehicle|car|van|truck|bike",
        Label.ANIMAL: r"animal|dog|cat",
        Label.PACKAGE: r"package|parcel",
    }
    return not any(re.search(rf"\b(?:{n})s?\b", said) for label, n in nouns.items() if label not in row.facts.labels)


def measure(name: str, passes: Callable[[Row], bool], chosen: list[Row], *, show: bool) -> tuple[int, int, int, int]:
    """Prints one line; gives planted, accepted, honest, refused."""
    planted = [row for row in chosen if not row.supported]
    honest = [row for row in chosen if row.supported]
    started = time.perf_counter()
    accepted = [row for row in planted if passes(row)]
    refused = [row for row in honest if not passes(row)]
    spent_ms = 1000 * (time.perf_counter() - started) / max(1, len(chosen))
    print(f"{name:<28} {len(accepted):>4} of {len(planted):<4} {len(refused):>4} of {len(honest):<4} {spent_ms:>8.2f}")
    for row in [*accepted, *refused] if show else []:
        found = check(row.title, row.text, row.facts, pictures=row.pictures)
        print(f"    {row.id} {'refused' if row.supported else 'accepted'}: {row.title} | {row.text}")
        print(f"        {row.why}; found: {', '.join(f'{v.claim}: {v.words} ({v.why})' for v in found) or 'nothing'}")
    return len(planted), len(accepted), len(honest), len(refused)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--language", choices=sorted(path.stem for path in SETS.glob("*.toml")), default="en")
    parser.add_argument("--split", choices=("dev", "test", *LATER), help="only this part")
    parser.add_argument("--prompts", type=Path, help="write the prompt of each case into this folder")
    args = parser.parse_args()
    if args.prompts is not None:
        prompts(args.prompts)
        return 0
    every = [*(rows() if args.language == "en" else ()), *translated(args.language)][:: 4 if args.quick else 1]
    good = True
    print(f"{'':<28} {'planted accepted':<12} {'honest refused':<12} {'ms/text':>7}")
    for split in (args.split,) if args.split else ("dev", "test", *LATER):
        chosen = [row for row in every if row.split == split]
        if args.language == "en":  # its nouns are English
            measure(f"labels only, {split}", naive, chosen, show=False)
        _, accepted, honest, refused = measure(f"blikk, {split}", ours, chosen, show=args.show)
        good = good and accepted == 0 and refused <= REFUSED_MAX * honest
    if args.check and not good:
        print("goal missed: 0 planted accepted, at most 5 % honest refused", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
