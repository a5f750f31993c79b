"""What is done with each message of a node: decoded by the reader, kept at the node, passed on to who listens."""

import logging
from collections.abc import Callable, Iterator
from functools import partial

from homeassistant.components.mqtt import ReceiveMessage
from homeassistant.core import callback
from homeassistant.util import dt as dt_util

from . import issues, reader
from .contract import ContractError, ProtocolError
from .node import BlikkNode
from .state import Changed, Picture

_LOGGER = logging.getLogger(__name__)
_MAX_COMPLAINTS = 200

type Hear = Callable[[BlikkNode, str, str, bytes, bool], None]
"""Node, camera (empty for the node's own), last word of the topic, payload, retained."""


def subscriptions_of(node: BlikkNode) -> Iterator[tuple[str, Callable[[ReceiveMessage], None]]]:
    """Topic filters of a node, and who takes them. What is wrong with a topic is logged once until it is right."""
    complaints: set[str] = set()
    for words, hear in {**_NODE_TOPICS, **_CAMERA_TOPICS}.items():
        yield node.topics.of(*words), partial(_hear, node, hear, words in _CAMERA_TOPICS, complaints)


@callback
def _hear(node: BlikkNode, hear: Hear, of_camera: bool, complaints: set[str], message: ReceiveMessage) -> None:
    words = message.topic.removeprefix(node.topics.base + "/").split("/")
    camera = words[0] if of_camera else ""
    if of_camera and node.announce.camera(camera) is None:
        return  # not announced, or no more
    try:
        hear(node, camera, words[-1], reader.as_bytes(message.payload), message.retain)
    except ContractError as error:
        if message.topic not in complaints and len(complaints) < _MAX_COMPLAINTS:
            complaints.add(message.topic)
            _LOGGER.warning("%s: %s", message.topic, error)
    else:
        if message.topic in complaints:
            complaints.discard(message.topic)
            _LOGGER.info("%s can be read again", message.topic)


@callback
def _status(node: BlikkNode, _camera: str, _word: str, payload: bytes, _retain: bool) -> None:
    online = reader.read_status(payload)
    if online is not node.online and (node.online is not None or not online):
        _LOGGER.info("%s is %s", node.announce.name, "online again" if online else "offline")
    node.online = online
    node.update_all_listeners(Changed.STATUS)


@callback
def _announce(node: BlikkNode, _camera: str, _word: str, payload: bytes, _retain: bool) -> None:
    if not payload:
        return  # the node left the broker; what it had stays until the user removes it
    try:
        announce = reader.read_announce(payload)
    except ProtocolError as error:
        issues.raise_protocol(node.hass, node.entry, error.protocol)
        raise
    if announce.id != node.id:
        raise ContractError("it names another node")
    issues.clear_protocol(node.hass, node.entry)
    if announce == node.announce:
        return
    if announce.left_out:
        names = ", ".join(map(repr, announce.left_out))
        _LOGGER.warning("%s: these cameras cannot be addressed: %s", announce.name, names)
    node.introduce(announce)


@callback
def _health(node: BlikkNode, _camera: str, _word: str, payload: bytes, _retain: bool) -> None:
    node.health = reader.read_health(payload)
    issues.judge_llm(node.hass, node.entry, node.health.llm)
    node.update_listeners(None, Changed.HEALTH)


@callback
def _node_digest(node: BlikkNode, _camera: str, _word: str, payload: bytes, _retain: bool) -> None:
    node.digest = reader.read_summary(payload) if payload else None
    node.update_listeners(None, Changed.DIGEST)


@callback
def _reply(node: BlikkNode, _camera: str, _word: str, payload: bytes, retain: bool) -> None:
    if not retain:
        node.answered(reader.read_reply(payload))


@callback
def _camera_status(node: BlikkNode, camera: str, _word: str, payload: bytes, _retain: bool) -> None:
    online, now = reader.read_status(payload), node.camera(camera)
    if online is not now.online and (now.online is not None or not online):
        _LOGGER.info("%s: camera %s is %s", node.announce.name, camera, "online again" if online else "offline")
    now.online = online
    node.update_listeners(camera, Changed.STATUS)


@callback
def _state(node: BlikkNode, camera: str, _word: str, payload: bytes, _retain: bool) -> None:
    node.camera(camera).state = reader.read_state(payload)
    node.update_listeners(camera, Changed.STATE)


@callback
def _event(node: BlikkNode, camera: str, _word: str, payload: bytes, retain: bool) -> None:
    event = reader.read_event(payload)
    if retain or node.is_repeated(camera, event.id, event.revision):
        return
    node.camera(camera).event = event
    node.update_listeners(camera, Changed.EVENT)


@callback
def _ring(node: BlikkNode, camera: str, _word: str, payload: bytes, retain: bool) -> None:
    ring = reader.read_ring(payload)
    if not retain:
        node.take_ring(camera, ring)


@callback
def _observation(node: BlikkNode, camera: str, _word: str, payload: bytes, retain: bool) -> None:
    alert = reader.read_alert(payload)
    if alert is None or retain or node.is_repeated(camera, alert.id, 0):
        return
    node.camera(camera).alert = alert
    node.update_listeners(camera, Changed.ALERT)


@callback
def _summary(node: BlikkNode, camera: str, _word: str, payload: bytes, _retain: bool) -> None:
    node.set_summary(camera, reader.read_summary(payload) if payload else None)


@callback
def _digest(node: BlikkNode, camera: str, _word: str, payload: bytes, _retain: bool) -> None:
    node.camera(camera).digest = reader.read_summary(payload) if payload else None
    node.update_listeners(camera, Changed.DIGEST)


@callback
def _answer(node: BlikkNode, camera: str, question: str, payload: bytes, _retain: bool) -> None:
    answers = node.camera(camera).answers
    if not payload:
        answers.pop(question, None)
    elif question in answers or len(answers) < reader.MAX_ITEMS:
        answers[question] = reader.read_answer(payload)
    node.update_listeners(camera, Changed.ANSWER)


@callback
def _picture(node: BlikkNode, camera: str, name: str, payload: bytes, retain: bool) -> None:
    if not payload:  # what it showed was forgotten; one that merely expires goes without a word
        node.set_picture(camera, name, None)
        return
    pictures = node.camera(camera).pictures
    if name not in pictures and len(pictures) >= reader.MAX_ITEMS:
        raise ContractError("too many kinds of pictures")
    content = reader.read_picture(payload)
    event = reader.picture_event(content)
    node.set_picture(camera, name, Picture(content=content, time=dt_util.utcnow(), kept=retain, event=event))


_NODE_TOPICS: dict[tuple[str, ...], Hear] = {
    ("status",): _status,
    ("announce",): _announce,
    ("health",): _health,
    ("digest",): _node_digest,
    ("reply", "+"): _reply,
}
_CAMERA_TOPICS: dict[tuple[str, ...], Hear] = {
    ("+", "status"): _camera_status,
    ("+", "state"): _state,
    ("+", "event"): _event,
    ("+", "ring"): _ring,
    ("+", "observation"): _observation,
    ("+", "summary"): _summary,
    ("+", "digest"): _digest,
    ("+", "answer", "+"): _answer,
    ("+", "picture", "+"): _picture,
}
