"""Each field of a public value has a line of its own that says what it is, and each line has its field."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# One name for each line: what renders the reference takes `x1, y1:` for the field `x1,` of the type `y1`.
LINE = re.compile(r"    (\w+): \S")


def fields_of(value: ast.ClassDef) -> list[ast.AnnAssign]:
    """Its public fields."""
    return [
        each
        for each in value.body
        if isinstance(each, ast.AnnAssign)
        and isinstance(each.target, ast.Name)
        and not each.target.id.startswith("_")
        and "ClassVar" not in ast.unparse(each.annotation)
    ]


def name_of(field: ast.AnnAssign) -> str:
    return ast.unparse(field.target)


def under_attributes(value: ast.ClassDef) -> list[str]:
    """The names that have a line under `Attributes:`."""
    section = (ast.get_docstring(value) or "").partition("Attributes:\n")[2]
    return [line[1] for line in map(LINE.match, section.split("\n")) if line]


def beside(value: ast.ClassDef) -> list[str]:
    """The fields that have a text below them."""
    return [
        name_of(field)
        for field, after in zip(value.body, value.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    ]


def without_line(value: ast.ClassDef) -> list[str]:
    """The fields of which nothing is said; of one alone the class says it."""
    names = [name_of(field) for field in fields_of(value)]
    said = {*under_attributes(value), *beside(value)}
    return [name for name in names if name not in said] if len(names) > 1 else []


def without_field(value: ast.ClassDef) -> list[str]:
    """The lines under `Attributes:` that speak of no field."""
    names = {name_of(field) for field in fields_of(value)}
    return [name for name in under_attributes(value) if name not in names]


def values_in(text: str) -> Iterator[ast.ClassDef]:
    """The public dataclasses of a module."""
    for each in ast.walk(ast.parse(text)):
        if isinstance(each, ast.ClassDef) and not each.name.startswith("_"):
            decorators = [ast.unparse(decorator).partition("(")[0] for decorator in each.decorator_list]
            if any(name.rpartition(".")[2] == "dataclass" for name in decorators):
                yield each


def values() -> Iterator[tuple[str, ast.ClassDef]]:
    """All of them, each with the name of its module."""
    for path in sorted((ROOT / "blikk_edge").rglob("*.py")):
        for each in values_in(path.read_text(encoding="utf-8")):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts), each


def test_each_field_of_a_value_has_its_line():
    found = [f"{module}.{each.name}.{name}" for module, each in values() for name in without_line(each)]
    assert not found, f"fields without a line under `Attributes:` or a text below them: {', '.join(found)}"


def test_each_line_about_a_field_has_its_field():
    found = [f"{module}.{each.name}: {name}" for module, each in values() for name in without_field(each)]
    assert not found, f"lines under `Attributes:` about no field: {', '.join(found)}"


@pytest.mark.parametrize(
    ("docstring", "missing"),
    [
        ("A box.", ["x1", "y1"]),
        ("A box from `x1`, `y1`.", ["x1", "y1"]),
        ("A box.\n\n    Attributes:\n        x1: The left edge.\n", ["y1"]),
        ("A box.\n\n    Attributes:\n        x1, y1: Its corner.\n", ["x1", "y1"]),
        ("A box.\n\n    Attributes:\n        x1: The left edge.\n        y1:\n", ["y1"]),
        ("A box.\n\n    Attributes:\n        x1: The left edge.\n        y1: The upper edge.\n", []),
    ],
    ids=["none", "run_on", "one", "group", "empty", "all"],
)
def test_a_field_without_a_line_is_found(docstring: str, missing: list[str]):
    text = f'@dataclass(frozen=True)\nclass Box:\n    """{docstring}"""\n\n    x1: float\n    y1: float = 0.0\n'
    assert [without_line(each) for each in values_in(text)] == [missing]


def test_a_text_below_a_field_is_its_line():
    text = '@dataclass\nclass Box:\n    """A box."""\n\n    x1: float\n    """The left edge."""\n    y1: float\n'
    assert [without_line(each) for each in values_in(text)] == [["y1"]]
