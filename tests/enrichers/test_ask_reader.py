"""Questions in English and the Query that each becomes: a pinned table. Now is Wednesday 2026-11-18 14:30 in Berlin."""

from dataclasses import replace

import pytest
from ask_props import CAMERAS, FRONT, NOW, WALL, YARD, at
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.asking.reader import Puzzle, read
from blikk_edge.core.inquiry import Aggregate, AskQuestion, Query
from blikk_edge.core.sightings import Label
from blikk_edge.language.reading import english

QUESTIONS = (
    ("How many people came to the door this morning?", "count person at front_door from 11-18 05:00 to 11-18 12:00"),
    ("how many people came to the front door today", "count person at front_door from 11-18 00:00"),
    ("How many visitors did we have yesterday?", "count person from 11-17 00:00 to 11-18 00:00"),
    (
        "How many cars were in the driveway between 8 and 10 am?",
        "count vehicle (car) at driveway from 11-18 08:00 to 11-18 10:00",
    ),
    ("How many cars passed last night?", "count vehicle (car) from 11-17 18:00 to 11-18 06:00"),
    ("How many times did the doorbell ring today?", "visits all from 11-18 00:00 rings"),
    ("How often was someone in the back yard this week?", "visits person at yard from 11-16 00:00"),
    ("How many visits were there on Monday?", "visits person from 11-16 00:00 to 11-17 00:00"),
    ("How many deliveries did I get last week?", "visits package from 11-09 00:00 to 11-16 00:00 left_behind"),
    ("How many packages arrived since yesterday?", "count package from 11-17 00:00 left_behind"),
    ("How many people are at the door?", "present person at front_door"),
    ("How many people are there right now?", "present person"),
    ("How many cars are in the driveway now?", "present vehicle (car) at driveway"),
    ("Is anyone at the door?", "present person at front_door"),
    ("Is anybody there?", "present person"),
    ("Who is at the front door?", "present person at front_door"),
    ("Is there a package at the door?", "present package at front_door"),
    ("Is the cat still in the yard?", "present animal (cat) at yard"),
    ("Is there a dog in the garden?", "? garden"),
    ("Did anyone come to the door this afternoon?", "any person at front_door from 11-18 12:00"),
    ("Did someone ring the doorbell while I was away?", "?? while away"),
    ("Did the doorbell ring in the last hour?", "any all from 11-18 13:30 rings"),
    ("Has anyone been loitering today?", "any person from 11-18 00:00 loitering"),
    (
        "Has anyone been at the door for more than 10 minutes?",
        "any person at front_door from 11-18 00:00 at least 600 s",
    ),
    ("Has this person been loitering for more than 10 minutes?", "any person from 11-18 00:00 at least 600 s"),
    ("Is anyone loitering in the yard?", "any person at yard loitering ongoing"),
    ("Was there anyone in the back yard last night?", "any person at yard from 11-17 18:00 to 11-18 06:00"),
    ("Were there any animals in the yard during the night?", "any animal at yard from 11-17 22:00 to 11-18 06:00"),
    ("Did a cat visit the yard in the last 3 days?", "any animal (cat) at yard from 11-15 14:30"),
    ("Did the postman come today?", "any person from 11-18 00:00 doubt postman"),
    ("Did Anna come home?", "?? anna"),
    ("Did a man with a red jacket come?", "?? red jacket"),
    ("Did nobody come today?", "count person from 11-18 00:00"),
    ("Was a parcel delivered today?", "any package from 11-18 00:00 left_behind"),
    ("Has the parcel been taken yet?", "any package from 11-18 00:00 taken"),
    ("When was the package at the front door picked up?", "last package at front_door taken"),
    ("Who took the parcel?", "list package from 11-18 00:00 taken doubt who"),
    ("Did somebody take the dog?", "?? take"),
    ("Has my package arrived yet?", "any package from 11-18 00:00 left_behind"),
    ("Did anything happen since 8?", "any all from 11-18 08:00"),
    ("What happened last night?", "list all from 11-17 18:00 to 11-18 06:00"),
    ("What happened at the frnt door yesterday evening?", "list all at front_door from 11-17 18:00 to 11-18 00:00"),
    ("What is happening in the driveway?", "present all at driveway"),
    ("What's going on?", "present all"),
    ("Who was at the door between 10 and 2?", "list person at front_door from 11-18 10:00 to 11-18 14:00"),
    ("Who was at the front door around 3 pm?", "list person at front_door from 11-17 14:30 to 11-17 15:30"),
    ("Who came by on Tuesday afternoon?", "list person from 11-17 12:00 to 11-17 18:00"),
    ("Who rang the doorbell?", "list all from 11-18 00:00 rings doubt who"),
    ("Who was on the porch since noon?", "list person at front_door in porch from 11-18 12:00"),
    ("When was the last visitor?", "last person"),
    ("When did the last car leave?", "last vehicle (car)"),
    ("When was the last time someone was in the yard?", "last person at yard"),
    ("When was the first visitor today?", "first person from 11-18 00:00"),
    ("When did the doorbell last ring?", "last all rings"),
    ("When did the cat leave?", "last animal (cat)"),
    ("When was somebody at the door yesterday?", "list person at front_door from 11-17 00:00 to 11-18 00:00"),
    ("What time did the first person arrive this morning?", "first person from 11-18 05:00 to 11-18 12:00"),
    ("How long ago was the last delivery?", "last package left_behind"),
    ("How long was someone in the yard today?", "duration person at yard from 11-18 00:00"),
    ("How long did the last visitor stay?", "last person"),
    ("How long has the car been in the driveway?", "staying vehicle (car) at driveway ongoing"),
    ("How long was the longest visit yesterday?", "longest person from 11-17 00:00 to 11-18 00:00"),
    ("What was the longest visit this week?", "longest person from 11-16 00:00"),
    ("What was the most people at once at the door today?", "most_at_once person at front_door from 11-18 00:00"),
    (
        "How many people were in the yard at the same time yesterday?",
        "most_at_once person at yard from 11-17 00:00 to 11-18 00:00",
    ),
    ("List all vehicles since midnight", "list vehicle from 11-18 00:00"),
    ("Show me the animals of the last 24 hours", "list animal from 11-17 14:30"),
    ("people in the last 30 minutes", "list person from 11-18 14:00"),
    ("Any visitors today?", "any person from 11-18 00:00"),
    (
        "Any cars in the driveway before 7 this morning?",
        "any vehicle (car) at driveway from 11-18 05:00 to 11-18 07:00",
    ),
    ("Anyone at the door 2 hours ago?", "any person at front_door from 11-18 12:00 to 11-18 13:00"),
    ("Were there cars or trucks after 22:30 yesterday?", "any vehicle (car truck) from 11-17 22:30 to 11-18 00:00"),
    ("Summarize today", "list all from 11-18 00:00"),
    ("Tell me about the last event.", "last all"),
    ("How many dogs and cats were there on November 3?", "count animal (dog cat) from 11-03 00:00 to 11-04 00:00"),
    ("How many people came from 9 to 5 yesterday?", "count person from 11-17 09:00 to 11-17 17:00"),
    ("How many people walked past on 2026-11-15?", "count person from 11-15 00:00 to 11-16 00:00"),
    ("how many persons were seen in the kitchen", "? kitchen"),
    ("Was anyone here half an hour ago?", "any person from 11-18 13:30 to 11-18 14:30"),
    ("Who was here on the weekend?", "list person from 11-14 00:00 to 11-16 00:00"),
    ("how many people since the last delivery", "?? since"),
    ("did the dog bark", "?? bark"),
    ("what is the weather", "?? weather"),
    ("how many cars parked today", "?? parked"),
    ("Who is on the lawn?", "present person at yard in lawn"),
    ("did someone steal my package", "?? steal"),
    ("How many people came before noon?", "count person from 11-18 00:00 to 11-18 12:00"),
    ("Who is at the doorbell?", "present person at front_door"),
    ("Were there any visits by cats today?", "any animal (cat) from 11-18 00:00"),
    ("Who delivered the parcel?", "list person+package from 11-18 00:00"),
    ("Is the driveway empty?", "?? empty"),
    ("Was anyone near the drvieway at 3 in the morning?", "any person at driveway from 11-18 02:30 to 11-18 03:30"),
    ("How many people came between 11 pm and 2 am?", "count person from 11-17 23:00 to 11-18 02:00"),
    ("How many people came between 6 and 8 this evening?", "count person from 11-18 18:00"),
    ("Did anybody come after 9 on Tuesday?", "any person from 11-17 09:00 to 11-18 00:00"),
    ("Was there anyone at the door before yesterday?", "any person at front_door to 11-17 00:00"),
    ("Which cars came in the past hour?", "list vehicle (car) from 11-18 13:30"),
    ("who was outside tonight", "list person from 11-18 18:00"),
    ("what happened in the yard while we slept", "?? while slept"),
    ("Is someone on the porch right now?", "present person at front_door in porch"),
    ("What was the most people at once at the back yard?", "most_at_once person at yard from 11-18 00:00"),
    ("When did you last see a fox?", "last animal (fox)"),
    ("Has anyone ever been in the yard?", "any person at yard"),
    ("How many people came 3 days ago?", "count person from 11-15 00:00 to 11-16 00:00"),
    ("What did the camera see in the last 2 weeks?", "list all from 11-04 14:30"),
    ("Anything since the weekend?", "any all from 11-14 00:00"),
    ("How many people are at the door today?", "count person at front_door from 11-18 00:00"),
    (
        "Were there any birds or squirrels on the lawn this week?",
        "any animal (bird squirrel) at yard in lawn from 11-16 00:00",
    ),
    ("Did the cat come back?", "any animal (cat) from 11-18 00:00"),
    (
        "How many people were at the front door or in the driveway today?",
        "count person at front_door driveway from 11-18 00:00",
    ),
    ("How many people walked up the path since 6:30?", "count person at front_door in path from 11-18 06:30"),
    ("Is any package still at the front door?", "present package at front_door"),
    ("Has a truck been in the driveway since Sunday evening?", "any vehicle (truck) at driveway from 11-15 18:00"),
    ("Who came at half past ten?", "list person from 11-18 10:00 to 11-18 11:00"),
    ("HOW MANY PEOPLE?!", "count person from 11-18 00:00"),
    ("How many people came at 8pm yesterday?", "count person from 11-17 19:30 to 11-17 20:30"),
    ("how many people came between noon and 3", "count person from 11-18 12:00"),
    ("Was anybody at the door after midnight?", "any person at front_door from 11-18 00:00"),
    ("Is it raining?", "?? raining"),
    ("Tell me a joke", "?? joke"),
    ("When does the bus come?", "?? does"),
    ("How many visitors last month?", "count person from 10-01 00:00 to 11-01 00:00"),
    ("How many bikes passed in the last couple of hours?", "count vehicle (bicycle) from 11-18 12:30"),
    ("How many cars between 8:15 and 9:45 yesterday?", "count vehicle (car) from 11-17 08:15 to 11-17 09:45"),
    ("Did anyone ring the bell after 10 pm last night?", "any all from 11-17 22:00 to 11-18 06:00 rings"),
    ("Who was in the yard the day before yesterday?", "list person at yard from 11-16 00:00 to 11-17 00:00"),
    (
        "How many people stood on the porch for at least 5 minutes today?",
        "count person at front_door in porch from 11-18 00:00 at least 300 s",
    ),
    ("Where is my car?", "?? where"),
    ("How many people came on Monday morning?", "count person from 11-16 05:00 to 11-16 12:00"),
    ("who was here on 2026-02-30", "?? 2026-02-30"),
    ("did somebody come at 25:00", "?? 25:00"),
    (
        "how long were there people in the back yard yesterday afternoon?",
        "duration person at yard from 11-17 12:00 to 11-17 18:00",
    ),
    ("did anyone come at a quarter to 9?", "any person from 11-18 08:15 to 11-18 09:15"),
)
"""`?` is a place that nobody knows, `??` a question that was not understood, with the words in the way."""


