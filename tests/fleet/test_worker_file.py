"""What may stand in `worker.yaml`, and at `summary: {provider: fleet}`."""

import re
from pathlib import Path

import pytest

from blikk_edge.app.checking.extras import language_model
from blikk_edge.app.vision_models import used
from blikk_edge.config.loading import load
from blikk_edge.config.worker import load_worker
from blikk_edge.fleet.site_budget import SiteLimits
from blikk_edge.grammar.problem import ConfigError, ConfigErrors
from blikk_edge.llm.openai import OpenAiOptions
from blikk_edge.llm.shared import SharedOptions
from blikk_edge.transforms.embedding.options import SearchOptions, Shared

MODEL = "{provider: openai, base_url: 'http://127.0.0.1:1/v1', model: tiny-1}"
HEAD = "node: one\nmqtt: false\ncameras: {yard: {source: yard.mp4}}\n"


def test_a_worker_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "worker.yaml"
    limits = "limits: {calls_per_day: 9, concurrency: 3, timeout_s: 2min}"
    file.write_text(f"worker: rack_1\nfleet: hall\nmodel: {MODEL[:-1]}, {limits}}}\n")
    read = load_worker(file, environ={})
    assert (read.fleet.site, read.options.id, read.options.concurrency) == ("hall", "rack_1", 3)
    assert (read.options.timeout_s, read.options.limits) == (120.0, SiteLimits(calls_per_day=9))
    assert read.model is not None
    assert isinstance(read.model.chosen.options, OpenAiOptions)
    assert read.metrics is None


def test_it_may_serve_its_figures(tmp_path: Path) -> None:
    file = tmp_path / "worker.yaml"
    head = f"worker: rack_1\nfleet: hall\nmodel: {MODEL}\n"
    file.write_text(f"{head}metrics: true\n")
    served = load_worker(file, environ={}).metrics
    assert served is not None
    assert (served.host, served.port, served.tokens.view) == ("127.0.0.1", 8431, None)


def test_a_worker_may_only_look(tmp_path: Path) -> None:
    file = tmp_path / "worker.yaml"
    file.write_text("worker: rack_1\nfleet: hall\nembedding: tinyclip\ndetector: {threads: 2}\n")
    read = load_worker(file, environ={})
    assert (read.model, read.embedding) == (None, SearchOptions(model="tinyclip"))
    assert read.detector is not None
    assert (read.detector.model, read.detector.tflite.threads) == ("yolox-nano", 2)


@pytest.mark.parametrize(
    ("search", "fleet", "words"),
    [
        ("{workers: [embedding]}", "", "workers of no site. Add `fleet:`"),
        ("{model: colours, workers: [embedding]}", "fleet: hall\n", "no model that workers could have"),
        ("{workers: [clip]}", "fleet: hall\n", "`embedding` or `detector`"),
    ],
)
def test_a_search_that_workers_cannot_do_is_named(tmp_path: Path, search: str, fleet: str, words: str) -> None:
    file = tmp_path / "blikk.yaml"
    (tmp_path / "yard.mp4").touch()
    file.write_text(f"{HEAD}search: {search}\n{fleet}")
    with pytest.raises(ConfigError, match=re.escape(words)):
        load(file, environ={})


def test_a_node_whose_workers_compare_needs_no_model(tmp_path: Path) -> None:
    file = tmp_path / "blikk.yaml"
    (tmp_path / "yard.mp4").touch()
    file.write_text(f"{HEAD}search: {{workers: [embedding, detector]}}\nfleet: hall\n")
    settings = load(file, environ={})
    assert settings.search is not None
    assert settings.search.workers == (Shared.EMBEDDING, Shared.DETECTOR)
    assert "tinyclip" not in used(settings)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"fleet: hall\nmodel: {MODEL}", "`worker` is missing"),
        (f"worker: rack_1\nmodel: {MODEL}", "`fleet` is missing"),
        ("worker: rack_1\nfleet: hall\nmodel: {provider: openai, model: x}", "without `base_url`"),
        ("worker: rack_1\nfleet: hall\nmodel: {provider: fleet}", "without a language model of its own"),
        (f"worker: rack_1\nfleet: hall\nmodels: {MODEL}", "Did you mean `model`"),
        ("worker: rack_1\nfleet: hall", "without anything to work with"),
        ("worker: rack_1\nfleet: hall\nembedding: false", "without anything to work with"),
        ("worker: rack_1\nfleet: hall\nembedding: colours", "no model to compare with words"),
        ("worker: rack_1\nfleet: hall\nembedding: {workers: [embedding]}", "the key `workers` is not known here"),
        ("worker: rack_1\nfleet: hall\ndetector: {model: yolox-nan}", "Did you mean `yolox-nano`"),
        (f"worker: rack_1\nfleet: hall\nmodel: {MODEL}\nmetrics: {{host: 0.0.0.0}}", "without `tls`"),
        (f"worker: rack_1\nfleet: hall\nmodel: {MODEL}\nmetrics: {{url: 'http://a'}}", "the key `url` is not known"),
    ],
)
def test_what_is_wrong_with_it_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "worker.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        load_worker(file, environ={})
    assert "worker.yaml" in str(caught.value)


def test_a_value_that_cannot_be_read_is_one_problem(tmp_path: Path) -> None:
    file = tmp_path / "worker.yaml"
    file.write_text("worker: rack_1\nfleet: {site: !secret nothing}\nmodel: " + MODEL)
    with pytest.raises(ConfigErrors) as caught:
        load_worker(file, environ={})
    assert [problem.path for problem in caught.value.problems] == ["fleet.site"]


def test_a_node_names_the_workers_and_its_own_model(tmp_path: Path) -> None:
    file = tmp_path / "blikk.yaml"
    (tmp_path / "yard.mp4").touch()
    own = MODEL[1:-1].replace("provider: openai", "provider: fleet, fallback: openai, wait_s: 5s")
    file.write_text(f"{HEAD}summary: {{{own}}}\nfleet: hall\n")
    settings = load(file, environ={})
    assert settings.summary is not None
    assert settings.summary.model is not None
    options = settings.summary.model.options
    assert isinstance(options, SharedOptions)
    assert options.wait_s == 5.0
    assert options.own is not None
    assert options.own.options.model == "tiny-1"
    assert list(language_model(settings, {}, [])) == []


def test_workers_without_a_site_are_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "blikk.yaml"
    (tmp_path / "yard.mp4").touch()
    file.write_text(f"{HEAD}summary: fleet\n")
    (wrong,) = language_model(load(file, environ={}), {}, [])
    assert "this node belongs to no site; add `fleet:`" in str(wrong)


def test_without_a_file_it_is_said_where_there_is_one_to_begin_with(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").touch()
    for name, what in (("worker.yaml", "no such file"), ("empty.yaml", "the file is empty")):
        with pytest.raises(ConfigErrors) as wrong:
            load_worker(tmp_path / name, environ={})
        assert what in str(wrong.value)
        assert "fleet.md shows one" in str(wrong.value)
        assert "hallway" not in str(wrong.value)
