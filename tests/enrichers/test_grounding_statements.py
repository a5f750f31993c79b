"""What a clause states is so of those whom it is about, when it says."""

import pytest
from test_grounding_claims import bench
from test_languages import TAGS

from blikk_edge.language.grounding import Claim, check
from blikk_edge.language.grounding.clauses import Did
from blikk_edge.language.language import content_of

SETS = bench()
CASES = {tag: SETS.cases(SETS._texts(tag)["names"], tag) for tag in TAGS}


def claims(tag, case, text):
    return {violation.claim for violation in check("", text, CASES[tag][case])}


@pytest.mark.parametrize(
    ("tag", "case", "text", "claim"),
    [
        ("en", "hour", "A car came at 08:20 and stayed for 30 seconds.", Claim.TIME),  # when it rang
        ("en", "visit", "A person came at 12:00:42 and stayed.", Claim.TIME),  # when it left
        ("de", "hour", "Ein Auto kam, blieb 2 Minuten und fuhr wieder weg.", Claim.DURATION),  # as people did
        ("de", "hour", "Es klingelte um 08:00 und um 08:20.", Claim.TIME),
        ("de", "dog", "Ein Hund kam um 18:20 und blieb bis 18:25 im Garten.", Claim.TIME),
        ("es", "hour", "Un coche llegó a las 08:00 y se marchó a las 08:20.", Claim.TIME),
        ("es", "courier", "Una persona se quedó de 11:30:20 a 11:31:10.", Claim.TIME),  # as the parcel
        ("fr", "hour", "Une voiture est restée jusqu'à 09:00.", Claim.TIME),
        ("it", "long", "Una persona è arrivata alle 22:21 ed è rimasta.", Claim.TIME),
        ("nl", "courier", "Een persoon kwam om 11:30:20.", Claim.TIME),
    ],
)
def test_a_time_or_length_is_of_those_who_are_named(tag, case, text, claim):
    assert claim in claims(tag, case, text)


@pytest.mark.parametrize(
    ("tag", "case", "text"),
    [
        ("en", "parcel", "A package was put down at 10:15 and was taken at 10:15:30."),
        ("en", "dog", "A dog came at 18:20 and is there."),
        ("es", "leaves", "Un coche está aparcado desde las 07:15."),
        ("fr", "dog", "Un chien a été vu à 18:20 et il y est toujours."),
        ("it", "visit", "Una persona è arrivata alle 12:00 e non è andata via."),
        ("nl", "car", "Een auto reed om 09:30 weg van de oprit."),
    ],
)
def test_what_is_over_does_not_go_on_and_what_goes_on_is_not_over(tag, case, text):
    assert claims(tag, case, text) & {Claim.STATE, Claim.TIME}


@pytest.mark.parametrize(
    ("tag", "case", "text"),
    [
        ("en", "cats", "Two cats were in the yard, and one cat stayed."),
        ("de", "cats", "Eine der Katzen ging wieder."),
        ("es", "pair", "Una de las personas se fue."),
        ("fr", "pair", "Une personne est repartie à 14:08 et l'autre est restée."),
        ("it", "hour", "Due delle tre visite di persone sono state dopo le 08:20."),
        ("nl", "pair", "Eén van de twee personen bleef."),
    ],
)
def test_what_one_of_several_did_has_to_be_known(tag, case, text):
    assert Claim.COUNT in claims(tag, case, text)


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("en", "A person left, and then a package was put down."),
        ("en", "A person left before a package was put down."),
        ("de", "Eine Person ging, danach wurde ein Paket abgestellt."),
        ("es", "Una persona se fue y después fue dejado un paquete."),
        ("fr", "Un colis était déjà là et une personne est arrivée."),
        ("it", "Una persona è andata via, poi un pacco è stato lasciato."),
        ("nl", "Een persoon vertrok en daarna werd een pakket neergezet."),
    ],
)
def test_an_order_is_said_only_where_times_bear_it_out(tag, text):
    assert Claim.TIME in claims(tag, "courier", text)


@pytest.mark.parametrize(
    ("tag", "case", "text"),
    [
        ("en", "hour", "The doorbell rang at 08:20, and then a car came at 08:40."),
        ("en", "courier", "A person came and a package was put down. The person left 40 seconds after arriving."),
        ("en", "pair", "Two people came at 14:05, rang and left after 3 minutes."),
        ("de", "hour", "Von 08:00 bis 09:00 kamen dreimal Personen, um 08:40 kam ein Auto."),
        ("de", "quiet", "Zwischen 2 und 3 Uhr nachts wurde zu Hause niemand gesehen."),
        ("es", "long", "Una persona llegó a las 22:10 y no se fue hasta las 22:21."),
        ("fr", "quiet", "Entre 2 h et 3 h, personne n'a été vu à la maison."),
        ("it", "long", "Lunga sosta alla porta d'ingresso dalle 22:10 alle 22:21."),
        ("nl", "cats", "Twee katten kwamen om 21:40 en vertrokken om 21:42."),
    ],
)
def test_what_was_so_may_be_said(tag, case, text):
    assert claims(tag, case, text) == set()


@pytest.mark.parametrize("tag", TAGS)
def test_a_language_has_words_for_each_predicate(tag):
    content, english = content_of(tag, "statements"), content_of("en", "statements")
    assert content["predicates"].keys() == {str(did) for did in Did}
    assert content["clauses"].keys() == english["clauses"].keys()
    assert content["times"].keys() == english["times"].keys()
