"""A real node on the clip of six visits, measured by others: a collector of traces, and a real Prometheus."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from broker import Broker
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_receiver import OtlpReceiver, attributes
from patience import PATIENCE
from ports import free_port
from prometheus_client.parser import text_string_to_metric_families
from prometheus_server import Prometheus, expressions, names_in, promtool_finds_fault
from staging import BlikkRun, Ears

CLIP = "video/intel_sample/one-by-one-person-detection.mp4"
TOKEN = "a-token-that-nobody-guesses"
VIEW = "another-token-that-nobody-guesses"
MAY_HAVE_NO_SAMPLE = {
    "blikk_temperature_celsius",  # a machine without a sensor
    "blikk_step_skipped_total",  # no step was added
}
"""Of the names in rules and dashboard."""
EXPRESSIONS = expressions("alerts.yml", "grafana.json")

CONFIG = """\
node: {{id: hallway, name: Hallway}}
mqtt: {{host: 127.0.0.1, port: {port}}}
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
traces: {{endpoint: "{collector}", token: {token}}}
http: {{port: {http}, tokens: {{view: {view}}}}}
summary: {{provider: openai, base_url: "http://127.0.0.1:{nobody}/v1", model: nobody-answers}}
cameras:
  front_door: {{source: {clip}, name: Nobody must read this}}
