"""MQTT as a kind of sink: its options, among them those for Home Assistant, and how it is made."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.ports import DurableSink, Sink
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import HOST, PRIVATE_TEXT, SECRET, TOPIC, choice, duration, whole
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.options import ClientTlsSettings, client_tls
from blikk_edge.sinks.mqtt.address import Address, Tls

if TYPE_CHECKING:
    from blikk_edge.sinks.mqtt.sink import MqttSink

HOUR: Final = 3600.0


class HomeAssistantMode(StrEnum):
    """Who makes the entities: MQTT discovery, our component, whichever is there, or nobody."""

    AUTO = "auto"
    DISCOVERY = "discovery"
    INTEGRATION = "integration"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAssistantSettings:
    """Home Assistant over MQTT discovery.

    Attributes:
        mode: Who makes the entities: MQTT discovery, our integration, whichever is there (`auto`), or nobody.
        prefix: The discovery prefix that is set in Home Assistant.
        birth_topic: Where Home Assistant says `online` when it has started.
    """

    mode: HomeAssistantMode = HomeAssistantMode.AUTO
    prefix: str = "homeassistant"
    birth_topic: str = "homeassistant/status"


MQTT_TLS_PORT: Final = 8883


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """The broker, and what is published for Home Assistant there.

    Attributes:
        host: Where the broker is.
        port: Its port; with `tls` MQTT_TLS_PORT where none is written.
        username: The user, where the broker wants one.
        password: The user's password.
        tls: Encryption; None: none.
        prefix: What every topic begins with.
        keepalive_s: How soon a lost connection is noticed.
        home_assistant: How Home Assistant gets its entities.
    """

    host: str
    port: int = 1883
    username: str | None = field(default=None, repr=False)
    password: Secret | None = None
    tls: ClientTlsSettings | None = None
    prefix: str = "blikk"
    keepalive_s: int = 30
    home_assistant: HomeAssistantSettings = field(default_factory=HomeAssistantSettings)


HOME_ASSISTANT = Section(
    of=HomeAssistantSettings,
    keys=(
        Key(
            name="mode",
            value=choice(HomeAssistantMode),
            meaning="Who makes the entities: MQTT discovery, our integration, whichever is there (`auto`), or nobody.",
        ),
        Key(name="prefix", value=TOPIC, meaning="The discovery prefix that is set in Home Assistant."),
        Key(name="birth_topic", value=TOPIC, meaning="Where Home Assistant says that it has started."),
    ),
)


BROKER_KEYS: Final = (
    Key(name="host", value=HOST, required=True, meaning="Where the broker is."),
    Key(
        name="port",
        value=whole(1, 65535),
        meaning="Its port.",
        default=f"{MqttSettings(host='').port}, with `tls` {MQTT_TLS_PORT}",
    ),
    Key(name="username", value=PRIVATE_TEXT, meaning="The user, where the broker wants one."),
    Key(name="password", value=SECRET, meaning="The user's password. Best written as `!secret name`."),
)
KEEPALIVE: Final = Key(
    name="keepalive_s", value=duration(5, HOUR, unit=int), meaning="How soon a lost connection is noticed."
)


def _options(folder: Path) -> Section:
    return Section(
        of=MqttSettings,
        make=broker_of,
        plain="host",
        switch=True,
        keys=(
            *BROKER_KEYS,
            Key(
                name="tls",
                value=client_tls(folder, "broker"),
                meaning="Encryption. `true` is enough for a broker with a public certificate.",
            ),
            Key(name="prefix", value=TOPIC, meaning="What every topic begins with."),
            KEEPALIVE,
        ),
    )


def broker_of(**values: Any) -> MqttSettings:
    """The broker; with TLS the default port is another one."""
    if "password" in values and "username" not in values:
        raise Wrong("`password` without `username`", "Add `username:`.", "password")
    if values.get("tls"):
        values = {"port": MQTT_TLS_PORT, **values}
    return MqttSettings(**values)


def address_of(mqtt: MqttSettings) -> Address:
    """Where the broker is, with what logs in there."""
    tls = None
    if mqtt.tls is not None:
        tls = Tls(
            ca=mqtt.tls.ca,
            certificate=mqtt.tls.certificate,
            key=mqtt.tls.key,
            key_password=mqtt.tls.key_password.reveal() if mqtt.tls.key_password else None,
        )
    return Address(
        host=mqtt.host,
        port=mqtt.port,
        username=mqtt.username,
        password=mqtt.password.reveal() if mqtt.password else None,
        tls=tls,
        keepalive_s=mqtt.keepalive_s,
    )


def site_sink(options: MqttSettings, context: Context) -> Sink:
    """The connection that speaks for the whole site, while this node leads."""
    return _made(options, context, site=True)


def _make(options: MqttSettings, context: Context) -> Sink | DurableSink:
    return _made(options, context)


def _made(options: MqttSettings, context: Context, *, site: bool = False) -> "MqttSink":
    from blikk_edge.sinks.mqtt.sink import MqttSink  # noqa: PLC0415  # a configuration is read without aiomqtt

    return MqttSink(
        address=address_of(options),
        node=context.node,
        topics=context.topics,
        order=context.order,
        ask=context.ask,
        locale=context.locale,
        claimed=context.claimed,
        clock=context.clock,
        mode=options.home_assistant.mode,
        discovery_prefix=options.home_assistant.prefix,
        birth_topic=options.home_assistant.birth_topic,
        permit=context.permit,
        site=site,
    )


KIND: Kind[Context, Sink | DurableSink] = Kind(
    name="mqtt",
    meaning="Publishes everything to an MQTT broker, and takes commands from it.",
    options=_options,
    make=_make,
)
