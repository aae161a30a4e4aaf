"""HTTP/1.1 as http_response speaks it: requests, heads, bodies, redirects."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inputs.http_response.body import BodyError, BodyReader
from agent.inputs.http_response.protocol import (
    Head,
    ProtocolError,
    Request,
    basic_authorization,
    encode_request,
    parse_head,
    read_head,
    redirected,
)


def in_pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """The data, cut at these places."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


def head_of(*pieces: bytes) -> Head:
    async def read() -> Head:
        reader = asyncio.StreamReader()
        for piece in pieces:
            reader.feed_data(piece)
        reader.feed_eof()
        return await read_head(reader)

    return asyncio.run(read())


def body_of(
    pieces: Sequence[bytes], method: str = "GET", status: int = 200, max_bytes: int = 10**6, **headers: str
) -> bytes:
    """The body that these pieces hold, after which the peer closes the connection."""

    async def read() -> bytes:
        reader = asyncio.StreamReader()
        for piece in pieces:
            reader.feed_data(piece)
        reader.feed_eof()
        body = BodyReader(reader, max_bytes=max_bytes, keep=True)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await asyncio.wait_for(body.read(method, Head(status, named)), 30)
        assert body.length == len(body.content)
        return body.content

    return asyncio.run(read())


# requests


def test_a_request_names_the_host_and_closes() -> None:
    text = encode_request(Request("GET", "http://example.org:8080/a%20b?q=1&r=[2]#part", {})).decode()
    assert text.startswith("GET /a%20b?q=1&r=[2] HTTP/1.1\r\nHost: example.org:8080\r\n")
    assert "Connection: close\r\n" in text
    assert text.endswith("\r\n\r\n")


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("http://example.org", "example.org", "/"),
        ("https://example.org:443/x", "example.org", "/x"),
        ("http://[::1]:81/", "[::1]:81", "/"),
        ("http://bücher.example/süß?ä=ö", "xn--bcher-kva.example", "/s%C3%BC%C3%9F?%C3%A4=%C3%B6"),
    ],
)
def test_host_and_target(url: str, host: str, target: str) -> None:
    lines = encode_request(Request("GET", url, {})).decode().split("\r\n")
    assert lines[0] == f"GET {target} HTTP/1.1"
    assert lines[1] == f"Host: {host}"


def test_given_headers_win_whatever_their_case() -> None:
    text = encode_request(Request("GET", "http://a/", {"host": "other", "USER-AGENT": "me"})).decode()
    assert "host: other\r\n" in text
    assert "USER-AGENT: me\r\n" in text
    assert text.lower().count("host:") == text.lower().count("user-agent:") == 1


def test_a_body_has_its_length() -> None:
    data = encode_request(Request("POST", "http://a/", {}, "grün".encode()))
    assert b"Content-Length: 5\r\n" in data
    assert data.endswith(b"\r\n\r\ngr\xc3\xbcn")


def test_basic_authorization() -> None:
    assert basic_authorization("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="  # RFC 7617


# heads


def test_a_head() -> None:
    head = head_of(b"HTTP/1.1 204 No Content\r\nA: 1\r\nb:2\r\na: 3\r\n\r\n")
    assert head == Head(204, {"a": "1, 3", "b": "2"})


def test_a_careless_server_is_understood() -> None:
    assert head_of(b"\r\nHTTP/1.0 200\nServer: x\n\n") == Head(200, {"server": "x"})


def test_interim_answers_are_skipped() -> None:
    assert head_of(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n") == Head(200, {})


@pytest.mark.parametrize(
    "data", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 2x0 A\r\n\r\n"]
)
def test_what_is_not_http_is_said_so(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="expected an HTTP/1 answer"):
        head_of(data)


def test_a_head_without_end_is_not_read_for_ever() -> None:
    with pytest.raises(ProtocolError, match="longer than"):
        head_of(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000)
    with pytest.raises(ProtocolError, match="line of more than"):
        head_of(b"HTTP/1.1 200 OK\r\na: " + b"b" * 200_000)


def test_a_head_that_is_cut_off() -> None:
    with pytest.raises(EOFError):
        head_of(b"HTTP/1.1 200 OK\r\nA: ")


@given(st.binary(max_size=200))
def test_any_bytes_give_a_head_or_a_known_error(data: bytes) -> None:
    try:
        head_of(data)
    except (ProtocolError, EOFError):
        return


# bodies

bodies = st.binary(max_size=300)
cuts = st.lists(st.integers(0, 1000), max_size=6)


def chunked(parts: Sequence[bytes]) -> bytes:
    chunks = [b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts if part]
    return b"".join([*chunks, b"0\r\n", b"Trailer: x\r\n", b"\r\n"])


@given(bodies, cuts)
def test_a_body_of_known_length(data: bytes, cuts: list[int]) -> None:
    assert body_of(in_pieces(data + b"more", cuts), content_length=str(len(data))) == data


@given(bodies, cuts)
def test_a_body_up_to_the_end_of_the_connection(data: bytes, cuts: list[int]) -> None:
    assert body_of(in_pieces(data, cuts)) == data


@given(st.lists(bodies, max_size=5), cuts)
def test_a_body_in_chunks(parts: list[bytes], cuts: list[int]) -> None:
    data = chunked(parts)
    assert body_of(in_pieces(data, cuts), transfer_encoding="gzip, Chunked") == b"".join(parts)


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5), st.data())
def test_a_body_in_chunks_that_is_cut_off_is_an_error(parts: list[bytes], draw: st.DataObject) -> None:
    data = chunked(parts).removesuffix(b"Trailer: x\r\n\r\n").removesuffix(b"0\r\n")
    end = draw.draw(st.integers(0, len(data)))
    with pytest.raises(BodyError):
        body_of([data[:end]], transfer_encoding="chunked")


