"""The English that questions about a camera are made of: subjects, measures, and words that change nothing."""

import re
from typing import Final, NamedTuple

from blikk_edge.core.inquiry import Measure
from blikk_edge.core.sightings import Label
from blikk_edge.enrichers.asking.phrase import any_of


class Meaning(NamedTuple):
    """What a word asks about: a label (None: all) and a class of the detector.

    `doubtful` says that no camera can tell it, `weak` that any other subject counts instead ("did a cat visit").
    """

    label: Label | None
    kind: str = ""
    doubtful: bool = False
    weak: bool = False


_NOUNS: Final[dict[Label, str]] = {
    Label.PERSON: "person persons people human humans someone somebody anyone anybody everyone everybody who visitor "
    "visitors visit visits guest guests nobody folks",
    Label.VEHICLE: "vehicle vehicles traffic",
    Label.ANIMAL: "animal animals pet pets",
    Label.PACKAGE: "package packages parcel parcels delivery deliveries delivered",
}
_VEHICLES: Final = "car truck bus van bicycle motorcycle"
_ANIMALS: Final = "cat dog bird fox horse deer bear rabbit squirrel raccoon cow sheep"
_ALSO: Final = {
    word: kind
    for kind, words in (
        ("truck", "lorry lorries"),
        ("bus", "buses"),
        ("bicycle", "bike bikes"),
        ("motorcycle", "motorbike motorbikes"),
        ("fox", "foxes"),
        ("dog", "puppy puppies"),
        ("cat", "kitty kitties"),
    )
    for word in words.split()
}
_DOUBTFUL: Final = (
    "man men woman women boy boys girl girls kid kids child children lady gentleman guy guys stranger strangers "
    "postman postmen mailman mailmen postwoman courier couriers burglar burglars thief thieves intruder intruders "
    "neighbour neighbours neighbor neighbors friend friends family husband wife son daughter salesman"
)
"""People whom no detector tells from other people."""

_GENERIC: Final = (
    "event events activity activities anything something everything nothing happen happens happened happening "
    "summary summarize summarise report"
)


def _kinds(label: Label, kinds: str) -> dict[str, Meaning]:
    return {word: Meaning(label, kind) for kind in kinds.split() for word in (kind, f"{kind}s")}


_OF_KINDS: Final = {**_kinds(Label.VEHICLE, _VEHICLES), **_kinds(Label.ANIMAL, _ANIMALS)}
SUBJECTS: Final[dict[str, Meaning]] = {
    **{word: Meaning(label) for label, words in _NOUNS.items() for word in words.split()},
    **_OF_KINDS,
    **{word: _OF_KINDS[kind] for word, kind in _ALSO.items()},
    **dict.fromkeys(_DOUBTFUL.split(), Meaning(Label.PERSON, doubtful=True)),
    **{
        f"delivery {who}": Meaning(Label.PERSON, doubtful=True) for who in ("driver", "drivers", "man", "guy", "person")
    },
    **dict.fromkeys(_GENERIC.split(), Meaning(None)),
    **dict.fromkeys(("visit", "visits"), Meaning(Label.PERSON, weak=True)),
    "going on": Meaning(None),
    "no one": Meaning(Label.PERSON),
}

KINDS: Final = (*_VEHICLES.split(), *_ANIMALS.split())

SUBJECT: Final = any_of(*SUBJECTS)
RING: Final = re.compile(
    r"\b(?:(?:door ?)?bell(?: (?:was|been|be|has been|get|got))?(?: rings?| rang| rung| ringing| pressed)?"
    r"|rings?|rang|rung|ringing)(?: (?:the|my|our) (?:door ?)?bell)?\b"
)
LOITERING: Final = any_of(
    "loiter", "loiters", "loitered", "loitering", "linger", "lingered", "lingering", "hanging around", "hang around"
)
NOBODY: Final = any_of("nobody", "no one", "nothing")
NOW: Final = any_of("now", "right now", "currently", "at the moment", "still", "at present", "presently", "in view")
UNTIL_NOW: Final = any_of("until now", "till now", "up to now", "so far", "by now", "yet", "already")
IS: Final = re.compile(
    r"^(?:(?:so|and|hey|please|·) )*(?:is|are)\b|\b(?:who|what|which \w+) (?:is|are)\b"
    r"|\bhow many (?:\w+ ){1,2}(?:is|are)\b|\b(?:can|do) you (?:currently )?see\b"
)
WHAT_WAS_SEEN: Final = re.compile(
    r"\bwhat (?:did|was|were|has|have) .*\b(?:see|saw|seen|noticed?|detected?|recorded?)\b"
)
YES_OR_NO: Final = re.compile(r"^(?:(?:so|and|hey|please|·) )*(?:did|has|have|had|was|were|any\w*|do)\b")

MEASURES: Final[tuple[tuple[re.Pattern[str], Measure], ...]] = tuple(
    (re.compile(pattern), measure)
    for pattern, measure in (
        (r"\bhow often\b|\bhow many times\b|\bnumber of (?:times|visits|events|deliveries)\b", Measure.VISITS),
        (r"\bhow many (?:visits|events|deliveries|rings)\b", Measure.VISITS),
        (r"\b(?:at once|at the same time|at one time|simultaneously)\b", Measure.MOST_AT_ONCE),
        (r"\bhow long ago\b", Measure.LAST),
        (r"\blongest\b", Measure.LONGEST),
        (r"\bhow long (?:has|have)\b", Measure.STAYING),
        (r"\b(?:first|earliest)\b", Measure.FIRST),
        (r"\b(?:last|latest|newest|most recent|most recently)\b", Measure.LAST),
        (r"\bhow long\b|\bhow much time\b", Measure.DURATION),
        (r"\bhow many\b|\bnumber of\b|\bcount\b", Measure.COUNT),
    )
)
"""What is asked; the first that fits counts."""

MEASURE_WORDS: Final = any_of(
    *("how often", "how many times", "how many", "number of", "count", "how long ago", "how long", "how much time"),
    *("longest", "first", "earliest", "last", "latest", "newest", "most recent", "most recently", "the most", "most"),
    *("at once", "at the same time", "at one time", "simultaneously", "what time", "times", "time", "when", "what"),
    *("which", "list", "in total", "altogether", "overall", "total", "all"),
)

_FILLER: Final = """
a an the any some there this that these those it they them their its he she him her i me my we us our you your
is are was were be been being am do did done has have had can could back
and or so hey please ok okay hi hello also just only really actually as well different single exactly about
to at in on of by for from with up off around into onto over through past near along out
come comes came coming arrive arrives arrived arriving leave leaves leaving left go goes went gone going get got
pass passes passed passing visiting visited stop stops stopped stay stays stayed staying stand stands stood standing
wait waits waited waiting see sees saw seen seeing detect detects detected record recorded notice noticed spot spotted
show shows showed shown appear appears appeared turn turned walk walks walked walking run ran running drive drives drove
driven driving move moved moving drop dropped bring brought enter entered tell give describe
here outside home house property premises anywhere everywhere somewhere place camera cameras
"""
FILLER: Final = frozenset(_FILLER.split())
"""Words that may be left over without changing the question; any other that is left was not understood."""
