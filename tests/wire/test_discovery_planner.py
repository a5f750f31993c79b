"""A desk, and a broker that echoes what it is reported, keeps what is retained and lets others write too."""

import json
from dataclasses import replace

import pytest
import wire_samples as s
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from blikk_edge.wire.discovery import devices, split
from blikk_edge.wire.discovery_planner import HEAL_S, SETTLE_S, STRANGERS_MAX, DiscoveryPlanner

BIRTH = "homeassistant/status"
CLAIM = s.TOPICS.claim
OURS = devices(s.NODE, s.TOPICS)
PAYLOADS = {d.topic: d.message().payload for d in OURS}
TOPIC = OURS[1].topic
LEFT_BEHIND = "homeassistant/device/blikk_porch-pi/camera_attic/config"


class Home:
    """The desk with its connection and timer; time passes when `wait` is called."""

    def __init__(self, mode="auto", *, node=s.NODE, retained=None):
        self.retained = dict(retained or {})
        self.log = []
        self.timer = None
        self.restated = 0
        self.warnings = []
        self.planner = DiscoveryPlanner(
            devices(node, s.TOPICS), s.TOPICS, mode=mode, prefix="homeassistant", birth_topic=BIRTH
        )
        self.connect()

    def connect(self):
        self.follow(self.planner.connected())
        for topic, payload in list(self.retained.items()):
            self.follow(self.planner.received(topic, payload))
        return self

    def follow(self, advice):
        self.timer = self.timer if advice.again_in_s is None else advice.again_in_s
        self.restated += advice.restate
        self.warnings += [advice.warning] if advice.warning else []
        for message in advice.messages:
            assert message.retain
            assert message.qos == 1
            self.log.append((message.topic, message.payload))
            self.keep(message.topic, message.payload)
        for message in advice.messages:
            self.follow(self.planner.received(message.topic, message.payload))

    def keep(self, topic, payload):
        self.retained.pop(topic, None)
        if payload:
            self.retained[topic] = payload

    def others(self, topic, payload, *, retain=True):
        if retain:
            self.keep(topic, payload)
        self.follow(self.planner.received(topic, payload))
        return self

    def wait(self):
        while self.timer is not None:
            self.timer = None
            self.follow(self.planner.due())
        return self

    @property
    def configs(self):
        return {topic: payload for topic, payload in self.retained.items() if topic.endswith("/config")}

    def quiet(self):
        self.log.clear()
        return self


def test_nothing_is_published_before_the_broker_has_said_what_it_keeps():
    home = Home()

    assert (home.log, home.timer) == ([], SETTLE_S)


@pytest.mark.parametrize("mode", ["auto", "discovery"])
def test_discovery_is_published_once_after_connecting(mode):
    home = Home(mode).wait()

    assert home.log == list(PAYLOADS.items())
    assert home.timer is None


@pytest.mark.parametrize("mode", ["integration", "off"])
def test_other_modes_publish_nothing_and_clear_what_an_earlier_run_left(mode):
    assert Home(mode).wait().log == []
    assert Home(mode, retained=PAYLOADS).wait().configs == {}


def test_reconnecting_to_a_broker_that_kept_all_publishes_nothing():
    home = Home().wait().quiet().connect().wait()

    assert home.log == []


def test_reconnecting_to_a_broker_that_forgot_publishes_all():
    home = Home().wait()
    home.retained.clear()

    assert home.connect().wait().configs == PAYLOADS


def test_birth_of_home_assistant_repeats_discovery_and_asks_for_states():
    home = Home().wait().quiet().others(BIRTH, b"online", retain=False)

    assert home.log == list(PAYLOADS.items())
    assert home.restated == 1


def test_death_of_home_assistant_is_no_birth():
    home = Home().wait().quiet().others(BIRTH, b"offline", retain=False)

    assert (home.log, home.restated) == ([], 0)


def test_emptied_topic_is_healed_after_a_pause():
    home = Home().wait().quiet().others(TOPIC, b"")

    assert (home.log, home.timer) == ([], HEAL_S)
    assert home.wait().log == [(TOPIC, PAYLOADS[TOPIC])]
    assert home.timer is None


def test_topic_emptied_twice_is_healed_once():
    home = Home().wait().quiet().others(TOPIC, b"").others(TOPIC, b"").wait()

    assert home.log == [(TOPIC, PAYLOADS[TOPIC])]


def test_own_echo_starts_no_healing():
    home = Home().wait()

    assert home.timer is None
    assert home.warnings == []


def test_claim_withdraws_everything():
    home = Home().wait().others(CLAIM, b'{"by":"ha","mode":"integration"}').wait()

    assert home.configs == {}


def test_claim_that_vanishes_brings_discovery_back_after_a_pause():
    home = Home().wait().others(CLAIM, b"{}").wait().quiet().others(CLAIM, b"")

    assert (home.log, home.timer) == ([], HEAL_S)
    assert home.wait().configs == PAYLOADS


def test_claim_that_is_there_already_keeps_the_node_quiet():
    home = Home(retained={CLAIM: b"{}"}).wait().others(BIRTH, b"online", retain=False).wait()

    assert home.log == []


def test_claim_that_is_there_already_clears_what_an_earlier_run_left():
    assert Home(retained={**PAYLOADS, CLAIM: b"{}"}).wait().configs == {}


def test_mode_discovery_ignores_a_claim():
    home = Home("discovery").wait().quiet().others(CLAIM, b"{}").wait()

    assert home.log == []


