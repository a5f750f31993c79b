"""What the events of cameras mean, by topic: a table of what vendors send."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Says(StrEnum):
    """What an event of a camera says."""

    PRESS = "press"  # somebody rings
    INPUT = "input"  # a contact at its terminals: on a doorbell that is the button, elsewhere anything
    MOTION = "motion"  # something moves, or somebody is there


ON: Final = frozenset({"true", "1", "active", "on"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic.

    Attributes:
        path: The local names of its steps, without the prefixes of namespaces; `*` is any one step.
        says: What it says.
        pulse: Whether it has no state: each message is a new event, whatever its values are.
        on: The values, in lower case, of which one says that it goes on.
    """

    path: str
    says: Says
    pulse: bool = False
    on: frozenset[str] = ON


TOPICS: Final = (
    # ONVIF's own, which most send: Hikvision, Dahua, Amcrest, Axis, Uniview, Reolink, Tapo
    Topic(path="VideoSource/MotionAlarm", says=Says.MOTION),
    Topic(path="RuleEngine/CellMotionDetector/Motion", says=Says.MOTION),
    Topic(path="RuleEngine/MotionRegionDetector/Motion", says=Says.MOTION),
    Topic(path="RuleEngine/FieldDetector/ObjectsInside", says=Says.MOTION),
    Topic(path="RuleEngine/LineDetector/Crossed", says=Says.MOTION, pulse=True),
    Topic(path="RuleEngine/ObjectDetection/Object", says=Says.MOTION),
    Topic(path="RuleEngine/LoiteringDetector/ObjectIsLoitering", says=Says.MOTION),
    Topic(path="RuleEngine/Recognition/Face", says=Says.MOTION, pulse=True),
    Topic(path="VideoAnalytics/Motion", says=Says.MOTION),
    Topic(path="Device/Trigger/DigitalInput", says=Says.INPUT),
    # Reolink
    Topic(path="RuleEngine/MyRuleDetector/Visitor", says=Says.PRESS),
    Topic(path="RuleEngine/MyRuleDetector/PeopleDetect", says=Says.MOTION),
    Topic(path="RuleEngine/MyRuleDetector/FaceDetect", says=Says.MOTION),
    Topic(path="RuleEngine/MyRuleDetector/VehicleDetect", says=Says.MOTION),
    Topic(path="RuleEngine/MyRuleDetector/DogCatDetect", says=Says.MOTION),
    Topic(path="RuleEngine/MyRuleDetector/Package", says=Says.MOTION),
    # Tapo, Vigi
    Topic(path="RuleEngine/CellMotionDetector/People", says=Says.MOTION),
    Topic(path="RuleEngine/CellMotionDetector/Intrusion", says=Says.MOTION),
    Topic(path="RuleEngine/CellMotionDetector/LineCross", says=Says.MOTION),
    Topic(path="RuleEngine/CellMotionDetector/TpSmartEvent", says=Says.MOTION),
    Topic(path="RuleEngine/PeopleDetector/People", says=Says.MOTION),
    Topic(path="RuleEngine/TPSmartEventDetector/TPSmartEvent", says=Says.MOTION),
    Topic(path="RuleEngine/LineCrossDetector/LineCross", says=Says.MOTION),
    Topic(path="RuleEngine/IntrusionDetector/Intrusion", says=Says.MOTION),
    # Hikvision
    Topic(path="Device/Trigger/AlarmIn", says=Says.INPUT),
    # Axis
    Topic(path="VideoAnalytics/MotionDetection", says=Says.MOTION),
    Topic(path="CameraApplicationPlatform/VMD/*", says=Says.MOTION),
    Topic(path="CameraApplicationPlatform/ObjectAnalytics/*", says=Says.MOTION),
    Topic(path="RuleEngine/VMD3/*", says=Says.MOTION),
    Topic(path="Device/Sensor/PIR", says=Says.MOTION),
    Topic(path="Device/IO/Port", says=Says.INPUT),
    # Ajax
    Topic(path="RuleEngine/LineDetector/Crossing", says=Says.MOTION),
    Topic(path="RuleEngine/MotionDetector/Detection", says=Says.MOTION),
    # Mobotix
    Topic(path="VideoSource/Alarm", says=Says.PRESS, on=frozenset({"ring", "camerabellbutton"})),
    # Vatilon, and many that are sold without a name
    Topic(path="UserAlarm/IVA/HumanShapeDetect", says=Says.MOTION),
)

_EXACT: Final = {topic.path: topic for topic in TOPICS if not topic.path.endswith("/*")}
_ABOVE: Final = {topic.path.removesuffix("/*"): topic for topic in TOPICS if topic.path.endswith("/*")}


def topic_of(text: str) -> Topic | None:
    """What a topic means, as it is written in a message (`tns1:VideoSource/tnshik:MotionAlarm`); None: nothing here."""
    path = "/".join(step.rpartition(":")[2].strip() for step in text.strip().split("/"))
    return _EXACT.get(path) or _ABOVE.get(path.rpartition("/")[0])
