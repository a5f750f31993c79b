"""The slow loop as a user gets it: real RTSP, a real broker, `blikk run`, and language models of all manners."""

import asyncio
import base64
import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import jsonschema
import numpy as np
import pytest
from broker import Broker
from llm_server import LlmServer, Say, refusal
from ports import free_port
from rtsp_server import RtspServer
from staging import BlikkRun, Ears, write_clip
from tiny_gguf import tiny_model, tiny_projector

from blikk_edge.core.picture import Picture
from blikk_edge.transforms.privacy.faces import FaceFinder
from blikk_edge.transforms.privacy.shrink import shrink

SCHEMAS = Path(__file__).parents[2] / "contract" / "schemas"
CONFIG = """\
node: {{id: hallway, name: Hallway}}
mqtt: {{host: 127.0.0.1, port: {port}}}
health_every_s: 1
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
summary: {{{summary}}}
cameras:
  front_door:
    source: {source}
"""
GOOD = json.dumps({"title": "A person came", "text": "A person was at the front door.", "importance": "normal"})
RUBBISH = {
    "HTML": Say(body="<html>Bad gateway</html>", kind="text/html"),
    "empty choices": Say(body={"choices": []}),
    "cut-off JSON": Say(text='{"title": "cut o', finish="length"),
    "500": refusal(500, "boom"),
    "a broken body": Say(keep=0.4),
    "a stalled body": Say(stall=0.3),
    "a slow drip": Say(drip_s=0.5),
    "inventions": Say(text=json.dumps({"title": "A burglar", "text": "A man with a knife.", "importance": "high"})),
}


