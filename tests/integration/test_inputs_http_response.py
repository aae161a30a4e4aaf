"""http_response against real servers on loopback: good ones, slow ones, broken ones."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.inputs.http_response.input import HttpResponseInput
from agent.inputs.http_response.settings import HttpResponseSettings
from setpoint.reading import Point
from setpoint.units import Duration, Secret, Size
from tests.ports import free_port, full_port
from tests.servers import require

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# Far above any timeout under test, far below one that a hanging probe would need.
SOON_S = 20


def settings(*urls: str, **more: Any) -> HttpResponseSettings:
    made = HttpResponseSettings(urls=list(urls), **{"timeout": Duration(9_000), **more})
    assert not made.problems()
    return made


async def probe(*urls: str, **more: Any) -> list[Point]:
    source = HttpResponseInput(settings(*urls, **more))
    try:
        return list(await asyncio.wait_for(source.gather(), SOON_S))
    finally:
        await source.close()


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server in this event loop; its URL without path."""
    open_ones = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(writer)
        try:
            await handler(reader, writer)
        except OSError:
            pass  # the probe has gone
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        server.close()
        for writer in open_ones:
            writer.transport.abort()


def answering(answer: bytes, requests: list[bytes] | None = None) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if requests is not None:
            requests.append(request)
        writer.write(answer)
        await writer.drain()
        writer.write_eof() if writer.can_write_eof() else None
        await reader.read()

    return handle


def ask(handler: Handler, path: str = "/", **more: Any) -> Point:
    """The point that one probe of this server gives."""

    async def run() -> Point:
        async with serving(handler) as base:
            [point] = await probe(base + path, **more)
            assert point.tags["server"] == base + path
            return point

    return asyncio.run(run())


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class _Pages(BaseHTTPRequestHandler):
    """The standard library's server, as an ordinary peer that we did not write."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        page = b"status: ok, " + self.path.encode()
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def do_POST(self) -> None:
        page = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def pages() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_good_answer(pages: str) -> None:
    [point] = asyncio.run(probe(f"{pages}/page"))
    assert point.measurement == "http_response"
    assert point.tags == {
        "server": f"{pages}/page",
        "method": "GET",
        "status_code": "200",
        "result": "success",
    }
    response_time = point.fields["response_time"]
    assert point.fields == {
        "result_code": 0,
        "http_response_code": 200,
        "content_length": len("status: ok, /page"),
        "response_time": response_time,
    }
    assert isinstance(response_time, float)
    assert 0 < response_time < SOON_S


@pytest.mark.parametrize(
    ("path", "more", "result", "code", "matches"),
    [
        ("/", {"response_string_match": "status: [a-z]+"}, "success", 0, {"response_string_match": 1}),
        ("/", {"response_string_match": "down"}, "response_string_mismatch", 1, {"response_string_match": 0}),
        ("/missing", {}, "success", 0, {"http_response_code": 404}),
        ("/missing", {"response_status_code": 404}, "success", 0, {"response_status_code_match": 1}),
        (
            "/missing",
            {"response_status_code": 200, "response_string_match": "down"},
            "response_status_code_mismatch",
            6,
            {"response_status_code_match": 0, "response_string_match": 0},
        ),
        ("/", {"response_body_max_size": Size(4)}, "body_read_error", 2, {"http_response_code": 200}),
        ("/", {"method": "HEAD"}, "success", 0, {"content_length": 0}),
        (
            "/",
            {"method": "POST", "body": "what", "response_string_match": "^what$"},
            "success",
            0,
            {"http_response_code": 201, "content_length": 4},
        ),
    ],
)
def test_what_is_made_of_an_answer(
    pages: str, path: str, more: dict[str, Any], result: str, code: int, matches: dict[str, int]
) -> None:
    [point] = asyncio.run(probe(pages + path, **more))
    assert point.tags["result"] == result
    assert point.tags["method"] == more.get("method", "GET")
    assert point.fields["result_code"] == code
    assert matches.items() <= point.fields.items()


def test_a_closed_port_is_a_failed_connection() -> None:
    [point] = asyncio.run(probe(f"http://127.0.0.1:{free_port()}/"))
    assert point.tags["result"] == "connection_failed"
    assert point.fields == {"result_code": 3}
    assert "status_code" not in point.tags


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 64 + ".example"])
def test_a_name_without_address_is_a_dns_error(host: str) -> None:
    [point] = asyncio.run(probe(f"http://{host}/"))
    assert point.tags["result"] == "dns_error"
    assert point.fields == {"result_code": 5}


def test_a_server_that_speaks_something_else() -> None:
    point = ask(answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"))
    assert point.tags["result"] == "connection_failed"


def test_a_server_that_hangs_up() -> None:
    assert ask(answering(b"")).tags["result"] == "connection_failed"


def test_a_body_that_is_cut_off() -> None:
    point = ask(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234"), response_string_match="1234")
    assert point.tags["result"] == "body_read_error"
    assert point.tags["status_code"] == "200"
    assert point.fields["content_length"] == 4
    assert point.fields["response_string_match"] == 0


def test_a_body_in_chunks() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
    point = ask(answering(answer), response_string_match="^hello$")
    assert point.tags["result"] == "success"
    assert point.fields["content_length"] == 5


@pytest.mark.parametrize(
    ("beginning", "has_status"),
    [
        (b"", False),  # accepts, and says nothing
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", True),
    ],
)
@pytest.mark.parametrize("drips", [True, False])
def test_a_slow_server_does_not_outlive_the_timeout(beginning: bytes, has_status: bool, drips: bool) -> None:
    """A byte now and then keeps every limit on single reads from ever being reached."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(beginning)
        while True:
            await asyncio.sleep(0.05)
            if drips:
                writer.write(b"1")
            await writer.drain()

    began = time.monotonic()
    point = ask(handle, timeout=Duration(500))
    assert time.monotonic() - began < SOON_S
    assert point.tags["result"] == "timeout"
    assert point.fields["result_code"] == 4
    assert ("http_response_code" in point.fields) == has_status
    assert ("response_time" in point.fields) == has_status


