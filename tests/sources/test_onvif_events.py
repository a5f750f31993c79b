"""A camera's own events by ONVIF: what rings, what is a hint, and what cameras get wrong."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from datetime import timedelta

import pytest
from onvif_device import OnvifDevice
from onvif_events import EventService
from patience import PATIENCE

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.commands import Command, Hint, Press
from blikk_edge.core.errors import SourceError
from blikk_edge.sources.address import parse
from blikk_edge.sources.onvif.changes import FORGOTTEN_S, Changes
from blikk_edge.sources.onvif.current_address import CurrentAddress
from blikk_edge.sources.onvif.events import LOCKED_S, PRESSES_AT_ONCE, UNSUPPORTED_S, CameraEvents
from blikk_edge.sources.onvif.soap_xml import BYTES_MAX, DEPTH_MAX, ELEMENTS_MAX, Notice, camera_time, notices, tree
from blikk_edge.sources.onvif.topics import TOPICS, Says, topic_of

RING = Press(camera="porch", via="onvif")
HINT = Hint(camera="porch")
LONG_S = 30.0


class Waits(SystemClock):
    """The clock of this machine; notes each wait, and leaves out the long ones."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.skipped_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.skipped_s

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if seconds > LONG_S:
            self.skipped_s += seconds
            seconds = 0.0
        await super().sleep(seconds)


class Listening:
    """Somebody who listens to a camera, and what it ordered."""

    def __init__(
        self, device: OnvifDevice, *, login: str | None = None, rings: bool = True, wanted: bool = False
    ) -> None:
        self.orders: list[Command] = []
        self.clock = Waits()
        address = device.address if login is None else f"onvif://{login}127.0.0.1:{device.port}"
        self.address = CurrentAddress(parse(address), camera="porch")
        self.events = CameraEvents(
            "porch",
            self.address,
            self.orders.append,
            shown="onvif://cam",
            clock=self.clock,
            rings=rings,
            wanted=wanted,
        )
        self.task = asyncio.ensure_future(self.events.run())
        LISTENING.add(self)

    @property
    def rings(self) -> int:
        return self.orders.count(RING)

    @property
    def hints(self) -> int:
        return self.orders.count(HINT)

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.wait((self.task,))
        LISTENING.discard(self)


Listen = Callable[..., Awaitable[Listening]]


LISTENING: set[Listening] = set()


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(10 * PATIENCE):
        while not fact():
            for each in LISTENING:
                if each.task.done() and not each.task.cancelled():
                    await each.task  # a bug
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
async def ended() -> AsyncIterator[None]:
    """Nobody listens any more when a test has ended."""
    yield
    for each in tuple(LISTENING):
        await each.end()


@pytest.fixture
def listen() -> Listen:
    """Listens to a camera until the test ends; comes back when the camera has been asked for events."""

    async def begin(device: OnvifDevice, **how: object) -> Listening:
        assert device.events is not None
        service, before = device.events, len(device.events.open)
        heard = Listening(device, **how)
        await until(lambda: len(service.open) > before and service.pulls)
        return heard

    return begin


def soap(body: str, head: str = "") -> bytes:
    return f'{head}<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">{body}</s:Envelope>'.encode()


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("tns1:RuleEngine/CellMotionDetector/Motion", Says.MOTION),
        ("tns1:VideoSource/MotionAlarm", Says.MOTION),
        (" tns1:RuleEngine/MyRuleDetector/Visitor ", Says.PRESS),
        ("tns1:RuleEngine/tnsreolink:MyRuleDetector/PeopleDetect", Says.MOTION),
        ("tns1:Device/Trigger/tnshik:AlarmIn", Says.INPUT),
        ("tns1:Device/Trigger/DigitalInput", Says.INPUT),
        ("tns1:Device/tnsaxis:IO/Port", Says.INPUT),
        ("tnsaxis:CameraApplicationPlatform/VMD/Camera1Profile1", Says.MOTION),
        ("tns1:RuleEngine/TPSmartEventDetector/TPSmartEvent", Says.MOTION),
        ("tns1:VideoSource/Alarm", Says.PRESS),
        ("tns1:Monitoring/ProcessorUsage", None),
        ("tns1:Device/Trigger/Relay", None),
        ("", None),
    ],
)
def test_topics_are_known_as_vendors_write_them(written: str, says: Says | None) -> None:
    found = topic_of(written)
    assert (found.says if found else None) is says