@contextlib.contextmanager
def language_model(*script: Say, always: str = GOOD) -> Iterator[LlmServer]:
    """An endpoint in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = LlmServer(lambda _: Say(text=always))
    server.say(*script)
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def of_visit(ears: Ears, *, revision: int) -> list[dict]:
    """The summaries of this revision about persons."""
    return [s for s in ears.json_on("/front_door/summary") if s["revision"] == revision and "person" in s["labels"]]


def fitting(jpeg: bytes) -> set[str]:
    """The hashes of a Picture as it went out over MQTT, and as small as a model is shown."""
    height, width = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    whole = Picture(camera="front_door", name="person", time=0.0, jpeg=jpeg, width_px=width, height_px=height)
    return {hashlib.sha256(each).hexdigest() for each in (jpeg, shrink(whole).jpeg)}


def check_order_and_contract(ears: Ears) -> None:
    """Every summary follows its event, and is one by the contract."""
    topics = [
        (topic.rsplit("/", 1)[1], json.loads(p))
        for _, topic, p, _ in ears.heard
        if topic.endswith(("/front_door/summary", "/front_door/event"))
    ]
    reported: set[str] = set()
    for kind, content in topics:
        if kind == "event":
            reported.add(content["id"])
        else:
            jsonschema.validate(content, json.loads((SCHEMAS / "summary.json").read_text()))
            assert content["event"] in reported


@pytest.mark.timeout(400)
def test_a_model_writes_about_a_visit_and_what_it_costs_is_reported(
    tmp_path: Path, demo_clip: Path, models: Path
) -> None:
    with (
        Broker(tmp_path) as broker,
        Ears(broker.port) as ears,
        RtspServer(demo_clip) as server,
        language_model() as model,
    ):
        summary = f"provider: openai, base_url: '{model.base_url}', model: tiny, digest: hourly"
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=server.url, summary=summary)
        with BlikkRun(tmp_path, config, models=models) as run:
            ears.until(lambda: of_visit(ears, revision=1), 60, "the early summary")
            ears.until(lambda: of_visit(ears, revision=2), 60, "the final summary")
            final = of_visit(ears, revision=2)[0]
            ears.until(
                lambda: [h for h in ears.json_on("/health") if h["llm"] and h["llm"]["calls_today"]], 10, "the bill"
            )
            for name, each in ("right", json.loads(GOOD)), ("wrong", {"title": "A burglar", "text": "With a knife."}):
                asked = {"do": "check", "event": final["event"], "response_topic": f"blikk/hallway/reply/{name}"}
                ears.say("blikk/hallway/ask", json.dumps({**asked, **each}).encode())
            for name in ("right", "wrong"):
                ears.until(lambda name=name: ears.json_on(f"/reply/{name}"), 10, "what others wrote is checked")
            ears.say("blikk/hallway/front_door/set/describe", b"PRESS")
            ears.until(lambda: ears.json_on("/front_door/digest"), 30, "a description of now")
            ears.say("blikk/hallway/front_door/set/summary", b"off")
            ears.until(lambda: ears.json_on("/front_door/state")[-1]["summary"] == "off", 10, "the switch")
            ears.say("blikk/hallway/front_door/set/summary", b"vision")
            run.stop()
    assert (final["source"], final["text"], final["model"]) == ("llm", "A person was at the front door.", "tiny-1")
    assert final["tokens"]["input"] == 40
    right, wrong = (ears.json_on(f"/reply/{name}")[0] for name in ("right", "wrong"))
    assert (right["ok"], right["checked"]) == (True, "whole")
    assert not wrong["ok"]
    assert "burglar" in wrong["error"]
    check_order_and_contract(ears)
    health = [h["llm"] for h in ears.json_on("/health") if h["llm"]][-1]
    assert health["tokens_today"] > 0
    assert health["calls_left"] == 500 - health["calls_today"]
    assert ears.json_on("/front_door/state")[-1]["summary"] == "off"  # pictures leave only where the file says so
    assert not any("image_url" in json.dumps(asked.body) for asked in model.asked)
    assert "Traceback" not in run.log


@pytest.mark.timeout(400)
def test_a_model_that_sees_is_shown_small_redacted_pictures_only(tmp_path: Path, demo_clip: Path, models: Path) -> None:
    with (
        Broker(tmp_path) as broker,
        Ears(broker.port) as ears,
        RtspServer(demo_clip) as server,
        language_model() as model,
    ):
        summary = f"provider: openai, mode: vision, base_url: '{model.base_url}', model: tiny"
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=server.url, summary=summary)
        with BlikkRun(tmp_path, config, models=models) as run:
            ears.until(lambda: [s for s in ears.json_on("/summary") if s["pictures"]], 90, "a summary with pictures")
            run.stop()
    shown = [
        base64.b64decode(part["image_url"]["url"].removeprefix("data:image/jpeg;base64,"))
        for asked in model.asked
        for message in asked.body["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if "image_url" in part
    ]
    assert shown
    left = {digest for jpeg in ears.on("/picture/person") + ears.on("/picture/snapshot") for digest in fitting(jpeg)}
    finder = FaceFinder(models / "face" / "yunet" / "yunet_n_320_320.onnx", threshold=0.6)
    for jpeg in shown:
        assert hashlib.sha256(jpeg).hexdigest() in left
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert max(picture.shape) <= 512
        assert len(jpeg) <= 80_000
        assert finder.find(picture) == ()


@pytest.fixture(scope="module")
def visitor_stays(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's visitor, who never leaves: to and fro through some seconds of the visit."""
    with av.open(str(demo_clip)) as container:
        stream = container.streams.video[0]
        rate = round(float(stream.average_rate or 10))
        shots = [f.to_ndarray(format="bgr24") for n, f in enumerate(container.decode(stream)) if 6 <= n / rate < 10]
    path = tmp_path_factory.mktemp("stays") / "stays.mp4"
    write_clip(path, [*shots, *reversed(shots)], fps=rate)
    return path


@pytest.mark.timeout(400)
def test_whatever_a_model_does_the_template_comes_in_time_and_the_model_is_asked_again(
    tmp_path: Path, visitor_stays: Path, models: Path
) -> None:
    with (
        Broker(tmp_path) as broker,
        Ears(broker.port) as ears,
        RtspServer(visitor_stays) as server,
        language_model() as model,
    ):
        limits = "{timeout_s: 2, calls_per_minute: 600, tokens_per_minute: 100000, cooldown_s: 0}"
        summary = f"provider: openai, base_url: '{model.base_url}', model: tiny, limits: {limits}"
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=server.url, summary=summary)
        with BlikkRun(tmp_path, config, models=models) as run:
            ears.until(lambda: ears.json_on("/front_door/event"), 60, "the visit")
            for name, fault in RUBBISH.items():
                _until_it_writes(ears)
                reported, asked = len(ears.json_on("/front_door/digest")), len(model.asked)
                model.say(*[fault] * 3)
                ears.say("blikk/hallway/front_door/set/describe", b"PRESS")
                ears.until(
                    lambda reported=reported: len(ears.json_on("/front_door/digest")) > reported,
                    25,
                    f"a text after {name}",
                )
                assert ears.json_on("/front_door/digest")[-1]["source"] == "template", name
                assert len(model.asked) > asked, name
                model.forget()
            _until_it_writes(ears)
            _patience_is_kept(ears, model)
            _a_redirect_is_not_followed(ears, model)
            assert max(h["llm"]["waiting"] for h in ears.json_on("/health") if h["llm"]) <= 2
            run.stop()
    assert "Traceback" not in run.log