def test_a_port_that_does_not_accept_is_a_timeout() -> None:
    with full_port() as port:
        [point] = asyncio.run(probe(f"http://127.0.0.1:{port}/", timeout=Duration(500)))
    assert point.tags["result"] == "timeout"
    assert point.fields == {"result_code": 4}


def test_several_urls_are_asked_at_once() -> None:
    async def run() -> list[Point]:
        everybody = asyncio.Barrier(3)

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await everybody.wait()
            writer.write(OK)
            await writer.drain()
            await reader.read()

        async with serving(handle) as base:
            return await probe(*(f"{base}/{n}" for n in range(3)))

    assert [point.tags["result"] for point in asyncio.run(run())] == ["success"] * 3


def test_a_failing_url_does_not_cost_the_others(pages: str) -> None:
    points = asyncio.run(probe(f"http://127.0.0.1:{free_port()}/", f"{pages}/"))
    assert [point.tags["result"] for point in points] == ["connection_failed", "success"]


def test_what_is_sent() -> None:
    requests: list[bytes] = []
    ask(
        answering(OK, requests),
        "/x?y=1",
        username="me",
        password=Secret("pw"),
        headers={"X-Key": Secret("value"), "Host": Secret("intranet")},
    )
    [first, *lines] = requests[0].decode().split("\r\n")
    assert first == "GET /x?y=1 HTTP/1.1"
    assert f"Authorization: Basic {base64.b64encode(b'me:pw').decode()}" in lines
    assert "X-Key: value" in lines
    assert "Host: intranet" in lines