def test_no_topic_is_in_the_table_twice() -> None:
    paths = [topic.path for topic in TOPICS]
    assert len(paths) == len(set(paths))


VISITOR = "tns1:RuleEngine/MyRuleDetector/Visitor"
ALARM = "tns1:VideoSource/Alarm"
LINE = "tns1:RuleEngine/LineDetector/Crossed"


@pytest.mark.parametrize(
    ("topic", "said", "begins"),
    [
        (VISITOR, ["Changed true"], 1),
        (VISITOR, ["Initialized true"], 0),
        (VISITOR, ["Initialized true", "Changed true"], 0),
        (VISITOR, ["Initialized false", "Changed true", "Changed true", "Changed 1"], 1),
        (VISITOR, ["Changed true", "Changed false", "Changed true"], 2),
        (VISITOR, ["Changed true", "Deleted true", "Changed true"], 2),
        (VISITOR, ["Changed maybe"], 0),
        (VISITOR, [" true", " true", " false", " true"], 2),
        (VISITOR, [" ", " "], 2),  # neither state nor operation: each message is one
        (ALARM, ["Changed Ring"], 1),
        (ALARM, ["Changed CameraBellButton"], 1),
        (ALARM, ["Changed true"], 0),
        (LINE, ["Initialized 7", "Changed 7", "Changed 0"], 2),
    ],
)
def test_a_state_that_begins_counts_once(topic: str, said: list[str], begins: int) -> None:
    found, changes = topic_of(topic), Changes(SystemClock())
    assert found is not None
    counted = 0
    for each in said:
        operation, _, value = each.partition(" ")
        values = (value.lower(),) if value else ()
        counted += changes.begins(Notice(topic=topic, operation=operation, values=values), found)
    assert counted == begins


def test_a_button_of_which_nobody_says_that_it_was_let_go_rings_again_after_a_while() -> None:
    clock, topic = Waits(), topic_of(VISITOR)
    assert topic is not None
    changes = Changes(clock)
    pressed = Notice(topic=VISITOR, operation="Changed", values=("true",))
    assert changes.begins(pressed, topic)
    for _ in range(3):  # as long as it is repeated it is one press
        clock.skipped_s += FORGOTTEN_S / 2
        assert not changes.begins(pressed, topic)
    clock.skipped_s += FORGOTTEN_S + 1
    assert changes.begins(pressed, topic)


def test_what_is_sent_again_by_a_new_subscription_does_not_count() -> None:
    changes, topic = Changes(SystemClock()), topic_of(VISITOR)
    assert topic is not None
    pressed, let_go = (
        Notice(topic=VISITOR, operation="Changed", values=(value,), at=f"2026-11-30T10:00:0{at}Z")
        for at, value in enumerate(("true", "false"))
    )
    assert changes.begins(pressed, topic)
    assert not changes.begins(let_go, topic)
    assert not changes.begins(pressed, topic, again=True)
    assert not changes.begins(let_go, topic, again=True)
    assert changes.begins(Notice(topic=VISITOR, operation="Changed", values=("true",), at="later"), topic, again=True)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "content",
    [
        soap("<x>&b;</x>", BOMB),
        soap("<x/>", "<!DOCTYPE x>"),
        soap("<x>" * DEPTH_MAX + "</x>" * DEPTH_MAX),
        soap("<x/>" * ELEMENTS_MAX),
        soap("<x>", ""),
        b"<html>It works!</html>",
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        b"\x00\xff" * 10,
        b"",
    ],
)
def test_xml_that_is_no_answer_is_refused(content: bytes) -> None:
    with pytest.raises(SourceError):
        tree(content)


@pytest.mark.parametrize(
    ("year", "shown"), [("2026", True), ("1970", True), ("9999", False), ("9" * 30, False), ("x", False), ("0", False)]
)
def test_clock_of_a_camera_that_shows_no_time_counts_for_none(year: str, shown: bool) -> None:
    rest = "".join(f"<{name}>1</{name}>" for name in ("Month", "Day", "Hour", "Minute", "Second"))
    answer = tree(soap(f"<UTCDateTime><Year>{year}</Year>{rest}</UTCDateTime>"))
    assert (camera_time(answer) is not None) == shown


def test_a_message_without_topic_or_content_is_passed_over() -> None:
    messages = "<NotificationMessage/><NotificationMessage><Topic>t</Topic></NotificationMessage>"
    whole = (
        '<NotificationMessage><Topic>t</Topic><Message><Message UtcTime="now"><Data/></Message></Message>'
        "</NotificationMessage>"
    )
    assert [each.topic for each in notices(tree(soap(messages + whole)))] == ["t"]


