"""A second broker as a kind of sink: it gets what the first one gets, and is listened to in nothing."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from blikk_edge.core.ports import DurableSink, Sink
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import TOPIC
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.options import ClientTlsSettings, client_tls
from blikk_edge.sinks.mqtt.kind import BROKER_KEYS, KEEPALIVE, MqttSettings, address_of, broker_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondMqttOptions:
    """A broker besides that of `mqtt`.

    Attributes:
        host: Where it is.
        port: Its port; with `tls` MQTT_TLS_PORT where none is written.
        username: The user, where it wants one.
        password: The user's password.
        tls: Encryption; None: none.
        prefix: What every topic begins with there; None: as on the first one.
        keepalive_s: How soon a lost connection is noticed.
    """

    host: str
    port: int = 1883
    username: str | None = field(default=None, repr=False)
    password: Secret | None = None
    tls: ClientTlsSettings | None = None
    prefix: str | None = None
    keepalive_s: int = 30


def _broker(**values: Any) -> SecondMqttOptions:
    prefix = values.pop("prefix", None)
    made = broker_of(**values)
    return SecondMqttOptions(
        host=made.host,
        port=made.port,
        username=made.username,
        password=made.password,
        tls=made.tls,
        prefix=prefix,
        keepalive_s=made.keepalive_s,
    )


def _options(folder: Path) -> Section:
    return Section(
        of=SecondMqttOptions,
        make=_broker,
        plain="host",
        keys=(
            *BROKER_KEYS,
            Key(name="tls", value=client_tls(folder, "broker"), meaning="Encryption, as for the first broker."),
            Key(
                name="prefix",
                value=TOPIC,
                meaning="What every topic begins with there.",
                default="as on the first broker",
            ),
            KEEPALIVE,
        ),
    )


def _make(options: SecondMqttOptions, context: Context) -> Sink | DurableSink:
    from blikk_edge.sinks.mqtt.sink import MqttSink  # noqa: PLC0415  # a configuration is read without aiomqtt

    broker = MqttSettings(
        host=options.host,
        port=options.port,
        username=options.username,
        password=options.password,
        tls=options.tls,
        keepalive_s=options.keepalive_s,
    )
    return MqttSink(
        address=address_of(broker),
        node=context.node,
        topics=replace(context.topics, prefix=options.prefix or context.topics.prefix),
        order=context.order,
        locale=context.locale,
        clock=context.clock,
        second=True,
        permit=context.permit,
    )


KIND: Kind[Context, Sink | DurableSink] = Kind(
    name="second_mqtt",
    meaning="Publishes everything to a second MQTT broker; written as `sinks.mqtt`.",
    options=_options,
    make=_make,
)
