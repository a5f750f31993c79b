import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_queue import ScriptedQueue, answer
from summary_props import IN_UTC, event, sighting

from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import TEXT_MAX, TITLE_MAX, Author, Importance
from blikk_edge.enrichers.summaries.note import note_from_json
from blikk_edge.enrichers.summaries.prompts import Brief
from blikk_edge.enrichers.summaries.template import template
from blikk_edge.enrichers.summaries.text_writer import CallLimits, TextWriter
from blikk_edge.language.facts import event_facts
from blikk_edge.language.grounding import Claim, Violation
from blikk_edge.llm.port import (
    AwayError,
    BlindError,
    BusyError,
    Completion,
    GarbledError,
    RefusedError,
    TooLongError,
)
from blikk_edge.llm.queue.port import NotNowError, Priority, SupersededError

FACTS = event_facts(event(sighting()), name="Front door", locale=IN_UTC)
PICTURE = Picture(camera="porch", name="person", time=1.0, jpeg=b"\xff\xd8", width_px=10, height_px=10)
BRIEF = Brief(facts=FACTS, lines=tuple(f"12:00:0{n} person 1 moves" for n in range(8)), pictures=(PICTURE,))
ERRAND = CallLimits(key="k", camera="porch", priority=Priority.PERSON)
SPENT = Completion(text='{"title": "A per', model="tiny", input_tokens=90, output_tokens=5)


def nothing_wrong(title, text, facts, *, pictures, said):
    return ()


def writer(queue, check=nothing_wrong, clock=None):
    return TextWriter(queue=queue, check=check, clock=clock or VirtualClock())


async def write(*script, brief=BRIEF, check=nothing_wrong):
    queue = ScriptedQueue(*script)
    return await writer(queue, check).write(brief, ERRAND), queue


async def test_an_answer_in_order_is_taken():
    draft, queue = await write(answer(title="Somebody came"))
    assert (draft.note.title, draft.source, draft.model) == ("Somebody came", Author.LLM, "tiny")
    assert (draft.input_tokens, draft.output_tokens, draft.pictures, draft.unsent) == (100, 20, 1, False)
    assert len(queue.jobs) == 1


@pytest.mark.parametrize("error", [AwayError("off"), BusyError("later"), RefusedError("key"), NotNowError("broke")])
async def test_without_an_answer_the_template_serves(error):
    draft, queue = await write(error)
    assert (draft.note, draft.source, draft.model) == (template(FACTS), Author.TEMPLATE, None)
    assert len(queue.jobs) == 1


async def test_a_model_that_saw_nothing_may_not_describe_what_can_be_seen():
    reported = []

    def check(title, text, facts, *, pictures, said):
        reported.append(pictures)
        return ()

    await write(BlindError("text only"), answer(), check=check)
    await write(answer(), check=check)
    await write("no json", answer(), check=check)
    assert reported == [False, True, True]


async def test_without_a_desk_the_template_serves():
    draft = await writer(None).write(BRIEF, ERRAND)
    assert draft.note == template(FACTS)


@pytest.mark.parametrize(
    "broken",
    ["no json", "[]", "{}", answer(importance="urgent"), answer(labels=["robot"]), answer(title=7), answer(x=1)],
)
async def test_an_answer_that_cannot_be_read_is_asked_for_once_more(broken):
    draft, queue = await write(broken, answer(title="Now in order"))
    assert (draft.note.title, draft.source) == ("Now in order", Author.LLM)
    assert "is wrong" in queue.prompts[1].user
    assert (draft.input_tokens, draft.output_tokens) == (200, 40)


async def test_a_second_answer_that_cannot_be_read_is_the_last():
    draft, queue = await write("no json", "still none", answer())
    assert (draft.source, len(queue.jobs), draft.input_tokens) == (Author.TEMPLATE, 2, 200)


async def test_what_a_garbled_answer_cost_is_counted_and_it_is_repaired():
    draft, queue = await write(GarbledError("cut off", spent=SPENT), answer())
    assert (draft.source, draft.input_tokens, draft.output_tokens) == (Author.LLM, 190, 25)
    assert "'title': 'A per" in queue.prompts[1].user


async def test_a_prompt_that_is_too_long_is_halved_once():
    draft, queue = await write(TooLongError("4096"), answer())
    assert draft.source is Author.LLM
    assert queue.prompts[1].user.count("moves") == 4
    assert "12:00:07" in queue.prompts[1].user
    assert "12:00:00 person" not in queue.prompts[1].user
    draft, queue = await write(TooLongError("4096"), TooLongError("4096"), answer())
    assert (draft.source, len(queue.jobs)) == (Author.TEMPLATE, 2)