async def test_a_press_rings_once_and_motion_is_a_hint(listen: Listen) -> None:
    service = EventService(states={"visitor": "true", "motion": "true"})
    with OnvifDevice([], events=service) as device:
        heard = await listen(device)
        service.say("visitor", "true")  # a repeat of what it was at first
        service.say("visitor", "false")
        service.say("motion", "false")
        service.say("visitor", "true")
        service.say("visitor", "true")
        service.say("visitor", "false")
        service.say("motion", "true")
        await until(lambda: heard.hints == 2)
        assert heard.orders == [RING, HINT, HINT]
        await heard.end()
        assert service.ended == [1]


async def test_a_contact_rings_where_the_camera_has_no_button_of_its_own(listen: Listen) -> None:
    with OnvifDevice([], events=EventService()) as device, OnvifDevice([], events=EventService()) as bell:
        assert device.events is not None
        assert bell.events is not None
        bell.events.states["visitor"] = "false"
        wired, own, silent = await listen(device), await listen(bell), await listen(device, rings=False)
        for service in (device.events, bell.events):
            service.say("input", "true")
        await until(lambda: wired.hints and own.hints and silent.hints)
        assert (wired.rings, own.rings, silent.rings) == (1, 0, 0)


@pytest.mark.parametrize(
    "device",
    [
        OnvifDevice([], events=EventService(at="172.17.0.2:8080")),
        OnvifDevice([], events=EventService(), events_elsewhere=True),
        OnvifDevice([], events=EventService(marked=True)),
        OnvifDevice([], events=EventService(longest_poll_s=5.0)),
        OnvifDevice([], events=EventService(), unknown=("GetServices",)),
        OnvifDevice([], user="admin", password="p<>&", clock=timedelta(hours=7), events=EventService(marked=True)),
        OnvifDevice([], user="admin", password="x", clock=timedelta(days=-400), events=EventService(lease_s=3.0)),
    ],
    ids=[
        "behind a router",
        "at another port",
        "reference parameters",
        "short polls",
        "old",
        "clock ahead",
        "clock behind",
    ],
)
async def test_a_press_is_heard_from_cameras_that_are_odd(device: OnvifDevice, listen: Listen) -> None:
    with device:
        assert device.events is not None
        login = "admin:p%3C%3E%26@" if "<" in device.password else None
        heard = await listen(device, login=login)
        await until(lambda: device.events.open)
        device.events.say("visitor", "true")
        await until(lambda: heard.rings == 1)
        assert heard.events.problem is None


async def test_a_subscription_is_kept_in_the_way_that_the_camera_takes(listen: Listen) -> None:
    services = [EventService(lease_s=5.0, renews=ways) for ways in (("relative",), ("absolute",), ())]
    services.append(EventService(lease_s=5.0, renews=("absolute",), clock=timedelta(hours=-9)))
    with ExitStack() as stack:
        heard = [
            await listen(stack.enter_context(OnvifDevice([], events=service, clock=service.clock)))
            for service in services
        ]
        await until(lambda: all(service.renewed for service in services if service.renews))
        assert [service.renewed[0] for service in services if service.renews] == ["relative", "absolute", "absolute"]
        await until(lambda: 1 in services[2].ended)  # it was replaced before it was gone
        for service in services:
            service.say("visitor", "true")
        await until(lambda: all(each.rings == 1 for each in heard))


async def test_a_camera_that_starts_anew_is_heard_again_without_a_word(
    listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    service = EventService()
    with OnvifDevice([], events=service) as device:
        heard = await listen(device)
        caplog.set_level(logging.INFO, "blikk.onvif")
        await until(lambda: service.pulls == 2)
        service.restart()
        await until(lambda: service.open == (2,))
        service.say("visitor", "true")
        await until(lambda: heard.rings == 1)
    assert "not heard" not in caplog.text


async def test_subscriptions_that_break_again_and_again_are_said_once(
    listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "blikk.onvif")
    service = EventService()
    with OnvifDevice([], events=service) as device:
        heard = await listen(device)
        while heard.events.problem is None:
            await until(lambda: service.open and service.pulls)
            service.restart()
            await until(lambda: service.open or heard.events.problem)
        before = service.made
        await until(lambda: service.made == before + 1)
        service.restart()
        await until(lambda: service.made == before + 2)
    assert caplog.text.count("are not heard") == 1
    assert "heard again" not in caplog.text


async def test_a_camera_that_is_away_is_said_once_and_once_that_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "blikk.onvif")
    device = OnvifDevice([], events=EventService())
    with device:
        pass  # its port is free again
    heard = Listening(device)
    await until(lambda: len(heard.clock.waits) >= 2)
    assert "nobody answers" in (heard.events.problem or "")
    with device:
        await until(lambda: heard.events.problem is None)
        await heard.end()
    said = [record.getMessage() for record in caplog.records]
    assert [line.startswith("porch: its own events are not heard from onvif://cam") for line in said].count(True) == 1
    assert said[-1] == "porch: its own events are heard again"


