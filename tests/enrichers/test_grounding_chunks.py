"""A text is made of known chunks in a permitted order, and a prompt says of which."""

import re
from dataclasses import replace
from datetime import UTC

import pytest
from summary_props import IN_UTC, event, sighting
from test_grounding_claims import bench
from test_languages import TAGS

from blikk_edge.asking.model import word_prompt
from blikk_edge.core.locale import Locale
from blikk_edge.core.picture import Picture
from blikk_edge.core.summary import AnswerKind, Question
from blikk_edge.enrichers.questions.prompt import question_prompt
from blikk_edge.enrichers.summaries.prompts import SEEING, Brief
from blikk_edge.language.facts import event_facts
from blikk_edge.language.grounding import Claim, check
from blikk_edge.language.grounding.chunks import Part
from blikk_edge.language.language import content_of, language
from blikk_edge.llm.tokens import prose_tokens

SETS = bench()
CASES = {tag: SETS.cases(SETS._texts(tag)["names"], tag) for tag in TAGS}
PICTURE = Picture(camera="porch", name="person", time=1.0, jpeg=b"\xff\xd8", width_px=10, height_px=10)
FACTS = event_facts(event(sighting()), name="Front door", locale=IN_UTC)
STYLE_TOKENS_MAX = 200
"""By the estimate of the budget, which counts a third too much; it is paid with each call."""

KNOWN_TO_THE_CODE = {Part.END, Part.BREAK}


def claims(tag, case, text):
    return {violation.claim for violation in check("", text, CASES[tag][case])}


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("long", "The person at the front door made several calls."),
        ("dog", "The dog was after something in the yard."),
        ("visit", "A person moved something at the front door."),
        ("visit", "The person observed the front door."),
        ("dog", "A person was walking the dog."),
        ("visit", "The first person was at the front door at noon."),
        ("visit", "A person left after the door was closed."),
        ("pair", "One person rang while the other waited."),
        ("dog", "A dog ran up to the camera."),
        ("visit", "A person went past the camera and stopped at every door."),
        ("quiet", "The cameras stopped recording at 2."),
    ],
)
def test_known_words_in_an_order_that_says_more_are_refused(case, text):
    assert claims("en", case, text)


@pytest.mark.parametrize(
    ("tag", "case", "text", "claim"),
    [
        ("en", "hour", "The doorbell rang at 8:40.", Claim.RING),
        ("en", "hour", "A car came three times.", Claim.COUNT),
        ("fr", "hour", "Il y a eu cinq visites.", Claim.COUNT),
        ("es", "visit", "Una persona vino por segunda vez.", Claim.COUNT),
        ("nl", "pair", "Twee personen kwamen en één vertrok.", Claim.COUNT),
        ("de", "leaves", "Ein Auto kam um 7:15 Uhr an.", Claim.STATE),
        ("it", "now", "La persona ha appena lasciato il sentiero.", Claim.STATE),
        ("de", "visit", "Eine Person ist noch an der Haustür.", Claim.STATE),
        ("it", "courier", "Una persona ha ritirato il pacco.", Claim.STATE),
        ("fr", "car", "La voiture a bougé depuis.", Claim.STATE),
        ("es", "car", "Un coche pasó sin parar.", Claim.STATE),
    ],
)
def test_what_a_predicate_claims_is_held_against_the_facts(tag, case, text, claim):
    assert claim in claims(tag, case, text)


@pytest.mark.parametrize("tag", TAGS)
def test_texts_that_keep_to_the_prompt_are_accepted(tag):
    honest = [row for row in SETS.translated(tag) if row.split == "chunks" and row.supported]
    assert len(honest) >= 14
    assert [row.text for row in honest if check(row.title, row.text, row.facts)] == []


def test_looks_may_be_described_where_pictures_were_shown():
    text = "A person in a red jacket left a brown package beside the plant."
    assert check("", text, CASES["en"]["courier"])
    assert check("", text, CASES["en"]["courier"], pictures=True) == ()


def test_a_title_that_was_cut_may_end_anywhere():
    facts = CASES["en"]["visit"]
    assert check("A person was at the …", "A person was at the front door.", facts) == ()
    assert check("A person was at the.", "A person was at the front door.", facts)


# -- prompts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", TAGS)
def test_a_language_has_all_parts(tag):
    chunks = content_of(tag, "notices")["chunks"]
    missing = {str(part) for part in set(Part) - KNOWN_TO_THE_CODE} - chunks.keys()
    assert missing <= {"who"}
    assert set(chunks["inflected"].split()) <= set(Part)


@pytest.mark.parametrize("tag", TAGS)
def test_the_style_is_short_and_has_no_facts(tag):
    style = language(tag).style
    assert 0 < prose_tokens(style) <= STYLE_TOKENS_MAX
    assert not re.search(r"\d", style)


@pytest.mark.parametrize("tag", TAGS)
def test_a_frame_that_is_copied_from_the_prompt_is_refused(tag):
    frame = re.findall(r'"([^"]*…[^"]*)"', language(tag).style)[0]
    assert check("", frame, CASES[tag]["visit"]), frame


@pytest.mark.parametrize("tag", TAGS)
def test_a_prompt_says_of_which_phrases_a_text_is_made(tag):
    facts = replace(FACTS, locale=Locale(timezone=UTC, language=tag))
    style = language(tag).style.strip()
    question = Question(id="q", camera="porch", text="Is anyone there?", kind=AnswerKind.TEXT)
    asked = question_prompt(question, camera="Door", lines=(), picture=None, spoken=language(tag))
    assert style in Brief(facts=facts).prompt().system
    assert style in asked.system
    assert style in word_prompt("Who came?", "a person", (), language(tag)).system


def test_who_sees_pictures_describes_them_freely():
    prompt = Brief(facts=FACTS, pictures=(PICTURE,)).prompt()
    assert SEEING in prompt.system
    assert language("en").style not in prompt.system


def test_a_language_without_words_has_no_style():
    facts = replace(FACTS, locale=Locale(timezone=UTC, language="sv"))
    assert language("en").style not in Brief(facts=facts).prompt().system


def test_the_prompt_of_each_case_is_written_as_files(tmp_path):
    SETS.prompts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(TAGS)
    assert len(list(tmp_path.joinpath("de").iterdir())) == 2 * len(CASES["de"])
    assert tmp_path.joinpath("en", "pair-user.txt").read_text().count("came") == 2


def test_a_length_rounded_down_is_right_up_to_the_next_minute():
    facts = replace(CASES["en"]["visit"], until=CASES["en"]["visit"].since + 299.97, stays=())
    assert check("", "A person was at the front door for 4 min.", facts) == ()
