"""A secret never shows: not in a problem, not in `repr`, not in a traceback."""

import pickle
import traceback
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blikk_edge.config import ConfigErrors, Settings, check, load
from blikk_edge.grammar.secrets import Secret, SourceUrl

# Long and odd enough not to be part of our own words, short of what YAML could not carry in single quotes.
ODD = st.text(alphabet="zq7#:/?@%&{}[]!*<>|'\"\\~= -é", max_size=12).map(lambda text: f"zq7{text}xw9")
SEARCHED = ("zq7", "xw9")


def reported(path: Path) -> str:
    """All that can be seen of reading this file: problems, the exception with its causes, or the Settings."""
    seen = [f"{problem!r} {problem}" for problem in check(path, {})]
    try:
        got = load(path, environ={})
    except ConfigErrors as error:
        seen.append("".join(traceback.TracebackException.from_exception(error).format()))
        seen += [repr(error), str(error), repr(error.__cause__), repr(error.__context__), repr(error.args)]
    else:
        seen += [repr(got), str(got), f"{got}"]
    return "\n".join(seen)


def assert_hidden(text: str) -> None:
    assert not [part for part in SEARCHED if part in text], text


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("secrets")


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=ODD, broken=st.booleans())
def test_password_in_the_file_never_shows(folder: Path, secret: str, broken: bool):
    path = folder / "blikk.yaml"
    tls = "{key_password: " + quoted(secret) + "}"
    path.write_text(
        f"node: n\nmqtt: {{host: b, username: {quoted(secret)}, password: {quoted(secret)}"
        f"{f', tls: {tls}' if broken else ''}}}\ncameras: {{a: /dev/video0}}\n"
    )
    assert bool(check(path, {})) == broken
    assert_hidden(reported(path))


@settings(max_examples=150, deadline=None)
@given(secret=ODD)
def test_password_that_is_not_quoted_never_shows(folder: Path, secret: str):
    path = folder / "blikk.yaml"
    path.write_text(
        f"node: n\nmqtt:\n  host: b\n  username: u\n  password: {secret[3:]}\ncameras: {{a: /dev/video0}}\n"
    )
    assert "xw9" not in reported(path)


@settings(max_examples=200, deadline=None)
@given(secret=ODD, user=ODD, encoded=st.booleans(), template=st.integers(0, 5))
def test_login_in_a_source_never_shows(folder: Path, secret: str, user: str, encoded: bool, template: int):
    path = folder / "blikk.yaml"
    login, word = (quote(user, safe=""), quote(secret, safe="")) if encoded else (user, secret)
    source = (
        f"rtsp://{login}:{word}@cam/stream",
        f"rtsp://{login}:12/{word}@cam:554/stream",
        f"http://cam/video?user={login}&password={word}",
        f"rtsp://cam:554/user={login}&password={word}&channel=1.sdp",
        f"rtps://{login}:{word}@cam/stream",
        f"{login}:{word}@cam/stream",
    )[template]
    path.write_text(f"node: n\nmqtt: b\ncameras: {{a: {{source: {quoted(source)}}}}}\n")
    seen = reported(path)
    assert_hidden(seen)


PLACES = [  # where a user may try a !secret
    "node",
    "mqtt.host",
    "mqtt.port",
    "mqtt.prefix",
    "mqtt.tls.ca",
    "mqtt.username",
    "mqtt.password",
    "privacy",
    "privacy.blur",
    "privacy.model",
    "models.mirror",
    "detectors.default.sha256",
    "home_assistant.mode",
    "store.path",
    "workers",
    "cameras",
    "cameras.a",
    "cameras.a.source",
    "cameras.a.fps",
    "cameras.a.labels",
    "cameras.a.detector",
    "cameras.a.loiter_s",
    "cameras.a.zones.z.polygon",
    "cameras.a.watch",
]


@settings(max_examples=150, deadline=None)
@given(secret=ODD, key=st.sampled_from(PLACES))
def test_secret_from_the_file_beside_never_shows_wherever_it_is_used(folder: Path, secret: str, key: str):
    path = folder / "blikk.yaml"
    (folder / "secrets.yaml").write_text(yaml.safe_dump({"s": secret}, allow_unicode=True))
    head = {"node": "n", "mqtt": {"host": "b", "username": "u"}, "cameras": {"a": {"source": "/dev/video0"}}}
    *above, last = key.split(".")
    at: dict = head
    for step in above:
        at = at.setdefault(step, {})
    at[last] = "PLANTED"
    path.write_text(yaml.safe_dump(head).replace("PLANTED", "!secret s"))
    assert_hidden(reported(path))


@pytest.mark.parametrize(
    "written",
    ["*zq7xw9", "!zq7xw9", "&zq7xw9", "{zq7xw9}", "{zq7xw9, zq7xw9}", "[zq7xw9]", "'zq7xw9", "zq7xw9: a", '"\\zq7xw9"'],
)
def test_password_that_yaml_takes_for_syntax_never_shows(write, written):
    path = write(f"node: n\nmqtt:\n  host: b\n  username: u\n  password: {written}\ncameras: {{a: /dev/video0}}\n")
    assert check(path, {}) or written.startswith("&")
    assert_hidden(reported(path))


@pytest.mark.parametrize("written", ["rtsp://u:zq7xw9@cam/", "u:zq7xw9@cam"])
def test_address_written_as_a_key_never_shows(write, written):
    assert_hidden(
        reported(write(f"node: n\nmqtt: b\ncameras:\n  '{written}':\n    source: /dev/video0\n    '{written}': 1\n"))
    )


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://cam/1", "rtsp://cam/1"),
        ("rtsp://u:p@cam:554/1", "rtsp://***@cam:554/1"),
        ("rtsp://u@[fe80::1]/1", "rtsp://***@[fe80::1]/1"),
        ("http://cam/a.m3u8?token=p", "http://cam/a.m3u8?***"),
        ("rtsp://cam/user=u&password=p", "rtsp://cam/***"),
        ("rtsp://u:1/2@cam/1", "rtsp://***"),
        ("rtsp://u:p/q@cam/1", "rtsp://***"),
        ("rtsp://u:p@q/r@cam/1", "rtsp://***"),
        ("/dev/video0", "/dev/video0"),
    ],
)
def test_source_shows_what_is_no_secret(source, shown):
    assert (SourceUrl(source).public, str(SourceUrl(source)), f"{SourceUrl(source)}") == (shown, shown, shown)


def test_source_from_the_secrets_shows_its_scheme_alone(write):
    path = write("node: n\nmqtt: b\ncameras: {a: !secret cam}\n", "cam: rtsps://host:7441/token\n")
    source = load(path, environ={}).cameras[0].source
    assert (str(source), source.reveal()) == ("rtsps://***", "rtsps://host:7441/token")
    assert str(SourceUrl("/dev/video0", hidden=True)) == "***"


def test_secret_cannot_be_pickled():
    with pytest.raises(TypeError):
        pickle.dumps(Secret("a"))
    with pytest.raises(TypeError):
        pickle.dumps(SourceUrl("rtsp://a/"))


def test_settings_hold_the_secret_all_the_same(write):
    text = "node: n\nmqtt: {host: b, username: u, password: zq7xw9}\ncameras: {a: 'rtsp://u:zq7xw9@cam/'}\n"
    got: Settings = load(write(text), environ={})
    assert got.mqtt.password is not None
    assert got.mqtt.password.reveal() == "zq7xw9"
    assert "zq7xw9" in got.cameras[0].source.reveal()