async def test_a_wrong_password_is_said_without_it_and_not_tried_again_soon(caplog: pytest.LogCaptureFixture) -> None:
    for login, words in (("admin:wrong-one@", "user or password is wrong"), ("", "asks for a user")):
        with OnvifDevice([], user="admin", password="secret", events=EventService()) as device:
            heard = Listening(device, login=login)
            await until(lambda: device.asked.count("GetServices") > 1)
            tries = device.asked.count("GetServices")
            assert heard.clock.skipped_s > (tries - 1) * (LOCKED_S - LONG_S)
            assert words in (heard.events.problem or "")
            await heard.end()
    assert "wrong-one" not in caplog.text


async def test_a_camera_without_events_is_no_problem_unless_they_are_wanted(caplog: pytest.LogCaptureFixture) -> None:
    for wanted in (False, True):
        with OnvifDevice([]) as device:
            heard = Listening(device, wanted=wanted)
            await until(lambda: device.asked.count("GetServices") > 1)
            tries = device.asked.count("GetServices")
            assert heard.clock.skipped_s > (tries - 1) * (UNSUPPORTED_S - LONG_S)
            assert bool(heard.events.problem) is wanted
            await heard.end()
    assert "no service of events; it is watched all the same, and `onvif: false` asks for none" in caplog.text


async def test_a_camera_that_answers_empty_at_once_is_asked_once_a_second(listen: Listen) -> None:
    service = EventService(polls=False)
    with OnvifDevice([], events=service) as device:
        heard = await listen(device)
        await until(lambda: service.pulls >= 3)
        assert min(heard.clock.waits[:2]) > 0.5
        service.say("visitor", "true")
        await until(lambda: heard.rings == 1)


@pytest.mark.parametrize("answer", ["<x>" * 100 + "</x>" * 100, "<x>" + "a" * BYTES_MAX + "</x>"])
async def test_an_attack_in_place_of_events_ends_that_subscription_alone(answer: str) -> None:
    service = EventService(answer_pull=answer)
    with OnvifDevice([], events=service) as device:
        heard = Listening(device)
        await until(lambda: heard.events.problem)
        assert "too large" in (heard.events.problem or "") or "more than" in (heard.events.problem or "")
        service.answer_pull = ""
        await until(lambda: heard.events.problem is None)
        await heard.end()


async def test_events_follow_a_camera_to_another_address_and_take_none_of_another(listen: Listen) -> None:
    mine, other = EventService(), EventService()
    with OnvifDevice([], events=mine) as camera, OnvifDevice([], events=other) as stranger:
        heard = await listen(camera)
        there = parse(stranger.address)
        heard.address.found(there, camera.endpoint)
        mine.say("visitor", "true")
        await until(lambda: "another device answers" in (heard.events.problem or ""))
        assert (mine.open, other.open) == ((), ())
        heard.address.found(parse(camera.address), camera.endpoint)
        await until(lambda: mine.open and heard.events.problem is None)


async def test_redirects_are_not_followed() -> None:
    with OnvifDevice([], events=EventService(), redirects=True) as device:
        heard = Listening(device)
        await until(lambda: heard.events.problem)
        assert "redirects to another address" in (heard.events.problem or "")
        await heard.end()


async def test_a_flood_of_presses_and_motion_is_passed_over(listen: Listen) -> None:
    service = EventService()
    with OnvifDevice([], events=service) as device:
        heard = await listen(device)
        for _ in range(40):
            for name in ("visitor", "motion"):
                service.say(name, "true")
                service.say(name, "false")
        await until(lambda: heard.rings >= PRESSES_AT_ONCE)
        assert heard.rings < 20
        assert heard.hints < 40
