"""Logins over HTTP: Basic and Digest as cameras have them, and passwords that go nowhere else."""

import base64
import hashlib
import itertools
import logging
import re

import pytest
from http_answers import plainly, stills
from raw_web import Asked, raw_web
from reading import read, terms

from blikk_edge.core.errors import SourceError
from blikk_edge.sources.address import parse
from blikk_edge.sources.login import Login
from blikk_edge.sources.mjpeg import HttpSource, open_mjpeg
from blikk_edge.sources.request import is_same_server

USER, PASSWORD = "viewer", "p@ss:w/rd?#%"
ESCAPED = "p%40ss%3Aw%2Frd%3F%23%25"


def digest_is_right(reported: str, method: str, path: str, *, algorithm: str | None, qop: bool, password: str) -> bool:
    """An independent reading of RFC 7616."""
    values = {
        key.strip(): value.strip().strip('"')
        for key, _, value in (each.partition("=") for each in reported[7:].split(", "))
    }
    name = (algorithm or "MD5").replace("-sess", "")

    def hashed(text: str) -> str:
        return hashlib.new({"MD5": "md5", "SHA-256": "sha256"}[name], text.encode()).hexdigest()

    one = hashed(f"{USER}:cam:{password}")
    if algorithm and algorithm.endswith("-sess"):
        one = hashed(f"{one}:abc:{values['cnonce']}")
    two = hashed(f"{method}:{path}")
    middle = f"{values['nc']}:{values['cnonce']}:auth:" if qop else ""
    wanted = hashed(f"{one}:{values['nonce']}:{middle}{two}")
    return (values["username"], values["uri"], values["response"], values["nonce"], values["opaque"]) == (
        USER,
        path,
        wanted,
        "abc",
        "x,y",
    )


CHALLENGES = [(None, False), (None, True), ("MD5", True), ("MD5-sess", True), ("SHA-256", True), ("SHA-256-sess", True)]


@pytest.mark.parametrize(("algorithm", "qop"), CHALLENGES)
def test_digest_login_is_let_in_and_a_wrong_one_is_named(algorithm: str | None, qop: bool) -> None:
    counts: list[str] = []
    given = stills()

    def answer(asked: Asked) -> bool | None:
        reported = asked.headers.get("authorization", "")
        if reported.startswith("Digest ") and digest_is_right(
            reported, "GET", asked.path, algorithm=algorithm, qop=qop, password=PASSWORD
        ):
            counts.append(reported)
            return given(asked)
        challenge = 'Digest realm="cam", nonce="abc", opaque="x,y"'
        challenge += f", algorithm={algorithm}" if algorithm else ""
        challenge += ', qop="auth,auth-int"' if qop else ""
        plainly("401 No", b"log in", f'WWW-Authenticate: Basic realm="cam"\r\nWWW-Authenticate: {challenge}\r\n')(asked)
        return True

    with raw_web(answer) as web:
        assert len(read(open_mjpeg(web.url("/snap?a=b", f"{USER}:{ESCAPED}"), terms()), 3)) == 3
        assert len(web.asked) == 4  # asked for once, known from then on
        assert web.connections == 1
        assert len(set(counts)) == (3 if qop else 1)
        for login in (f"{USER}:wrong", ""):
            asked = len(web.asked)
            with pytest.raises(SourceError, match=r"\(401\)"):
                read(open_mjpeg(web.url("/snap?a=b", login), terms()), 1)
            assert len(web.asked) - asked <= 2  # a camera may lock out who tries often


def test_digest_login_that_is_only_offered_with_the_content_is_let_in() -> None:
    given = stills()

    def hashed(*texts: str) -> str:
        return hashlib.new("md5", ":".join(texts).encode()).hexdigest()

    def answer(asked: Asked) -> bool | None:
        values = dict(re.findall(r'(\w+)="?([^",]*)"?', asked.headers.get("authorization", "")))
        two = hashed("GET", asked.path, hashed(""))
        one = hashed("u", "c", "p")
        if values.get("response") == hashed(one, "n", values.get("nc", ""), values.get("cnonce", ""), "auth-int", two):
            return given(asked)
        plainly("401 No", more='WWW-Authenticate: Digest realm="c", nonce="n", qop="auth-int"\r\n')(asked)
        return True

    with raw_web(answer) as web:
        assert len(read(open_mjpeg(web.url("/snap", "u:p"), terms()), 2)) == 2


def test_server_that_wants_a_login_and_does_not_say_which_gets_the_simplest() -> None:
    given = stills()

    def answer(asked: Asked) -> bool | None:
        if asked.headers.get("authorization") == "Basic " + base64.b64encode(b"u:p").decode():
            return given(asked)
        plainly("401 No")(asked)
        return True

    with raw_web(answer) as web:
        assert len(read(open_mjpeg(web.url("/snap", "u:p"), terms()), 2)) == 2
        with pytest.raises(SourceError, match=r"\(401\)"):
            read(open_mjpeg(web.url("/snap", "u:wrong"), terms()), 1)
        with pytest.raises(SourceError, match=r"\(401\)"):
            read(open_mjpeg(web.url("/snap"), terms()), 1)


