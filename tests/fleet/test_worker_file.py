"""What may stand in `worker.yaml`, and at `summary: {provider: fleet}`."""

from pathlib import Path

import pytest

from blikk_edge.app.checking.extras import language_model
from blikk_edge.config.loading import load
from blikk_edge.config.worker import load_worker
from blikk_edge.fleet.site_budget import SiteLimits
from blikk_edge.grammar.problem import ConfigError, ConfigErrors
from blikk_edge.llm.openai import OpenAiOptions
from blikk_edge.llm.shared import SharedOptions

MODEL = "{provider: openai, base_url: 'http://127.0.0.1:1/v1', model: tiny-1}"
HEAD = "node: one\nmqtt: false\ncameras: {yard: {source: yard.mp4}}\n"


def test_a_worker_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "worker.yaml"
    limits = "limits: {calls_per_day: 9, concurrency: 3, timeout_s: 2min}"
    file.write_text(f"worker: rack_1\nfleet: hall\nmodel: {MODEL[:-1]}, {limits}}}\n")
    read = load_worker(file, environ={})
    assert (read.fleet.site, read.options.id, read.options.concurrency) == ("hall", "rack_1", 3)
    assert (read.options.timeout_s, read.options.limits) == (120.0, SiteLimits(calls_per_day=9))
    assert isinstance(read.model.chosen.options, OpenAiOptions)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"fleet: hall\nmodel: {MODEL}", "`worker` is missing"),
        (f"worker: rack_1\nmodel: {MODEL}", "`fleet` is missing"),
        ("worker: rack_1\nfleet: hall\nmodel: {provider: openai, model: x}", "without `base_url`"),
        ("worker: rack_1\nfleet: hall\nmodel: {provider: fleet}", "without a language model of its own"),
        (f"worker: rack_1\nfleet: hall\nmodels: {MODEL}", "Did you mean `model`"),
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