def test_a_proxy_in_the_environment_is_ignored(pages: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    [point] = asyncio.run(probe(f"{pages}/"))
    assert point.tags["result"] == "success"


def redirecting(requests: list[bytes], target: str = "/end") -> Handler:
    """/end answers; every other path redirects to the target."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        requests.append(request)
        if request.split()[1] == b"/end":
            writer.write(OK)
        else:
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        await reader.read()

    return handle


def test_a_redirect_is_an_answer() -> None:
    requests: list[bytes] = []
    point = ask(redirecting(requests), "/start")
    assert point.tags["status_code"] == "302"
    assert len(requests) == 1


def test_a_redirect_is_followed_when_set_so() -> None:
    requests: list[bytes] = []
    point = ask(redirecting(requests), "/start", follow_redirects=True)
    assert point.tags["status_code"] == "200"
    assert [request.split()[1] for request in requests] == [b"/start", b"/end"]


def test_redirects_in_a_circle_end() -> None:
    requests: list[bytes] = []
    point = ask(redirecting(requests, target="/start"), "/start", follow_redirects=True)
    assert point.tags["result"] == "connection_failed"
    assert len(requests) == 11


def test_a_password_does_not_follow_a_redirect_to_another_server() -> None:
    async def run() -> tuple[list[bytes], list[bytes]]:
        here: list[bytes] = []
        there: list[bytes] = []
        async with (
            serving(answering(OK, there)) as other,
            serving(redirecting(here, target=f"{other}/end")) as base,
        ):
            [point] = await probe(
                f"{base}/start", follow_redirects=True, username="me", password=Secret("pw")
            )
        assert point.tags["result"] == "success"
        return here, there

    [here], [there] = asyncio.run(run())
    assert b"Authorization" in here
    assert b"Authorization" not in there


# https


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, with its key, in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    command = (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=setpoint-test "
        "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out certificate.pem"
    )
    subprocess.run([require("openssl"), *command.split()], cwd=folder, check=True, capture_output=True)
    return folder / "certificate.pem"


def ask_tls(certificate: Path, host: str = "127.0.0.1", **more: Any) -> Point:
    async def run() -> Point:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, certificate.with_name("key.pem"))
        async with serving(answering(OK), tls) as base:
            [point] = await probe(base.replace("127.0.0.1", host) + "/", **more)
            return point

    return asyncio.run(run())


def test_a_certificate_that_nobody_vouches_for(certificate: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "agent"):
        point = ask_tls(certificate)
    assert point.tags["result"] == "connection_failed"
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


def test_a_certificate_of_an_authority_in_the_settings(certificate: Path) -> None:
    point = ask_tls(certificate, ca_file=str(certificate), response_string_match="hello")
    assert point.tags["result"] == "success"


def test_a_certificate_for_another_name(certificate: Path) -> None:
    point = ask_tls(certificate, host="localhost", ca_file=str(certificate))
    assert point.tags["result"] == "connection_failed"


def test_verification_can_be_turned_off(certificate: Path) -> None:
    assert ask_tls(certificate, insecure_skip_verify=True).tags["result"] == "success"


def test_a_server_that_hangs_in_the_handshake() -> None:
    async def run() -> Point:
        async def handle(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            while await reader.read(1000):
                pass

        async with serving(handle) as base:
            [point] = await probe(base.replace("http:", "https:") + "/", timeout=Duration(500))
            return point

    assert asyncio.run(run()).tags["result"] == "timeout"


# names


def test_a_hanging_name_server_costs_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver takes no timeout, so it is replaced by one that hangs."""
    release = threading.Event()
    lookups = []
    real = socket.getaddrinfo

    def hanging(host: str, *arguments: Any, **more: Any) -> Any:
        if host == "hangs.example" and not more.get("flags"):
            lookups.append(host)
            release.wait(30)
            return real("127.0.0.1", *arguments, **more)
        return real(host, *arguments, **more)

    async def run() -> None:
        monkeypatch.setattr(socket, "getaddrinfo", hanging)
        port = free_port()
        source = HttpResponseInput(
            settings(
                f"http://hangs.example:{port}/1", f"http://hangs.example:{port}/2", timeout=Duration(300)
            )
        )
        for _ in range(3):
            points = await source.gather()
            assert [point.tags["result"] for point in points] == ["timeout", "timeout"]
        assert len(lookups) == 1
        release.set()
        deadline = time.monotonic() + SOON_S
        while (await source.gather())[0].tags["result"] != "connection_failed":
            assert time.monotonic() < deadline, "not looked up again after the name server had answered"
        await source.close()

    try:
        asyncio.run(run())
    finally:
        release.set()


def test_an_address_that_keeps_silent_does_not_hold_up_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    async def run(dead: int) -> Point:
        async with serving(answering(OK)) as base:
            live = int(base.rpartition(":")[2])

            def two(host: str, *arguments: Any, **more: Any) -> Any:
                if host != "two.example":
                    return real(host, *arguments, **more)
                if more.get("flags"):
                    raise socket.gaierror
                return [
                    (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (dead, live)
                ]

            monkeypatch.setattr(socket, "getaddrinfo", two)
            [point] = await probe("http://two.example/", timeout=Duration(9_000))
            return point

    with full_port() as dead:
        point = asyncio.run(run(dead))
    assert point.tags["result"] == "success"


def test_a_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    url = f"http://127.0.0.1:{free_port()}/"

    async def run() -> None:
        source = HttpResponseInput(settings(url))
        await source.gather()
        await source.gather()

    with caplog.at_level(logging.INFO, "agent"):
        asyncio.run(run())
    [record] = caplog.records
    assert record.getMessage().startswith(f"{url}: connection_failed:")


def test_no_connection_is_left_open() -> None:
    async def run() -> None:
        async with serving(answering(OK)) as base:
            source = HttpResponseInput(settings(base + "/"))
            await source.gather()
            await asyncio.sleep(0.1)
            before = psutil.Process().num_fds()
            for _ in range(20):
                await source.gather()
            await asyncio.sleep(0.1)
            assert psutil.Process().num_fds() <= before + 2

    asyncio.run(run())