def shown(query: Query | Puzzle) -> str:
    """A Query in one line, times on the wall."""
    if isinstance(query, Puzzle):
        return f"? {query.place}" if query.place else " ".join(("??", *query.words))
    times = (("from", query.since), ("to", query.until))
    parts = [
        query.measure.value,
        "+".join(query.labels) or "all",
        f"({' '.join(query.kinds)})" if query.kinds else "",
        f"at {' '.join(query.cameras)}" if query.cameras else "",
        f"in {query.zone}" if query.zone else "",
        *(f"{word} {WALL.at(time):%m-%d %H:%M}" for word, time in times if time is not None),
        f"at least {query.min_duration_s:.0f} s" if query.min_duration_s else "",
        *(name for name in ("loitering", "ongoing", "rings") if getattr(query, name)),
        query.change or "",
        f"doubt {query.doubt}" if query.doubt else "",
    ]
    return " ".join(filter(None, parts))


def asked(question: str, *, cameras=CAMERAS, **more) -> Query | Puzzle:
    return read(AskQuestion(question=question, **more), cameras=cameras, now=NOW, wall=WALL, reading=english())


@pytest.mark.parametrize(("question", "query"), QUESTIONS)
def test_a_question_is_read_as_it_is_pinned(question: str, query: str) -> None:
    assert shown(asked(question)) == query