def _patience_is_kept(ears: Ears, model: LlmServer) -> None:
    """Who asks for patience is not asked before its time, and is then."""
    reported, asked = len(ears.json_on("/front_door/digest")), len(model.asked)
    model.say(refusal(429, "slow down", headers={"Retry-After": "3"}))
    began = time.monotonic()
    ears.say("blikk/hallway/front_door/set/describe", b"PRESS")
    ears.until(lambda: len(ears.json_on("/front_door/digest")) > reported, 25, "a text after 429")
    assert time.monotonic() - began >= 3.0
    assert ears.json_on("/front_door/digest")[-1]["source"] == "llm"
    assert len(model.asked) == asked + 2


def _a_redirect_is_not_followed(ears: Ears, model: LlmServer) -> None:
    """Prompts go to the host that the user named, to no other; the user is asked to mend the address."""
    reported, asked = len(ears.json_on("/front_door/digest")), len(model.asked)
    model.say(Say(status=307, headers={"Location": f"{model.base_url}/elsewhere"}, body=""))
    ears.say("blikk/hallway/front_door/set/describe", b"PRESS")
    ears.until(lambda: len(ears.json_on("/front_door/digest")) > reported, 25, "a text after a redirect")
    assert ears.json_on("/front_door/digest")[-1]["source"] == "template"
    assert len(model.asked) == asked + 1
    ears.until(lambda: ears.json_on("/health")[-1]["llm"]["phase"] == "refused", 10, "that the user has to mend it")


def _until_it_writes(ears: Ears) -> None:
    """Ask for descriptions until one is the model's again."""
    for _ in range(20):
        reported = len(ears.json_on("/front_door/digest"))
        ears.say("blikk/hallway/front_door/set/describe", b"PRESS")
        ears.until(lambda reported=reported: len(ears.json_on("/front_door/digest")) > reported, 25, "a description")
        if ears.json_on("/front_door/digest")[-1]["source"] == "llm":
            return
        time.sleep(0.5)
    pytest.fail("the model was not asked again")


@pytest.mark.timeout(400)
def test_a_refused_connection_costs_nothing_and_the_model_is_found_when_it_is_back(
    tmp_path: Path, demo_clip: Path, models: Path
) -> None:
    with Broker(tmp_path) as broker, Ears(broker.port) as ears, RtspServer(demo_clip) as server:
        summary = f"provider: openai, base_url: 'http://127.0.0.1:{free_port()}/v1', model: tiny"
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=server.url, summary=summary)
        with BlikkRun(tmp_path, config, models=models) as run:
            ears.until(lambda: of_visit(ears, revision=2), 90, "the final summary")
            ears.until(lambda: [h for h in ears.json_on("/health") if h["llm"]["problem"]], 10, "the problem")
            run.stop()
    assert of_visit(ears, revision=2)[0]["source"] == "template"


@pytest.mark.timeout(400)
def test_a_local_model_in_a_process_of_its_own_is_asked_and_ends_with_the_node(
    tmp_path: Path, demo_clip: Path, models: Path
) -> None:
    model, projector = tmp_path / "tiny.gguf", tmp_path / "mmproj.gguf"
    tiny_model(model)
    tiny_projector(projector)
    with Broker(tmp_path) as broker, Ears(broker.port) as ears, RtspServer(demo_clip) as server:
        # to this model each byte is a token: the usual ones for a minute are spent by the first summary
        limits = "limits: {tokens_per_minute: 100000}"
        summary = f"provider: llama, mode: vision, model: {model}, projector: {projector}, threads: 1, {limits}"
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=server.url, summary=summary)
        with BlikkRun(tmp_path, config, models=models) as run:
            ears.until(lambda: of_visit(ears, revision=2), 100, "the final summary")
            run.stop()
    final = of_visit(ears, revision=2)[0]
    # It knows nothing and writes noise: the form is right, the content is not, and so the template reports.
    assert final["tokens"]["input"] > 0
    assert final["tokens"]["output"] > 0
    assert final["source"] == "template"
    assert "Traceback" not in run.log
