"""Whatever is wrong with somebody else's package: it is said, by name and cause, and nothing else stops."""

import logging
import re
from pathlib import Path

import pytest

from blikk_edge.core.errors import SinkError
from blikk_edge.kinds import plugins
from blikk_edge.kinds.plugins import PluginError
from blikk_edge.sinks.kinds import SINKS

GROUP = "blikk.sinks"
HEAD = """
from dataclasses import dataclass
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import SECRET
from blikk_edge.kinds.kind import Kind

@dataclass(frozen=True, kw_only=True)
class Options:
    token: Secret | None = None

OPTIONS = Section(of=Options, keys=(Key(name="token", value=SECRET, meaning="A."),))
class Sink:
    name = "mine"
    async def run(self, inbox): ...
def make(options, context): return Sink()
"""
GOOD = HEAD + "KIND = Kind(name='mine', meaning='Mine.', options=OPTIONS, make=make)"

BROKEN = {
    "syntax": ("def (", "SyntaxError"),
    "import": ("import no_such_module_at_all", "no_such_module_at_all"),
    "at import": ("raise RuntimeError('because')", "because"),
    "ends the program": ("import sys; sys.exit('I do not like this machine')", "I do not like this machine"),
    "no such name": ("", "cannot be loaded"),
    "no kind": ("KIND = 7", "is no Kind"),
    "newer port": (GOOD.replace("make=make)", "make=make, port=2)"), "written for version 2 of plug-ins"),
    "port is a text": (GOOD.replace("make=make)", "make=make, port='2')"), "which is a whole number"),
    "make is none": (GOOD.replace("make=make)", "make=None)"), "a function `make`"),
    "cannot say why": (
        "class E(Exception):\n def __str__(self): raise ValueError\nraise E",
        "cannot be loaded: E",
    ),
    "other name": (GOOD.replace("name='mine'", "name='yours'"), "calls itself 'yours'"),
}


@pytest.mark.parametrize(("code", "said"), BROKEN.values(), ids=BROKEN)
def test_a_plug_in_that_cannot_be_loaded_is_reported_by_name_and_cause(install, code: str, said: str) -> None:
    install("plug_broken", GROUP, "mine", code)
    with pytest.raises(PluginError, match=re.escape(said)) as caught:
        SINKS.get("mine")
    assert "mine" in str(caught.value)
    (listed,) = [each for each in SINKS.listed() if each.package == "plug_broken"]
    assert (listed.name, listed.version, listed.refused) == ("mine", "1.2", str(caught.value))


MAKES = {
    "fails": ("def make(o, c): raise ValueError('your token ' + o.token.reveal())", "your token ***"),
    "nothing": ("def make(o, c): ...", "NoneType, which lacks name, run"),
    "other arguments": ("def make(): ...", "TypeError"),
    "ends the program": ("def make(o, c): raise SystemExit(3)", "made none: SystemExit: 3"),
}


@pytest.mark.parametrize(("make", "said"), MAKES.values(), ids=MAKES)
def test_a_plug_in_that_makes_nothing_of_use_is_reported_without_its_secrets(install, make: str, said: str) -> None:
    install("plug_useless", GROUP, "mine", GOOD.replace("def make(options, context): return Sink()", make))
    kind = SINKS.get("mine")
    with pytest.raises(PluginError, match=re.escape(said)) as caught:
        SINKS.make(kind, kind.section(Path())({"token": "sesame-open"}), None)
    assert "sesame" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_error_of_the_plug_in_for_its_user_stays_as_it_is(install) -> None:
    code = "def make(o, c):\n from blikk_edge.core.errors import SinkError\n raise SinkError('set a token')"
    install("plug_asks", GROUP, "mine", GOOD.replace("def make(options, context): return Sink()", code))
    kind = SINKS.get("mine")
    with pytest.raises(SinkError, match=r"^set a token$"):
        SINKS.make(kind, kind.section(Path())(None), None)


def test_two_plug_ins_of_one_name_are_both_refused(install) -> None:
    install("plug_one", GROUP, "mine", GOOD)
    install("plug_two", GROUP, "mine", GOOD)
    with pytest.raises(PluginError, match=r"several plug-ins .*plug_one:KIND, plug_two:KIND"):
        SINKS.get("mine")
    assert all(each.refused for each in SINKS.listed() if each.name == "mine")


def test_a_plug_in_does_not_take_the_name_of_ours(install) -> None:
    from blikk_edge.sources.kinds import SOURCES

    install("plug_thief", "blikk.sources", "rtsp", "raise RuntimeError")
    assert SOURCES.get("rtsp").meaning.startswith("A camera")
    (listed,) = [each for each in SOURCES.listed() if each.package == "plug_thief"]
    assert "one of Blikk Edge's own" in listed.refused


def test_a_name_that_is_not_there_is_reported_with_what_was_meant(install) -> None:
    install("plug_good", GROUP, "mine", GOOD)
    with pytest.raises(PluginError, match=r"there is no sink 'mien'; did you mean 'mine'\? \(there is .*mine.*\)"):
        SINKS.get("mien")


def test_a_plug_in_that_takes_long_to_load_is_named_in_the_log(install, monkeypatch, caplog) -> None:
    monkeypatch.setattr(plugins, "LOAD_S", 0.05)
    install("plug_slow", GROUP, "mine", "import time; time.sleep(0.1)\n" + GOOD)
    with caplog.at_level(logging.WARNING, logger="blikk.plugins"):
        assert SINKS.get("mine").meaning == "Mine."
    assert "sink mine: its plug-in plug_slow:KIND took 0." in caplog.text


def test_a_package_without_its_metadata_is_listed_all_the_same(install, site: Path) -> None:
    install("plug_bare", GROUP, "mine", GOOD)
    (site / "plug_bare-1.2.dist-info" / "METADATA").unlink()
    (listed,) = [each for each in SINKS.listed() if each.name == "mine"]
    assert listed.refused == ""


def test_a_plug_in_is_loaded_once_and_refused_once(install) -> None:
    install("plug_counts", GROUP, "mine", "import builtins\nbuiltins.plug_counts += 1\nraise RuntimeError('no')")
    import builtins

    builtins.plug_counts = 0
    try:
        for _ in range(3):
            with pytest.raises(PluginError, match="RuntimeError: no"):
                SINKS.get("mine")
        assert builtins.plug_counts == 1
    finally:
        del builtins.plug_counts
