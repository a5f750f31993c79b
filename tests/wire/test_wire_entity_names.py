"""Names of entities in plain discovery: in the language of the node, as the component has them; ids in English."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import wire_samples as s

from blikk_edge.language.language import tags
from blikk_edge.wire.discovery import devices
from blikk_edge.wire.entity_names import ZONE, name_in, names

COMPONENT = Path(__file__).parents[2] / "custom_components" / "blikk" / "translations"
OTHERS = [tag for tag in tags() if tag != "en"]


def components(tag):
    found = devices(replace(s.NODE, language=tag), s.TOPICS)
    return {(each.topic, key): part for each in found for key, part in each.payload["components"].items()}


def ours(tag):
    """The component's names by platform and key, and what it calls the ways of making summaries."""
    content = json.loads((COMPONENT / f"{tag}.json").read_text())["entity"]
    modes = content["select"]["summaries"]["state"]
    return {("mode", mode): word for mode, word in modes.items()} | {
        (platform, key): entity["name"]
        for platform, entities in content.items()
        for key, entity in entities.items()
        if "name" in entity
    }


@pytest.mark.parametrize("tag", OTHERS)
def test_everything_is_named_and_nothing_but_what_says_the_language_is_changed(tag):
    english, translated = components("en"), components(tag)
    for key, part in english.items():
        same = json.loads(json.dumps(translated[key]).replace(rf"\"{tag}\"", r"\"en\""))  # a string of a template
        in_words = {"name", "options", "command_template", "value_template"} if key[1] == "summaries" else {"name"}
        assert {**same, **dict.fromkeys(in_words)} == {**part, **dict.fromkeys(in_words)}
        assert not (key[1] == "summaries" and set(translated[key]["options"]) & set(part["options"]))
        own = part["name"] is None or key[1].startswith(("question_", "measure_"))
        wanted = part["name"] if own else name_in(tag, part["name"])
        assert translated[key]["name"] == wanted
        assert own or part["name"] in names(tag) or any(part["name"].endswith(n.removeprefix(ZONE)) for n in names(tag))


@pytest.mark.parametrize("tag", ["en", *OTHERS])
def test_no_two_entities_of_a_device_have_the_same_name(tag):
    for device in {topic for topic, _ in components(tag)}:
        names = [part["name"] for (topic, _), part in components(tag).items() if topic == device]
        assert sorted(names, key=str) == sorted(set(names), key=str)


@pytest.mark.parametrize("tag", [tag for tag in OTHERS if (COMPONENT / f"{tag}.json").exists()])
def test_the_names_are_those_of_the_component(tag):
    english, other = ours("en"), ours(tag)
    wanted = {name: other[key] for key, name in english.items()}
    same = names(tag).keys() & wanted.keys()
    assert len(same) > 35
    assert {name: names(tag)[name] for name in same} == {name: wanted[name] for name in same}


def test_a_zone_keeps_its_name_and_so_does_a_question():
    assert name_in("de", "Porch count") == "Anzahl in Porch"
    assert name_in("fr", "Porch: person") == "Porch : personne"
    question = replace(s.NODE.cameras[0].questions[0], text="Dog count")
    camera = replace(s.NODE.cameras[0], questions=(question,))
    (_, front) = devices(replace(s.NODE, cameras=(camera,), language="de"), s.TOPICS)
    assert front.payload["components"][f"question_{question.id}"]["name"] == "Dog count"


def test_a_language_without_names_is_english():
    assert (names("en"), names("sv"), name_in("sv", "Motion")) == ({}, {}, "Motion")
