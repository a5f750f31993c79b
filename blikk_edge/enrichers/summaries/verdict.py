"""Checks what somebody else wrote about an event, such as an AI Task of Home Assistant."""

from dataclasses import replace

from blikk_edge.core.inquiry import CheckText, Reply, refusal
from blikk_edge.core.summary import Checked
from blikk_edge.enrichers.summaries.text_writer import REASONS_MAX
from blikk_edge.language.facts import Facts
from blikk_edge.language.grounding import Claim, Violation, check, is_known
from blikk_edge.language.language import ENGLISH


def verdict(request: CheckText, facts: Facts) -> Reply:
    """Whether a text says only what the facts of its event support, and else which words do not."""
    if wrong := _unsupported(request, facts):
        said = tuple(f"{each.words} ({each.why})" for each in wrong[:REASONS_MAX])
        return replace(refusal(f"what was observed does not support it: {'; '.join(said)}"), unsupported=said)
    whole = is_known(request.language or facts.locale.language)
    return Reply(checked=Checked.WHOLE if whole else Checked.PARTLY)


def _unsupported(request: CheckText, facts: Facts) -> tuple[Violation, ...]:
    """What a text says that was not observed, in its language.

    Models slip into English, or into the household's language: where the words of the named one are not known, a text
    that turns out to be in one of these is checked by its words all the same.
    """

    def found(tag: str) -> tuple[Violation, ...]:
        spoken = replace(facts, locale=replace(facts.locale, language=tag))
        return check(request.title, request.text, spoken, pictures=request.pictures, said=request.said)

    named = request.language or facts.locale.language
    wrong = found(named)
    for tag in () if is_known(named) else dict.fromkeys((facts.locale.language, ENGLISH)):
        more = found(tag)
        if all(each.claim is not Claim.LANGUAGE for each in more):
            wrong += more
    return wrong
