"""A real node on the clip of six visits, measured by others: a collector of traces, and a real Prometheus."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from broker import Broker
from otlp_receiver import OtlpReceiver, attributes
from patience import PATIENCE
from staging import BlikkRun, Ears

CLIP = "video/intel_sample/one-by-one-person-detection.mp4"
TOKEN = "a-token-that-nobody-guesses"
CONFIG = """\
node: {{id: hallway, name: Hallway}}
mqtt: {{host: 127.0.0.1, port: {port}}}
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
traces: {{endpoint: "{collector}", token: {token}}}
cameras:
  front_door: {{source: {clip}, name: Nobody must read this}}
"""


@dataclass
class Measured:
    run: BlikkRun
    ears: Ears
    collector: OtlpReceiver

    def until(self, state: Callable[[], object], within_s: float, what: str) -> None:
        deadline = time.monotonic() + PATIENCE * within_s
        while not state():
            assert time.monotonic() < deadline, f"{what} did not come within {within_s:.0f} s"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def node(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    folder = tmp_path_factory.mktemp("measured")
    with Broker(folder) as broker, Ears(broker.port) as ears, OtlpReceiver() as collector:
        config = CONFIG.format(port=broker.port, folder=folder, collector=collector.url, token=TOKEN, clip=data / CLIP)
        with BlikkRun(folder, config, models=data / "models") as run:
            yield Measured(run, ears, collector)


def test_a_visit_is_a_trace_from_its_frame_to_the_broker(node: Measured) -> None:
    node.until(lambda: "publish" in node.collector.trace("started"), 60, "the trace of the first visit")
    trace = node.collector.trace("started")
    assert set(trace) == {
        "event started", "frame", "decode", "gate", "select", "wait", "detect", "track", "report",
        "redact", "journal", "handed", "publish",
    }  # fmt: skip
    (root,) = trace["event started"]
    (event, *_) = node.ears.json_on("/event")
    assert attributes(root) == {
        "blikk.camera": "front_door",
        "blikk.event": event["id"],
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