"""


@dataclass
class Measured:
    run: BlikkRun
    broker: Broker
    ears: Ears
    collector: OtlpReceiver
    prometheus: Prometheus
    port: int

    def until(self, state: Callable[[], object], within_s: float, what: str) -> None:
        deadline = time.monotonic() + PATIENCE * within_s
        while not state():
            assert time.monotonic() < deadline, f"{what} did not come within {within_s:.0f} s"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def node(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    folder, port = tmp_path_factory.mktemp("measured"), free_port()
    with (
        Broker(folder) as broker,
        Ears(broker.port) as ears,
        OtlpReceiver() as collector,
        Prometheus(folder / "prometheus", targets={"blikk": [f"127.0.0.1:{port}"]}, token=VIEW) as prometheus,
    ):
        config = CONFIG.format(
            port=broker.port,
            folder=folder,
            collector=collector.url,
            token=TOKEN,
            clip=data / CLIP,
            http=port,
            view=VIEW,
            nobody=free_port(),
        )
        with BlikkRun(folder, config, models=data / "models") as run:
            yield Measured(run, broker, ears, collector, prometheus, port)


def test_a_visit_is_a_trace_from_its_frame_to_the_broker(node: Measured) -> None:
    # what waited for a broker that was away has no such span
    node.until(lambda: published(node.collector), 90, "the trace of a visit")
    trace = published(node.collector)[0]
    assert set(trace) == {
        "event started", "frame", "decode", "gate", "select", "wait", "detect", "track", "parcels", "report",
        "redact", "journal", "handed", "publish",
    }  # fmt: skip
    (root,) = trace["event started"]
    told = attributes(root)
    assert told["blikk.event"] in {event["id"] for event in node.ears.json_on("/event")}
    assert told == {
        "blikk.camera": "front_door",
        "blikk.event": told["blikk.event"],
        "blikk.label": "person",
        "blikk.phase": "started",
        "blikk.revision": 1,
    }
    children = [span for name, spans in trace.items() for span in spans if name != root.name]
    assert {span.parent_span_id for span in children} == {root.span_id}
    order = ("frame", "gate", "select", "wait", "detect", "track", "report", "journal")
    starts = [trace[name][0].start_time_unix_nano for name in order]
    assert starts == sorted(starts)
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano for spans in trace.values() for span in spans)
    assert root.start_time_unix_nano <= min(starts)
    sinks = {attributes(span)["blikk.sink"] for span in trace["publish"] + trace["handed"]}
    assert "mqtt" in sinks
    (publish,) = trace["publish"]
    assert attributes(publish) == {"blikk.sink": "mqtt"}
    assert publish.end_time_unix_nano > trace["journal"][0].end_time_unix_nano
    assert node.collector.resource["service.instance.id"] == "hallway"


def test_traces_name_no_source_no_secret_and_hold_no_pixels(node: Measured) -> None:
    node.until(lambda: node.collector.requests, 60, "a batch")
    told = b"".join(node.collector.requests)
    assert node.collector.headers[0]["authorization"] == f"Bearer {TOKEN}"
    for secret in (TOKEN, CLIP, str(node.run.folder), "Nobody must read this", "JFIF"):
        assert secret.encode() not in told
    known = {"blikk.camera", "blikk.event", "blikk.label", "blikk.phase", "blikk.revision", "blikk.sink"}
    assert {attribute.key for span in node.collector.spans for attribute in span.attributes} <= known
    assert TOKEN not in node.run.log


def test_prometheus_reads_every_name_that_the_rules_and_the_dashboard_use(node: Measured) -> None:
    first = 'blikk_first_sight_to_acknowledged_seconds_sum{sink="mqtt", camera="front_door"} > 0'
    node.prometheus.until(first, 90)
    request = urllib.request.Request(
        f"http://127.0.0.1:{node.port}/metrics", headers={"Authorization": f"Bearer {VIEW}"}
    )
    with urllib.request.urlopen(request, timeout=10 * PATIENCE) as answer:
        page = answer.read().decode()
    told = {sample.name for family in text_string_to_metric_families(page) for sample in family.samples}
    used = names_in(EXPRESSIONS)
    assert len(used) > 30
    assert used - told <= MAY_HAVE_NO_SAMPLE
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    outcomes = {sample.labels["reason"]: sample.value for sample in samples if sample.name == "blikk_frames_total"}
    assert outcomes["looked"] > 0
    assert outcomes["spared"] > 0
    sinks = {sample.name: sample.value for sample in samples if sample.labels.get("sink") == "mqtt"}
    given, had = "blikk_first_sight_to_sink_seconds", "blikk_first_sight_to_acknowledged_seconds"
    if sinks[f"{given}_count"] == sinks[f"{had}_count"]:  # else one is on its way
        assert 0 < sinks[f"{given}_sum"] <= sinks[f"{had}_sum"]
    for secret in (VIEW, TOKEN, CLIP, "Nobody must read this", str(node.run.folder)):
        assert secret not in page


def test_prometheus_understands_every_expression_of_the_dashboard_and_judges_every_rule(node: Measured) -> None:
    node.prometheus.until("up == 1", 60)
    for expression in EXPRESSIONS:
        assert node.prometheus.ask("query", query=expression) is not None
    (group,) = node.prometheus.ask("rules")["groups"]
    node.until(lambda: node.prometheus.ask("rules")["groups"][0]["evaluationTime"] > 0, 30, "the first evaluation")
    (group,) = node.prometheus.ask("rules")["groups"]
    assert {(rule["name"], rule["health"]) for rule in group["rules"] if rule["health"] != "ok"} == set()
    assert len(group["rules"]) > 15


def test_who_shows_no_token_gets_no_figures(node: Measured) -> None:
    node.prometheus.until("up == 1", 60)
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{node.port}/metrics", timeout=10 * PATIENCE)
    refused.value.close()


def test_a_broker_that_goes_is_seen_and_what_waits_for_it(node: Measured) -> None:
    node.prometheus.until('blikk_sink_up{sink="mqtt"} == 1', 60)
    node.broker.kill()
    node.prometheus.until('blikk_sink_up{sink="mqtt"} == 0', 60)
    node.prometheus.until('blikk_sink_backlog{sink="mqtt"} > 0', 90)
    node.broker.start()
    node.prometheus.until('blikk_sink_up{sink="mqtt"} == 1 and blikk_sink_backlog{sink="mqtt"} == 0', 90)


def test_the_rules_fire_when_they_should_and_else_are_silent() -> None:
    assert promtool_finds_fault("alerts_test.yml") == ""


def published(collector: OtlpReceiver) -> list[dict[str, list[Span]]]:
    return [trace for trace in collector.traces("started") if {"publish", "redact"} <= set(trace)]
