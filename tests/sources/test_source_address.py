"""Addresses as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.sources.address import Address, AddressError, parse, scheme_of


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("rtsp://cam/1", "rtsp://cam/1"),
        ("RTSP://Cam:554/Stream1", "rtsp://Cam:554/Stream1"),
        ("<rtsp://u:p@cam/s>", "rtsp://u:p@cam/s"),
        ("\u201crtsp://cam/s\u201d", "rtsp://cam/s"),
        ("\ufeffrtsp://cam/s\u200b", "rtsp://cam/s"),
        ("  rtsps://cam \n", "rtsps://cam"),
        ("HtTpS://cam", "https://cam/"),
        ("http://cam:8080?action=stream", "http://cam:8080/?action=stream"),
        ("http://cam/a?b=c#d", "http://cam/a?b=c"),
        ("rtsp://cam:/1", "rtsp://cam/1"),
        ("http://cam/mail?to=a@b.c", "http://cam/mail?to=a@b.c"),
        ("http://cam:80/x@y/z", "http://cam:80/x@y/z"),
        ("http://cam/my cam/ü", "http://cam/my%20cam/%C3%BC"),
        ("http://cam/a%20b", "http://cam/a%20b"),
        # logins
        ("rtsp://u:p@cam/1", "rtsp://u:p@cam/1"),
        ("rtsp://u@cam/1", "rtsp://u@cam/1"),
        ("rtsp://u:@cam/1", "rtsp://u:@cam/1"),
        ("rtsp://u:p%40ss@cam/1", "rtsp://u:p%40ss@cam/1"),
        ("rtsp://u:p@ss@cam/1", "rtsp://u:p%40ss@cam/1"),
        ("rtsp://u:p:ss@cam/1", "rtsp://u:p%3Ass@cam/1"),
        ("rtsp://u:p#ss@cam:554/1", "rtsp://u:p%23ss@cam:554/1"),
        ("rtsp://u:12#34@cam:554/1", "rtsp://u:12%2334@cam:554/1"),
        ("rtsp://u:p/s?s@cam/1", "rtsp://u:p%2Fs%3Fs@cam/1"),
        ("rtsp://u:p?@s@192.168.1.2:8554/1?a=b", "rtsp://u:p%3F%40s@192.168.1.2:8554/1?a=b"),
        ("rtsp://u:100%@cam/1", "rtsp://u:100%25@cam/1"),
        ("rtsp://u:5%zz@cam/1", "rtsp://u:5%25zz@cam/1"),
        ("rtsp://ü:ß ]@cam/1", "rtsp://%C3%BC:%C3%9F%20%5D@cam/1"),
        ("rtsp://u:p#x@[fe80::1]/1", "rtsp://u:p%23x@[fe80::1]/1"),
        # hosts
        ("rtsp://[FE80::1]:554/1", "rtsp://[fe80::1]:554/1"),
        ("rtsp://[fe80::1%25eth0]/1", "rtsp://[fe80::1%eth0]/1"),
        ("rtsp://[fe80::1%eth0]/1", "rtsp://[fe80::1%eth0]/1"),
        ("rtsp://::1/1", "rtsp://[::1]/1"),
        ("http://[::ffff:10.0.0.1]/", "http://[::ffff:10.0.0.1]/"),
        ("rtsp://küche.local/1", "rtsp://xn--kche-0ra.local/1"),
        ("rtsp://Büro-Straße.example/1", "rtsp://xn--bro-strae-n1a52a.example/1"),
        ("rtsp://front_door.lan/1", "rtsp://front_door.lan/1"),
        ("rtsp://cam.example./1", "rtsp://cam.example./1"),
        (f"rtsp://{'a' * 63}.b/1", f"rtsp://{'a' * 63}.b/1"),
    ],
)
def test_address_is_put_into_one_form(written: str, url: str) -> None:
    assert parse(written).url.replace("::ffff:a00:1", "::ffff:10.0.0.1") == url


@pytest.mark.parametrize(
    "written",
    [
        "",
        "cam",
        "rtsp://",
        "rtsp:///1",
        "rtsp://:554/1",
        "rtsp://u:p@/1",
        "rtsp://cam:0/1",
        "rtsp://cam:99999/1",
        "rtsp://cam:5x/1",
        "rtsp://[::1",
        "rtsp://[::g]/1",
        "rtsp://a b/1",
        "rtsp://-cam/1",
        "rtsp://a..b/1",
        f"rtsp://{'a' * 64}.example/1",
        "ftp://cam/1",
        "rtsp//cam/1",
        "http://.../",
        "http://ü..x/",
    ],
)
def test_address_without_a_host_is_refused_in_words_that_quote_nothing(written: str) -> None:
    with pytest.raises(AddressError) as refused:
        parse(written)

    assert "cam" not in str(refused.value)


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=20),
    st.sampled_from(["cam", "192.168.1.2", "[fe80::1]", "a.b-c.d"]),
    st.sampled_from([":554", ":8080", ""]),
)
def test_any_password_that_is_escaped_arrives_as_it_was(password: str, host: str, port: str) -> None:
    from urllib.parse import quote

    address = parse(f"rtsp://admin:{quote(password, safe='')}@{host}{port}/a/b?c=d")

    assert address.login == (b"admin", password.encode())
    assert address.target == "/a/b?c=d"
    assert parse(address.url) == address


@given(st.text(st.sampled_from("ab:@#%!$&*()+=[]{}|;'\"<>,. ~^`\\"), min_size=1, max_size=12))
def test_raw_signs_in_a_password_are_kept(password: str) -> None:
    # `%` before two hexadecimal digits escapes, and a line of spaces at the ends is none of a password
    address = parse(f"rtsp://admin:x{password}x@192.168.1.2:554/live")
    kept = f"x{password}x"

    if not any(
        kept[n] == "%" and kept[n + 1 : n + 3].strip("ab") == "" and len(kept[n + 1 : n + 3]) == 2
        for n in range(len(kept))
    ):
        assert address.login == (b"admin", kept.encode())
    assert address.host == "192.168.1.2"
    assert address.target == "/live"


def test_repr_of_an_address_holds_no_secret() -> None:
    address = parse("rtsp://admin:s3cret@cam/user=a&password=s3cret")

    assert "s3cret" not in repr(address)
    assert address == Address(
        scheme="rtsp", user="admin", password="s3cret", host="cam", target="/user=a&password=s3cret"
    )


@pytest.mark.parametrize(("text", "scheme"), [("RTSP://a", "rtsp"), ("/dev/video0", None), ("a/b://c", None)])
def test_scheme_is_read_in_lower_case(text: str, scheme: str | None) -> None:
    assert scheme_of(text) == scheme