def test_emptied_topic_of_a_claimed_node_stays_empty():
    home = Home().wait().others(CLAIM, b"{}").wait().quiet().others(TOPIC, b"").wait()

    assert home.log == []


def test_device_of_a_camera_that_is_no_more_is_removed():
    home = Home(retained={LEFT_BEHIND: b'{"components":{}}'}).wait()

    assert home.log[0] == (LEFT_BEHIND, b"")
    assert home.configs == PAYLOADS


def test_components_that_are_no_more_get_tombstones_before_the_new_payload():
    smaller = replace(s.NODE, cameras=(replace(s.FRONT, zones=()), s.YARD))

    home = Home(node=smaller, retained=PAYLOADS).wait()

    first, second = [payload for topic, payload in home.log if topic == TOPIC]
    assert b'"zone_porch":{"platform":"sensor"}' in first
    assert b"zone_porch" not in second
    assert home.configs[TOPIC] == second


def test_foreign_payload_on_our_topic_is_a_warning_and_no_fight():
    home = Home().wait().quiet().others(TOPIC, b'{"components":{}}')

    assert (home.log, len(home.warnings)) == ([], 1)


@pytest.mark.parametrize("topic", ["blikk/porch-pi/status", "homeassistant/device/other/x/config", ""])
def test_other_topics_are_passed_over(topic):
    home = Home().wait().quiet().others(topic, b"online").wait()

    assert home.log == []


class Life(RuleBasedStateMachine):
    """Whatever others write and whenever: once it is quiet, the config topics are as they should be."""

    def __init__(self):
        super().__init__()
        self.home = Home()

    @rule(topic=st.sampled_from([*PAYLOADS, LEFT_BEHIND]))
    def somebody_empties(self, topic):
        self.home.others(topic, b"")

    @rule(payload=st.sampled_from([b"", b"{}"]))
    def component_claims(self, payload):
        self.home.others(CLAIM, payload)

    @rule()
    def home_assistant_starts(self):
        self.home.others(BIRTH, b"online", retain=False)

    @rule()
    def connection_breaks(self):
        self.home.connect()

    @rule()
    def old_node_left_something(self):
        self.home.others(LEFT_BEHIND, b'{"components":{"a":{"platform":"sensor"}}}')

    @rule()
    def time_passes(self):
        self.home.wait()

    @invariant()
    def settled_means_right(self):
        if self.home.timer is None:
            assert self.home.configs == ({} if self.home.retained.get(CLAIM) else PAYLOADS)


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestLife = Life.TestCase


def sizes(limit):
    return lambda message: len(message.payload) <= limit


def entities(home):
    """Every component on the broker, by topic."""
    return {topic: set(json.loads(payload)["components"]) for topic, payload in home.configs.items()}


@pytest.mark.parametrize("limit", [1500, 3000, 8000])
def test_payloads_too_large_for_the_broker_are_split(limit):
    home = Home()
    home.planner.limit(sizes(limit))
    home.connect().wait()
    assert all(len(payload) <= limit for payload in home.configs.values())
    found = [key for keys in entities(home).values() for key in keys]
    assert sorted(found) == sorted(key for discovery in OURS for key in discovery.components)
    assert home.planner.left_out == ()
    # what is there already is not published again
    home.quiet().planner.limit(sizes(limit))
    home.connect().wait()
    assert home.log == []


def test_entities_too_large_on_their_own_are_left_out_and_named():
    home = Home()
    home.planner.limit(sizes(300))
    home.connect().wait()
    assert home.configs == {}
    assert home.planner.left_out == tuple(sorted({key for discovery in OURS for key in discovery.components}))


@pytest.mark.parametrize(("before", "after"), [(10**6, 3000), (3000, 10**6), (3000, 1500), (1500, 3000)])
def test_entities_that_move_to_another_topic_are_removed_before_they_come_back(before, after):
    home = Home()
    home.planner.limit(sizes(before))
    home.connect().wait().quiet()
    was = {key: topic for topic, keys in entities(home).items() for key in keys}
    home.planner.limit(sizes(after))
    home.connect().wait()
    now = {key: topic for topic, keys in entities(home).items() for key in keys}
    assert now.keys() == was.keys()
    for key, topic in now.items():
        if topic != was[key]:
            emptied = home.log.index((was[key], b""))
            brought = next(i for i, (t, p) in enumerate(home.log) if t == topic and p and key in p.decode())
            assert emptied < brought
    assert max(len(payload) for payload in home.configs.values()) <= after


def test_a_camera_may_not_be_mistaken_for_a_part():
    topics = [part.topic for discovery in OURS for part in split(discovery, sizes(1500))]
    assert len(topics) == len(set(topics))
    assert all(topic.split("/")[3].startswith(("part", "camera_", "node")) for topic in topics)


def test_what_was_missed_is_published_by_the_next_due():
    home = Home()
    home.wait().quiet()
    home.planner.missed(TOPIC)
    home.follow(home.planner.due())
    assert home.log == [(TOPIC, PAYLOADS[TOPIC])]


def test_strangers_topics_are_remembered_without_their_payloads_and_up_to_a_number():
    home = Home()
    for number in range(STRANGERS_MAX + 200):
        home.others(f"homeassistant/device/blikk_porch-pi/{number}/config", bytes(10_000), retain=False)
    kept = home.planner._on_broker
    assert len(kept) <= STRANGERS_MAX + len(OURS)
    assert sum(len(payload) for payload in kept.values()) < 100_000
