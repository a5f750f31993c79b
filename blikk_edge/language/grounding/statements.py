"""What each clause of a text states: who did what, when and how long, held against who was there then.

Times, lengths and counts may each be true and still belong to something else: `A car came at 08:20`, when the doorbell
rang. So a text is divided into clauses with one predicate each, by the `statements.toml` of its language, and what a
clause says must be so of those that it speaks of. A clause that names nobody is about whom the one before it in its
sentence is about, a sentence about anybody named before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from blikk_edge.core.sightings import Label
from blikk_edge.language.facts import MAX_STAYS, Facts, Stay
from blikk_edge.language.grounding.claimed import ring_times
from blikk_edge.language.grounding.claims import Claim, Violation
from blikk_edge.language.grounding.clauses import Did, Role, Statement, grammar_of
from blikk_edge.language.grounding.clocks import ClaimedTime
from blikk_edge.language.grounding.counts import is_of
from blikk_edge.language.grounding.lengths import Length
from blikk_edge.language.grounding.lexicon import Lexicon
from blikk_edge.language.grounding.tokens import Token, tokens_of

_DAY_S: Final = 86400.0
_RESTING: Final = frozenset({Did.SEEN, Did.STAYED, Did.STILL, Did.PARKED})
_TOGETHER_S: Final = 60.0
"""What is so far apart may still be said to have been when the other was."""


def unborne(text: str, facts: Facts, lexicon: Lexicon) -> Iterator[Violation]:
    """What the clauses of a prepared text, which has its times yet, say of those whom they are about, and what is not
    so of them.
    """
    grammar = grammar_of(lexicon)
    reading = _Reading(facts, lexicon)
    named: tuple[Token, ...] = ()
    for sentence in grammar.sentences(text):
        before: Statement | None = None
        who = named
        for clause in sentence:
            statement = grammar.statement(clause, who, before, facts)
            parcel = statement.named and all(one.labels == (Label.PACKAGE,) for one in statement.who)
            who = (*who, *statement.who) if parcel else statement.who
            named += statement.who if statement.named else ()
            yield from reading.wrong(statement)
            if before is not None:
                yield from reading.disordered(*grammar.order(before, statement))
                yield from reading.already(before, statement)
                if grammar.together(before, statement):
                    yield from reading.apart(before, statement)
                yield from reading.beyond(before, statement)
                yield from reading.lingering(before, statement)
            before = statement


class _Reading:
    """Statements held against the facts."""

    def __init__(self, facts: Facts, lexicon: Lexicon) -> None:
        self._facts = facts
        self._lexicon = lexicon
        self._grammar = grammar_of(lexicon)

    def wrong(self, said: Statement) -> Iterator[Violation]:
        """What of one statement is not so."""
        stays = self._stays(said)
        if said.denied:
            yield from self._denied(said, stays)
            return
        if said.who and not stays and Did.RANG not in said.did:
            return
        yield from self._states(said, stays)
        yield from self._more(said)
        unborne = [clock for role, clock in said.times if not self._was(said, role, clock, stays)]
        unborne += [clock for clock in self._unspanned(said, stays) if clock not in unborne]
        for clock in unborne:
            yield Violation(Claim.TIME, clock.words, "what is said of them was not then")
        if self._grammar.says("when", said.words) and {Did.RANG, Did.LEFT} <= said.did:  # `the bell rang on leaving`
            yield from self.apart(said, said)
        for length in said.lengths:
            some = stays and said.did != {Did.RANG} and not self._grammar.says("not", said.words)
            if some and not self._lasted(said, length, stays):
                yield Violation(Claim.DURATION, length.words, "it was not so long for them")
        told = not said.did or Did.RANG in said.did or self._is_part(said, stays)
        somebody = said.who or said.did & {Did.CAME, Did.LEFT, Did.STAYED, Did.STILL}
        if said.part is not None and somebody and not unborne and not told:
            yield Violation(Claim.COUNT, said.words, "what one of several did is not known")

    def disordered(self, first: Statement | None = None, then: Statement | None = None) -> Iterator[Violation]:
        """A statement that is said to be later than another one, where no time bears it out."""
        if first is None or then is None or first.denied or then.denied:
            return
        same = {one.base for one in first.who} == {one.base for one in then.who} and Did.RANG not in first.did
        if same and (Did.LEFT in then.did or not then.did & {Did.CAME, Did.RANG, Did.PUT}):
            return
        earlier, later = self._happened(first), self._happened(then)
        if then.did & {Did.STAYED, Did.SEEN, Did.STILL}:
            later += self._ends(then, self._stays(then))
        if earlier and not any(a < b for a in earlier for b in later):
            yield Violation(Claim.TIME, then.words, "that it was later is not known")

    def apart(self, one: Statement, other: Statement) -> Iterator[Violation]:
        """A ring that is said to have been as somebody came or left, and was not."""
        rang, moved = (one, other) if Did.RANG in one.did else (other, one)
        did = moved.did & {Did.CAME, Did.LEFT} or moved.did
        if Did.RANG not in rang.did or not did <= {Did.CAME, Did.LEFT} or rang.denied or moved.denied:
            return
        times = self._happened(replace(moved, did=did))
        if times and not any(abs(ring - time) <= _TOGETHER_S for ring in self._facts.rings for time in times):
            yield Violation(Claim.TIME, moved.words, "it did not ring then")

    def beyond(self, first: Statement, then: Statement) -> Iterator[Violation]:
        """One more of those of whom all were named."""
        stays = self._stays(first)
        more = then.part is not None and self._grammar.says("more", then.words)
        same = {one.base for one in first.who} & {one.base for one in then.who}
        if more and same and stays and first.named and not self._unsure(first) and self._many(first) >= len(stays):
            yield Violation(Claim.COUNT, then.words, "no more of them were there")

    def lingering(self, first: Statement, then: Statement) -> Iterator[Violation]:
        """Somebody who put something down and is said to be there yet, and is not."""
        if Did.PUT not in first.did or Did.STILL not in then.did or then.named or self._grammar.says("it", then.words):
            return
        who = tuple(one for one in first.who if one.labels != (Label.PACKAGE,))
        stays = self._stays(replace(then, who=who)) if who else []
        if stays and all(self._is_over(stay) and not stay.still for stay in stays):
            yield Violation(Claim.STATE, then.words, "it is over")

    def already(self, first: Statement, then: Statement) -> Iterator[Violation]:
        """Somebody who is said to have been there already when another came, and was not."""
        for one, other in ((first, then), (then, first)):
            if not self._grammar.says("already", one.words) or not one.named or one.who == other.who or other.denied:
                continue
            since = [stay.since for stay in self._stays(one)]
            if not any(a < b for a in since for b in self._happened(other)):
                yield Violation(Claim.TIME, one.words, "that it was earlier is not known")

    def _denied(self, said: Statement, stays: Sequence[Stay]) -> Iterator[Violation]:
        """What is said not to have been, and was."""
        facts = self._facts
        if not stays or said.times:
            return
        resting = [self._rests(stay) for stay in stays]
        over = facts.ended and not any(resting) and not any(stay.still for stay in stays)
        if over and said.did == {Did.LEFT} and not said.lengths:
            yield Violation(Claim.STATE, said.words, "it is over")
        if said.did == {Did.PARKED} and facts.parked and any(stay.label is Label.VEHICLE for stay in stays):
            yield Violation(Claim.STATE, said.words, "it parked")
        there = said.did and said.did <= {Did.SEEN, Did.STILL} and self._grammar.says("now", said.words)
        if there and all(resting):
            yield Violation(Claim.STATE, said.words, "it is still there")

    def _states(self, said: Statement, stays: Sequence[Stay]) -> Iterator[Violation]:
        """What is over or goes on, whenever it was."""
        facts = self._facts
        parcels = any(stay.label is Label.PACKAGE for stay in stays)
        ended = [stay for stay in stays if self._is_over(stay)]
        if Did.STILL in said.did and stays and all(self._is_over(stay) and not stay.still for stay in stays):
            yield Violation(Claim.STATE, said.words, "it is over")
        if Did.TAKEN in said.did and parcels and not facts.taken:
            yield Violation(Claim.STATE, said.words, "it was not taken")
        alone = said.did == {Did.LEFT}
        if alone and stays and not parcels and not ended and not facts.drove_off and not self._unsure(said):
            yield Violation(Claim.STATE, said.words, "it has not left")
        vehicles = [stay for stay in stays if stay.label is Label.VEHICLE]
        moves = facts.drove_off and not facts.parked and not any(stay.still for stay in vehicles)
        stays_put = Did.PARKED in said.did or (Did.STAYED in said.did and not said.lengths)
        if stays_put and vehicles and moves and Did.LEFT not in said.did:
            yield Violation(Claim.STATE, said.words, "it drove off")

    def _more(self, said: Statement) -> Iterator[Violation]:
        """One who is said to have been alone, where more were there at that time."""
        one = self._grammar.alone(said.words)
        if one is None or not said.did <= {Did.SEEN, Did.CAME, Did.STAYED}:
            return
        clocks = [clock for role, clock in said.times if role is Role.AT]
        there = [stay for stay in self._facts.stays if _is(stay, one) and all(self._held(at, [stay]) for at in clocks)]
        if len(there) > 1:
            yield Violation(Claim.COUNT, said.words, "more than one was there")

    def _was(self, said: Statement, role: Role, clock: ClaimedTime, stays: Sequence[Stay]) -> bool:
        """Whether what is said was at, from or until this time, of as many as are said."""
        facts = self._facts
        if not said.did and role is Role.AT:
            return self._held(clock, stays) or any(self._fits(clock, time) for time in facts.times)
        gone = facts.ended and stays and all(self._is_over(stay) for stay in stays)
        if gone and (self._is_now(said, role) or self._outstays(said, clock, stays)):
            return False
        whole = role in {Role.FROM, Role.SINCE, Role.UNTIL} and self._is_whole(said, clock)
        if whole or (gone and role is Role.SINCE):
            return whole
        times = self._times_of(said, role, stays)
        if role in {Role.AT, Role.SINCE} and said.did & {Did.SEEN, Did.STAYED, Did.STILL, Did.PARKED, Did.ENTERED}:
            return self._held(clock, stays) or any(self._fits(clock, time) for time in times)
        if (
            self._is_event(said)
            and said.who
            and any(self._fits(clock, time) for time in self._event_times(said, times))
        ):
            return True
        fitting = [time for time in times if self._fits(clock, time)]
        return len(fitting) >= min(self._many(said), max(1, len(stays))) if fitting else False

    def _is_now(self, said: Statement, role: Role) -> bool:
        """Whether it says that somebody is there since a time, and not for how long."""
        since = role is Role.SINCE or (role is Role.FROM and all(other is not Role.UNTIL for other, _ in said.times))
        return since and not said.lengths and said.did <= _RESTING and self._grammar.says("now", said.words)

    def _outstays(self, said: Statement, clock: ClaimedTime, stays: Sequence[Stay]) -> bool:
        """Whether it says that somebody was there after a time at which all of them were gone."""
        ends = [(self._second_of_day(stay.until) - clock.at_s) % _DAY_S for stay in stays]
        return clock.later and said.did <= _RESTING and not any(0 < end < _DAY_S / 2 for end in ends)

    def _event_times(self, said: Statement, times: Sequence[float]) -> list[float]:
        """Those of the event itself among these, at which all of them came or went for the camera."""
        return [time for time in (self._facts.since, self._facts.until) if time in times and said.named]

    def _times_of(self, said: Statement, role: Role, stays: Sequence[Stay]) -> list[float]:
        """When what is said was: each beginning and end, and each ring, of those that it is about."""
        facts, did = self._facts, said.did
        begins = self._begins(said, stays)
        if role is not Role.AT:
            return self._ends(said, [s for s in stays if not self._rests(s)]) if role is Role.UNTIL else begins
        times: list[float] = []
        if Did.RANG in did:
            times += ring_times(facts)
        if did & {Did.CAME, Did.PARKED, Did.ENTERED, Did.STAYED, Did.SEEN, Did.STILL}:
            times += begins
        if did & {Did.LEFT, Did.TAKEN}:
            times += self._ends(said, [stay for stay in stays if self._is_over(stay)], over=True)
        if Did.LEFT in did and facts.drove_off:
            times += self._begins(said, [stay for stay in stays if stay.label is Label.VEHICLE])
        parcels = [stay for stay in facts.stays if stay.label is Label.PACKAGE]
        if Did.PUT in did:
            times += self._begins(said, parcels or stays)
        if did & {Did.PUT, Did.ENTERED}:
            times += facts.moments
        return times

    def _begins(self, said: Statement, stays: Sequence[Stay]) -> list[float]:
        extra = [self._facts.since] if self._is_event(said) else []
        return [*(stay.since for stay in stays), *extra, *self._unsure_times(said)]

    def _ends(self, said: Statement, stays: Sequence[Stay], *, over: bool = False) -> list[float]:
        """When they were last seen; with `over` only where they are gone."""
        facts = self._facts
        extra = [facts.until] if self._is_event(said) and (stays or not over) else []
        return [*(stay.until for stay in stays), *extra, *self._unsure_times(said)]

    def _unspanned(self, said: Statement, stays: Sequence[Stay]) -> Iterator[ClaimedTime]:
        """The end of each `from ... until ...` that no one stay has both of."""
        for (role, first), (until, last) in pairwise(said.times):
            if (role, until) != (Role.FROM, Role.UNTIL) or not stays or self._unsure(said):
                continue
            whole = self._is_whole(said, first) and self._is_whole(said, last)
            spans = [(stay.since, stay.until) for stay in stays]
            spans += [(self._facts.since, self._facts.until)] if self._is_event(said) else []
            if not whole and not any(self._fits(first, a) and self._fits(last, b) for a, b in spans):
                yield last

    def _lasted(self, said: Statement, length: Length, stays: Sequence[Stay]) -> bool:
        """Whether some of those that it is about were there so long, or this long after something else."""
        facts = self._facts
        if length.whole or length.long:
            return True
        dwells = [stay.dwell_s for stay in stays]
        if self._grammar.says("most", said.words):
            mine = [] if said.who else [stay.dwell_s for stay in stays if stay.label is facts.about]
            longest = max(mine or dwells)
            return length.fits(longest) or (self._unsure(said) and length.least_s > longest)
        if self._unsure(said):
            return length.gap or any(map(length.fits, facts.durations_s))
        if self._grammar.says("each", said.words):
            return all(map(length.fits, dwells))
        spans = [*dwells, *([facts.duration_s] if self._is_event(said) else [])]
        if length.gap:
            own = [time for stay in stays for time in (stay.since, stay.until)]
            spans += [abs(a - b) for a in own for b in facts.times]
        return any(map(length.fits, spans))

    def _is_part(self, said: Statement, stays: Sequence[Stay]) -> bool:
        """Whether times tell which of several it is about, or one more of them came than was said before."""
        begins = sorted(stay.since for stay in stays)
        if said.part and said.did & {Did.CAME, Did.PARKED} and said.times and len(begins) >= max(2, said.part):
            return self._fits(said.times[0][1], begins[said.part - 1])
        if len(stays) < 2 or self._unsure(said):
            return False
        return bool(said.times or said.lengths)

    def _happened(self, said: Statement) -> list[float]:
        """When what is said may have been: at its own times, where it has some."""
        times = self._times_of(said, Role.AT, self._stays(said))
        clocks = [clock for role, clock in said.times if role is Role.AT]
        own = [time for time in times if any(self._fits(clock, time) for clock in clocks)]
        return own or times

    def _stays(self, said: Statement) -> list[Stay]:
        """Those that a statement may be about; all where nobody was named."""
        stays = self._facts.stays
        if not said.who:
            return list(stays)
        return [stay for stay in stays if any(_is(stay, one) for one in said.who)]

    def _held(self, clock: ClaimedTime, stays: Sequence[Stay]) -> bool:
        """Whether somebody was there at a time: until now where it goes on."""
        if stays and not self._facts.ended and self._fits(clock, self._facts.until):
            return True
        for stay in stays:
            since_s = self._second_of_day(stay.since)
            if (clock.at_s - since_s) % _DAY_S <= stay.dwell_s or self._fits(clock, stay.since):
                return True
            if clock.twice and (clock.at_s + _DAY_S / 2 - since_s) % _DAY_S <= stay.dwell_s:
                return True
        return any(self._fits(clock, stay.until) for stay in stays)

    def _is_whole(self, said: Statement, clock: ClaimedTime) -> bool:
        """Whether a time is that of a whole period, in which something was: not one of a stay."""
        facts = self._facts
        period = facts.camera is None or facts.about is None
        stayed = said.did & {Did.STAYED, Did.PARKED}
        return period and not stayed and any(self._fits(clock, time) for time in (facts.since, facts.until))

    def _is_event(self, said: Statement) -> bool:
        """Whether it is about the thing that the event is about, whose beginning and end are the event's."""
        about = self._facts.about
        return not said.who or (about is not None and any(about in one.labels for one in said.who))

    def _is_over(self, stay: Stay) -> bool:
        facts = self._facts
        return not self._rests(stay) and (facts.ended or stay.until < facts.until)

    def _rests(self, stay: Stay) -> bool:
        """Whether it is known to be there yet: a parcel, or a vehicle that parked."""
        facts = self._facts
        if stay.label is Label.PACKAGE:
            return stay.still and not facts.taken
        vehicles = sum(one.label is Label.VEHICLE for one in facts.stays)
        return stay.label is Label.VEHICLE and facts.parked and (stay.still or vehicles == 1)

    def _unsure(self, said: Statement) -> bool:
        """Whether more of them were there than are known one by one."""
        facts = self._facts
        labels = {label for one in said.who for label in one.labels}
        more = any(facts.seen.get(label, 0) > sum(stay.label is label for stay in facts.stays) for label in labels)
        now = facts.since == facts.until  # of this moment: who came long ago may be seen for the first time
        return more or now or len(facts.stays) >= MAX_STAYS

    def _unsure_times(self, said: Statement) -> tuple[float, ...]:
        return self._facts.moments if self._unsure(said) else ()

    def _many(self, said: Statement) -> int:
        """How many of them are said to have come or gone at one time."""
        if self._grammar.says("last", said.words):  # `five people came, the last at 14:20`
            return 1
        tokens = tokens_of(said.words, self._lexicon)
        for number, one in pairwise(tokens):
            if number.number is not None and one.labels and said.did & {Did.CAME, Did.LEFT}:
                return int(min(number.number, MAX_STAYS))
        return 1

    def _fits(self, clock: ClaimedTime, time: float) -> bool:
        return clock.fits(self._second_of_day(time))

    def _second_of_day(self, time: float) -> int:
        local = self._facts.local(time)
        return local.hour * 3600 + local.minute * 60 + local.second


def _is(stay: Stay, noun: Token) -> bool:
    return stay.label in noun.labels and (not noun.kind or is_of(stay, noun.kind))
