"""What the parser says: help for everything, examples that work, and what was meant by a slip."""

import argparse
import shlex

import pytest

from blikk_edge.cli.completion import actions
from blikk_edge.cli.output import UsageError
from blikk_edge.cli.program import COMMANDS, parser


def commands() -> dict[str, argparse.ArgumentParser]:
    made = parser()
    (below,) = (a for a in made._actions if isinstance(a, argparse._SubParsersAction))
    return below.choices


def examples() -> list[str]:
    lines = [line.strip() for each in commands().values() for line in (each.epilog or "").splitlines()[1:]]
    return [line[line.index("blikk") :] for line in lines]


def test_no_argument_lacks_help_and_each_says_its_default():
    for action in actions(parser()):
        assert action.help, action.dest
        if action.option_strings and action.default not in {None, False, argparse.SUPPRESS} and action.nargs != 0:
            assert "default" in action.help, action.option_strings


def test_every_command_says_what_it_does_with_examples():
    assert len(commands()) == len(COMMANDS)
    for name, each in commands().items():
        text = each.format_help()
        assert "examples:" in text, name
        assert f"blikk {name}" in text, name
        assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("example", examples())
def test_every_example_is_a_command_line(example: str):
    assert callable(parser().parse_args(shlex.split(example)[1:]).command)


def test_the_help_explains_every_exit_status():
    text = parser().format_help()
    assert all(f"  {status} " in text for status in (0, 1, 2, 78, 130))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("chek", "there is no command 'chek'; did you mean 'check'?"),
        ("replya clip.mp4", "did you mean 'replay'?"),
        ("xyzzy", "there is init, run, check"),
        ("check --jsn", "'--jsn' is not understood; did you mean '--json'?"),
        ("run --confg=x.yaml", "did you mean '--config'?"),
        ("models pul", "there is no ACTION 'pul'; did you mean 'pull'?"),
        ("completion tcsh", "there is no SHELL 'tcsh'"),
        ("run --log-level loud", "there is debug, info, warning, error"),
        ("check a.yaml b.yaml", "'b.yaml' is not understood\nSee"),
        ("run hall.yaml", "'hall.yaml' is not understood; did you mean '--config hall.yaml'?"),
        ("replay", "required: CLIP"),
        ("", "required: COMMAND"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(line: str, says: str):
    with pytest.raises(UsageError) as raised:
        parser().parse_args(shlex.split(line))
    assert says in str(raised.value)
    assert "--help`" in str(raised.value)


@pytest.mark.parametrize("line", ["run --pictures", "demo --json", "version --pictures"])
def test_an_option_of_another_command_is_not_taken_for_a_slip(line: str):
    with pytest.raises(UsageError, match="is not understood\\n"):
        parser().parse_args(shlex.split(line))


@pytest.mark.parametrize("line", ["models verify --json yunet yunet-s", "models verify yunet --json yunet-s"])
def test_options_may_stand_among_the_names(line: str):
    options = parser().parse_args(shlex.split(line))
    assert (options.names, options.json) == (["yunet", "yunet-s"], True)