async def test_a_model_that_does_not_see_is_asked_without_pictures():
    draft, queue = await write(BlindError("text only"), answer())
    assert [len(prompt.pictures) for prompt in queue.prompts] == [1, 0]
    assert (draft.source, draft.pictures) == (Author.LLM, 0)


@pytest.mark.parametrize("trouble", ["no json", GarbledError("html"), TooLongError("4096"), BlindError("blind")])
async def test_pictures_are_never_sent_a_second_time(trouble):
    _, queue = await write(trouble, answer())
    assert [len(prompt.pictures) for prompt in queue.prompts] == [1, 0]


async def test_every_mending_has_an_end():
    _, queue = await write(BlindError("b"), TooLongError("l"), GarbledError("g"), BlindError("b"), answer())
    assert len(queue.jobs) == 4


async def test_who_was_superseded_writes_nothing():
    draft, _ = await write(SupersededError("newer"))
    assert draft is None


async def test_what_was_not_asked_was_not_sent():
    draft, _ = await write(NotNowError("over budget"))
    assert draft.unsent


async def test_what_may_have_arrived_was_sent():
    draft, _ = await write(AwayError("time-out"))
    assert not draft.unsent


DOGS = answer(title="Dogs", text="Two dogs came.")


def no_dogs(title, text, facts, *, pictures, said):
    return [Violation(Claim.LABEL, "two dogs", "no animal was seen")] if "dogs" in text else []


async def test_text_that_is_not_supported_gives_way_to_the_template_and_is_paid():
    seen = []

    def check(title, text, facts, *, pictures, said):
        seen.append((title, text, facts, pictures))
        return no_dogs(title, text, facts, pictures=pictures, said=said)

    draft, queue = await write(DOGS, DOGS, check=check)
    assert (draft.note, draft.source, draft.input_tokens) == (template(FACTS), Author.TEMPLATE, 200)
    assert seen == [("Dogs", "Two dogs came.", FACTS, True)] * 2
    assert len(queue.jobs) == 2


async def test_text_that_is_not_supported_is_asked_for_once_more_with_the_reason():
    draft, queue = await write(DOGS, answer(text="A person came."), check=no_dogs)
    assert (draft.note.text, draft.source) == ("A person came.", Author.LLM)
    again = queue.jobs[1].prompt
    assert "two dogs" in again.user.splitlines()[-1]
    assert again.pictures == ()


async def test_a_text_is_asked_for_anew_only_once_whatever_was_wrong():
    _, queue = await write("no json", DOGS, answer(text="A person came."), check=no_dogs)
    assert len(queue.jobs) == 2


async def test_all_tries_together_have_one_limit():
    clock = VirtualClock()

    class SlowQueue(ScriptedQueue):
        async def ask(self, job):
            clock.set(clock.now() + 40)
            return await super().ask(job)

    queue = SlowQueue("no json", "no json")
    await writer(queue, clock=clock).write(BRIEF, ERRAND)
    assert [job.useful_s for job in queue.jobs] == [60.0, 20.0]


@pytest.mark.parametrize(
    ("said", "facts", "reported"),
    [
        ("high", event_facts(event(label=Label.VEHICLE), name="Drive"), Importance.NORMAL),
        ("low", event_facts(event(loitering=True), name="Drive"), Importance.NORMAL),
        ("high", FACTS, Importance.HIGH),
    ],
)
async def test_a_model_moves_the_importance_by_one_step_only(said, facts, reported):
    draft, _ = await write(answer(importance=said), brief=Brief(facts=facts))
    assert draft.note.importance is reported


def test_long_text_is_cut_between_words():
    note = note_from_json(answer(title="word " * 40, text="word " * 400))
    assert note.title.endswith("word…")
    assert (len(note.title) <= TITLE_MAX, len(note.text) <= TEXT_MAX) == (True, True)


def test_text_comes_in_one_line_without_hidden_marks():
    assert note_from_json(answer(title="A\u202eperson\n\tcame\x00")).title == "A person came"


def note_or_trouble(text):
    try:
        return note_from_json(text), ""
    except GarbledError as error:
        return None, str(error)


@given(st.text() | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(str))
def test_no_answer_breaks_the_reader(text):
    note, trouble = note_or_trouble(text)
    assert note is None
    assert 0 < len(trouble) < 200


@given(title=st.text(), text=st.text(), importance=st.sampled_from(Importance))
def test_whatever_is_read_keeps_the_limits(title, text, importance):
    note, trouble = note_or_trouble(answer(title=title, text=text, importance=importance.value))
    assert note is None or (0 < len(note.title) <= TITLE_MAX and 0 < len(note.text) <= TEXT_MAX)
    assert note is not None or "is empty" in trouble or "has no word" in trouble