@given(st.binary(max_size=100))
def test_any_bytes_in_chunks_end_or_fail(data: bytes) -> None:
    try:
        body_of([data], transfer_encoding="chunked")
    except BodyError:
        return


def test_a_body_that_is_cut_off_says_how_much_came() -> None:
    with pytest.raises(BodyError, match="cut off, 6 bytes before its end") as caught:
        body_of([b"1234"], content_length="10")
    assert caught.value.received == 4


@pytest.mark.parametrize("length", ["-1", "abc", "1, 2", "0x10", "١"])
def test_a_length_that_is_none(length: str) -> None:
    with pytest.raises(BodyError, match="length"):
        body_of([b"1234"], content_length=length)


def test_the_same_length_twice_is_one() -> None:
    assert body_of([b"1234"], content_length="3, 3") == b"123"


@pytest.mark.parametrize("headers", [{"content_length": "20"}, {"transfer_encoding": "chunked"}, {}])
def test_a_body_that_is_too_long_is_an_error(headers: dict[str, str]) -> None:
    data = chunked([b"x" * 20]) if "transfer_encoding" in headers else b"x" * 20
    assert body_of([data], max_bytes=20, **headers) == b"x" * 20
    with pytest.raises(BodyError, match="longer than 19 bytes"):
        body_of([data], max_bytes=19, **headers)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_answers_without_a_body(method: str, status: int) -> None:
    assert body_of([b"next"], method, status, content_length="100") == b""


# redirects

CREDENTIALS = {"Authorization": base64.b64encode(b"u:p").decode(), "X-Api-Key": "k"}
REQUEST = Request("POST", "http://a.example/x/y?q", CREDENTIALS, b"body")


def follow(status: int, location: str | None, request: Request = REQUEST) -> Request | None:
    return redirected(request, Head(status, {} if location is None else {"location": location}))


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("z", "http://a.example/x/z"),
        ("/z#part", "http://a.example/z"),
        ("//b.example/z", "http://b.example/z"),
        ("https://b.example", "https://b.example"),
        ("http://u:p@b.example/", "http://b.example/"),
    ],
)
def test_where_a_redirect_leads(location: str, url: str) -> None:
    following = follow(302, location)
    assert following is not None
    assert following.url == url


@pytest.mark.parametrize(
    ("status", "method", "body"), [(301, "GET", b""), (303, "GET", b""), (307, "POST", b"body")]
)
def test_what_is_asked_after_a_redirect(status: int, method: str, body: bytes) -> None:
    following = follow(status, "/z")
    assert following is not None
    assert (following.method, following.body) == (method, body)


def test_head_stays_head() -> None:
    following = follow(302, "/z", REQUEST._replace(method="HEAD"))
    assert following is not None
    assert following.method == "HEAD"


@pytest.mark.parametrize(
    ("location", "goes_along"),
    [
        ("/z", True),
        ("http://A.example:80/z", True),
        ("https://a.example/z", False),
        ("http://a.example:81/z", False),
        ("http://b.example/", False),
    ],
)
def test_credentials_stay_with_the_server_they_are_for(location: str, goes_along: bool) -> None:
    following = follow(307, location)
    assert following is not None
    assert following.headers == (CREDENTIALS if goes_along else {})


@pytest.mark.parametrize(("status", "location"), [(200, "/z"), (304, "/z"), (302, None)])
def test_what_is_no_redirect(status: int, location: str | None) -> None:
    assert follow(status, location) is None


@pytest.mark.parametrize("location", ["ftp://a/", "http://[::1", "http://a:99999/", "http://a:0/"])
def test_a_redirect_to_nowhere(location: str) -> None:
    with pytest.raises(ProtocolError, match="cannot be followed"):
        follow(302, location)


def test_parse_head_needs_a_line() -> None:
    with pytest.raises(ProtocolError):
        parse_head([])