@pytest.mark.parametrize(
    ("named", "asked", "same"),
    [
        ("http://cam/a", "http://cam/b", True),
        ("http://cam/a", "http://CAM:80/b", True),
        ("http://cam/a", "https://cam/a", True),
        ("https://cam/a", "http://cam/a", False),
        ("http://cam:8080/a", "https://cam/a", False),
        ("http://cam/a", "https://cam:8443/a", False),
        ("http://cam/a", "https://cam.evil/a", False),
        ("http://cam/a", "http://cam:81/a", False),
    ],
)
def test_login_goes_to_the_same_server_and_to_its_encrypted_port(named: str, asked: str, same: bool) -> None:
    assert is_same_server(parse(named), parse(asked)) == same


def test_cookie_that_a_redirect_sets_comes_back_to_its_own_server_alone() -> None:
    given = stills()
    elsewhere: list[str] = []

    def other(asked: Asked) -> bool | None:
        elsewhere.append(asked.headers.get("cookie", ""))
        return given(asked)

    with raw_web(other) as far:

        def answer(asked: Asked) -> bool | None:
            if asked.path == "/far":
                plainly("302 Found", more=f"Set-Cookie: sid=1\r\nLocation: {far.url('/snap')}\r\n")(asked)
            elif asked.headers.get("cookie") == "sid=1; lang=en":
                return given(asked)
            else:
                more = "Set-Cookie: sid=1; path=/; HttpOnly\r\nSet-Cookie: lang=en\r\nLocation: /snap\r\n"
                plainly("302 Found", more=more)(asked)
            return True

        with raw_web(answer) as web:
            assert len(read(open_mjpeg(web.url("/snap"), terms()), 3)) == 3
            read(open_mjpeg(web.url("/far"), terms()), 1)

    assert set(elsewhere) == {""}


def test_nonce_that_became_too_old_is_renewed() -> None:
    nonces, given = itertools.count(), stills()

    def answer(asked: Asked) -> bool | None:
        n = next(nonces)
        if n % 3 and f'nonce="n{n - n % 3}"' in asked.headers.get("authorization", ""):
            return given(asked)
        stale = ", stale=true" if "authorization" in asked.headers else ""
        plainly("401 No", more=f'WWW-Authenticate: Digest realm="c", nonce="n{n}", qop="auth"{stale}\r\n')(asked)
        return True

    with raw_web(answer) as web:
        assert len(read(open_mjpeg(web.url("/snap", "u:p"), terms()), 5)) == 5


def test_nonce_that_became_too_old_is_renewed_though_the_camera_does_not_say_why() -> None:
    nonces, given = itertools.count(), stills()

    def answer(asked: Asked) -> bool | None:
        n = next(nonces)
        if n % 3 and f'nonce="n{n - n % 3}"' in asked.headers.get("authorization", ""):
            return given(asked)
        plainly("401 No", more=f'WWW-Authenticate: Digest realm="c", nonce="n{n}", qop="auth"\r\n')(asked)
        return True

    with raw_web(answer) as web:
        source = open_mjpeg(web.url("/snap", "u:p"), terms())
        assert len(read(source, 5)) == 5

    assert source.counts.connections == 1


def test_one_header_may_offer_several_logins() -> None:
    login = Login(b"u", b"p")

    assert login.challenged(['Basic realm="a, b", Digest realm="c", nonce="n,1", qop="auth", Negotiate'])
    assert 'realm="c"' in str(login.header("GET", "/"))
    assert 'nonce="n,1"' in str(login.header("GET", "/"))


def test_password_does_not_go_to_another_server() -> None:
    seen: list[str] = []

    def elsewhere(asked: Asked) -> None:
        seen.append(asked.headers.get("authorization", ""))
        plainly("401 No", more='WWW-Authenticate: Basic realm="x"\r\n')(asked)

    with raw_web(elsewhere) as other:

        def answer(asked: Asked) -> None:
            plainly("302 There", more=f"Location: http://127.0.0.1:{other.port}/x\r\n")(asked)

        with raw_web(answer) as web, pytest.raises(SourceError, match=r"\(401\)"):
            read(open_mjpeg(web.url("/a", "u:p"), terms()), 1)

    assert seen == [""]


def test_nothing_of_an_address_is_logged_or_reported(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with raw_web(plainly("404 No")) as web:
        source = HttpSource(web.url("/s3cret?t=s3cret", "u:s3cret"), terms())
        with pytest.raises(SourceError) as caught:
            read(source, 1)

    assert caught.value.__context__ is None
    assert "s3cret" not in repr(source) + repr(source.__dict__) + caplog.text + str(caught.value)