def test_the_table_is_long_and_reads_every_measure() -> None:
    measures = {query.split()[0] for _, query in QUESTIONS}
    assert len(QUESTIONS) >= 120
    assert measures == {*(measure.value for measure in Aggregate), "?", "??"}


def test_camera_and_times_of_the_request_hold_where_the_question_has_none() -> None:
    more = {"camera": "yard", "since": at("08:00"), "until": at("09:00")}
    assert shown(asked("how many people?", **more)) == "count person at yard from 11-18 08:00 to 11-18 09:00"
    own = asked("how many people were at the front door yesterday?", **more)
    assert shown(own) == "count person at front_door from 11-17 00:00 to 11-18 00:00"


def test_a_door_is_the_camera_with_the_bell_where_no_name_says_door() -> None:
    porch = replace(FRONT, id="cam1", name="Porch", zones=())
    assert shown(asked("is anyone at the door?", cameras=(porch, YARD))) == "present person at cam1"
    without = replace(porch, ring=False)
    assert shown(asked("is anyone at the door?", cameras=(without, YARD))) == "? door"
    assert shown(asked("is anyone at the door?", cameras=(without,))) == "present person at cam1"


def test_half_a_name_means_every_camera_that_has_it() -> None:
    back = replace(YARD, id="back", name="Back door", zones=())
    assert shown(asked("is anyone at the door?", cameras=(FRONT, back))) == "present person at front_door back"


