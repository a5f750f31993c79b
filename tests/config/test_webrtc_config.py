"""`source: whep+https://...` and `source: whip` in `blikk.yaml`."""

import subprocess
import sys
from pathlib import Path

import pytest

from blikk_edge.config import load
from blikk_edge.grammar.problem import ConfigErrors

HEAD = "node: n\nmqtt: false\n"


def read(folder: Path, cameras: str, *, http: str = "http: true\n"):
    path = folder / "blikk.yaml"
    path.write_text(f"{HEAD}{http}cameras:\n{cameras}")
    (folder / "secrets.yaml").write_text("door: whep+https://host/hidden\ntoken: abc-def\n")
    return load(path, environ={})


def test_a_stream_is_named_by_its_address_or_with_its_options(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        "  plain: whep+https://user:pw@host/live/whep\n"
        "  hidden: {source: !secret door}\n"
        "  named: {source: {whep: {address: 'whep+http://192.168.1.9:8889/cam/whep', token: !secret token}}}\n"
        "  phone: whip\n"
        "  other: {source: 'WHIP://', push_token: 0123456789abcdef}\n",
    )
    shown = {camera.id: camera.source.public for camera in settings.cameras}
    assert shown == {
        "plain": "whep+https://***@host/live/whep",
        "hidden": "whep+https://***",
        "named": "whep+http://192.168.1.9:8889/cam/whep",
        "phone": "whip",
        "other": "whip",
    }
    assert [camera.by_whip for camera in settings.cameras] == [False, False, False, True, True]
    named = settings.cameras[2].plugged
    assert named is not None
    assert named.options.token.reveal() == "abc-def"


@pytest.mark.parametrize(
    ("cameras", "http", "problem"),
    [
        ("  a: whip\n", "", "the server to which a phone or browser sends is off"),
        ("  a: whep+http://8.8.8.8/x\n", "http: true\n", "without encryption"),
        ("  a: {source: {whep: {token: x}}}\n", "http: true\n", "`address` is missing"),
        ("  a: {source: {whep: {address: whep+https://h/x, tokn: x}}}\n", "http: true\n", "`tokn` is not known"),
        ("  a: {source: {rtsp: {address: rtsp://h/x}}}\n", "http: true\n", "a source of Blikk Edge's own"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, cameras: str, http: str, problem: str) -> None:
    with pytest.raises(ConfigErrors) as raised:
        read(tmp_path, cameras, http=http)
    assert problem in str(raised.value)


def test_reading_it_imports_neither_the_library_nor_pixels(tmp_path: Path) -> None:
    read(tmp_path, "  a: whep+https://host/x\n  b: whip\n")
    code = f"""
import pathlib, sys
from blikk_edge.config import load
assert len(load(pathlib.Path({str(tmp_path)!r}, "blikk.yaml"), environ={{}}).cameras) == 2
print(sorted({{"aiortc", "aioice", "av", "aiohttp", "segno"}} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "[]\n", "")


def test_the_check_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from blikk_edge.app.checking.extras import packages

    settings = read(tmp_path, "  a: whep+https://host/x\n  b: whip\n")
    assert list(packages(settings, {}, [])) == []
    monkeypatch.setitem(sys.modules, "aiortc", None)
    found = [(wrong.path, wrong.mend) for wrong in packages(settings, {}, [])]
    mend = f"Type: {sys.executable} -m pip install 'blikk-edge[webrtc]'"
    assert found == [(["cameras", name, "source"], mend) for name in ("a", "b")]
