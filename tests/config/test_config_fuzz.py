"""Whatever is in the file: Settings or problems, never another exception, and the problem stands at its line."""

import random
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from blikk_edge.config import ConfigErrors, Settings, check, load
from blikk_edge.config.grammar import grammar
from blikk_edge.grammar.schema import ById, Section
from blikk_edge.grammar.values import Scalar


def keys_of(section: Section) -> list[str]:
    names = [key.name for key in section.keys]
    for key in section.keys:
        below = key.value.section if isinstance(key.value, ById) else key.value
        names += keys_of(below) if isinstance(below, Section) else []
    return names


KEYS = sorted(set(keys_of(grammar(Path()))))
WORDS = st.sampled_from(
    [*KEYS, "front_door", "off", "person", "5min", "rtsp://u:p@cam/1", "/dev/video0", "yolox-nano", "~/x"]
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(max_size=5) | WORDS
)
NONSENSE = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(WORDS | st.text(max_size=5) | st.integers(), below, max_size=4)
        | st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, below))
    ),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def assert_settings_or_problems(path: Path) -> None:
    problems = check(path, {})
    if not problems:
        assert isinstance(load(path, environ={}), Settings)
        return
    with pytest.raises(ConfigErrors) as caught:
        load(path, environ={})
    assert list(caught.value.problems) == problems
    assert str(caught.value)


@settings(max_examples=300, deadline=None)
@given(value=NONSENSE)
def test_any_yaml_gives_settings_or_problems(folder: Path, value):
    path = folder / "blikk.yaml"
    path.write_text(yaml.safe_dump(value, allow_unicode=False), encoding="utf-8")
    assert_settings_or_problems(path)


@settings(max_examples=200, deadline=None)
@given(
    value=st.fixed_dictionaries(
        {
            "node": st.just("n") | NONSENSE,
            "mqtt": st.just("b") | st.fixed_dictionaries({"host": st.just("b"), "tls": NONSENSE}) | NONSENSE,
            "cameras": st.fixed_dictionaries({"a": st.fixed_dictionaries({"source": WORDS, "zones": NONSENSE})})
            | NONSENSE,
        }
    )
)
def test_nearly_good_yaml_gives_settings_or_problems(folder: Path, value):
    path = folder / "blikk.yaml"
    path.write_text(yaml.safe_dump(value), encoding="utf-8")
    assert_settings_or_problems(path)


@settings(max_examples=300, deadline=None)
@given(raw=st.binary(max_size=60) | st.text(alphabet="a:-?&*!|>'\"%@`{}[],# \n\t\\~<=0é", max_size=60).map(str.encode))
def test_any_bytes_give_settings_or_problems(folder: Path, raw: bytes):
    path = folder / "blikk.yaml"
    path.write_bytes(raw)
    assert_settings_or_problems(path)


@pytest.mark.parametrize("seed", range(60))
def test_sample_with_damaged_bytes_gives_settings_or_problems(folder: Path, seed: int):
    sample = bytearray((Path(__file__).parents[2] / "docs/guide/blikk.yaml").read_bytes())
    dice = random.Random(seed)
    for _ in range(dice.randint(1, 5)):
        at = dice.randrange(len(sample))
        sample[at : at + dice.randint(0, 9)] = bytes(dice.choices(b"\n :-{}[]*&!'\"ax5\t", k=dice.randint(0, 4)))
    path = folder / "blikk.yaml"
    path.write_bytes(sample)
    assert_settings_or_problems(path)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_problem_stands_at_the_line_of_its_key(folder: Path, data):
    camera = next(key for key in grammar(Path()).keys if key.name == "cameras").value.section
    scalars = [
        key.name for key in camera.keys if isinstance(key.value, Scalar) and key.name not in {"name", "detector"}
    ]
    bad = data.draw(st.sets(st.sampled_from(scalars)))
    lines = ["node: n", "mqtt: b", "cameras:", "  a:", "    source: /dev/video0"]
    expected = []
    for name in data.draw(st.permutations(scalars)):
        lines += [""] * data.draw(st.integers(0, 2)) + ["    # a comment"] * data.draw(st.integers(0, 1))
        if name in bad:
            lines.append(f"    {name}: '?'")
            expected.append((len(lines), f"cameras.a.{name}"))
    path = folder / "blikk.yaml"
    path.write_text("\n".join(lines) + "\n")
    assert [(problem.line, problem.path) for problem in check(path, {})] == expected