def test_names_with_other_letters_and_words_of_ours_are_found() -> None:
    kitchen = replace(YARD, id="k", name="K\u00fcche", zones=("Fr\u00fchst\u00fccks-Ecke",))
    people = replace(YARD, id="p", name="Monday's people cam", zones=())
    assert shown(asked("who was in the k\u00fcche today?", cameras=(kitchen, people))).startswith("list person at k ")
    assert "in Fr\u00fchst\u00fccks-Ecke" in shown(
        asked("Is anyone in Fr\u00fchst\u00fccks-Ecke?", cameras=(kitchen, people))
    )
    assert shown(asked("was anyone at Monday's people cam?", cameras=(kitchen, people))).startswith("any person at p ")


def test_a_zone_of_two_cameras_asks_both_and_a_named_camera_only_that_one() -> None:
    other = replace(YARD, zones=("path",))
    assert shown(asked("is anyone on the path?", cameras=(FRONT, other))) == "present person at front_door yard in path"
    one = asked("is anyone on the path at the front door?", cameras=(FRONT, other))
    assert shown(one) == "present person at front_door in path"


WORDS = st.sampled_from(
    [
        *english().subjects,
        *(
            "how",
            "many",
            "since",
            "between",
            "and",
            "8",
            "10",
            "pm",
            "last",
            "week",
            "on",
            "monday",
            "3",
            "days",
            "ago",
        ),
        *(
            "at",
            "the",
            "door",
            "front",
            "yard",
            "porch",
            "half",
            "past",
            "may",
            "31",
            "february",
            "25:61",
            "2026-13-45",
        ),
        *(
            "0000-00-00",
            "9999",
            "hours",
            "for",
            "more",
            "than",
            "few",
            "tonight",
            "before",
            "until",
            "noon",
            "midnight",
        ),
        *("\u00b7", "(", ")", "\\", "*", "'s", "-", "\ud83d\udc08", "bell", "ring", "loitering", "first", "now", "is"),
    ]
)


@given(st.lists(WORDS, max_size=14).map(" ".join) | st.text(max_size=200), st.floats(1e8, 4e9))
def test_no_question_breaks_the_reader_and_what_is_read_is_sound(question: str, now: float) -> None:
    query = read(AskQuestion(question=question), cameras=CAMERAS, now=now, wall=WALL, reading=english())
    if isinstance(query, Puzzle):
        return
    assert set(query.cameras) <= {camera.id for camera in CAMERAS}
    assert query.zone in {None, *(zone for camera in CAMERAS for zone in camera.zones)}
    assert set(query.labels) <= set(Label)
    if query.since is not None and query.until is not None:
        assert query.since < query.until
    assert query.until is None or query.until <= now


@given(st.sampled_from(QUESTIONS), st.sampled_from([str.upper, str.title, lambda text: f"  {text.rstrip('?')}  ?!"]))
def test_case_and_punctuation_change_nothing(pinned: tuple[str, str], write) -> None:
    question, query = pinned
    assert shown(asked(write(question))) == query
