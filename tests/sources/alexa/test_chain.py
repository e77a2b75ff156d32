"""What may come of downloading a certificate chain, over the wire."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from botplatform.errors import Unauthorized
from botplatform.sources.alexa.chain import LIMIT, download
from botplatform.sources.alexa.development import issue

Answer = Callable[[BaseHTTPRequestHandler], None]
Serve = Callable[[Answer], str]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A server's key and certificate for `localhost` in a file, and the PEM root to trust it by."""
    root_key, key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    start = datetime.now(UTC) - timedelta(hours=1)
    end = start + timedelta(days=1)
    root = issue("root", root_key.public_key(), "root", root_key, start, end)
    server = issue("localhost", key.public_key(), "root", root_key, start, end, host="localhost")
    file = tmp_path_factory.mktemp("https") / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + server.public_bytes(Encoding.PEM))
    return file, root.public_bytes(Encoding.PEM).decode()


@pytest.fixture
def trusting(certificates: tuple[Path, str]) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=certificates[1])


@pytest.fixture
def serve(certificates: tuple[Path, str]) -> Iterator[Serve]:
    """Starts an https server that gives one answer to everybody, and returns its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates[0])
    with ExitStack() as running:

        def start(answer: Answer) -> str:
            server = running.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler(answer)))
            server.socket = context.wrap_socket(server.socket, server_side=True)
            thread = Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            running.callback(thread.join)
            running.callback(server.shutdown)
            return f"https://localhost:{server.server_port}/echo.api/echo-api-cert.pem"

        yield start


def handler(answer: Answer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):
                answer(self)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def status(code: int, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()

    return answer


def content(body: bytes) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


@pytest.mark.parametrize("body", [b"", b"-----BEGIN CERTIFICATE-----", bytes(LIMIT)], ids=len)
def test_what_lies_at_the_url_is_returned(body: bytes, serve: Serve, trusting: ssl.SSLContext) -> None:
    assert download(serve(content(body)), trusting) == body


def test_the_path_and_the_query_are_asked_for(serve: Serve, trusting: ssl.SSLContext) -> None:
    def echo(request: BaseHTTPRequestHandler) -> None:
        content(request.path.encode())(request)

    assert download(serve(echo) + "?version=2#part", trusting) == b"/echo.api/echo-api-cert.pem?version=2"


def test_more_than_64_kib_is_refused(serve: Serve, trusting: ssl.SSLContext) -> None:
    url = serve(content(bytes(LIMIT + 1)))
    with pytest.raises(Unauthorized, match="it is longer than 65536 bytes"):
        download(url, trusting)


def test_an_endless_answer_is_refused(serve: Serve, trusting: ssl.SSLContext) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        status(200)(request)
        while True:
            request.wfile.write(bytes(4096))

    url = serve(endless)
    with pytest.raises(Unauthorized, match="it is longer than 65536 bytes"):
        download(url, trusting)


def test_a_redirect_is_not_followed(serve: Serve, trusting: ssl.SSLContext) -> None:
    followed = Event()

    def target(request: BaseHTTPRequestHandler) -> None:
        followed.set()
        content(b"elsewhere")(request)

    url = serve(status(302, Location=serve(target)))
    with pytest.raises(Unauthorized, match="the server answered 302, not 200"):
        download(url, trusting)
    assert not followed.is_set()


@pytest.mark.parametrize("code", [204, 206, 403, 404, 500])
def test_any_status_but_200_is_refused(code: int, serve: Serve, trusting: ssl.SSLContext) -> None:
    url = serve(status(code))
    with pytest.raises(Unauthorized, match=f"^the certificate chain {url} .*: the server answered {code}, not 200$"):
        download(url, trusting)


def test_a_silent_server_is_given_up(serve: Serve, trusting: ssl.SSLContext) -> None:
    given_up = Event()
    url = serve(lambda _: void(given_up.wait(10)))
    with pytest.raises(Unauthorized, match="timed out"):
        download(url, trusting, timeout=0.2)
    given_up.set()


def test_a_server_that_sends_byte_by_byte_is_given_up(serve: Serve, trusting: ssl.SSLContext) -> None:
    given_up = Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        status(200)(request)
        while not given_up.wait(0.01):
            request.wfile.write(b"-")

    url = serve(drip)
    with pytest.raises(Unauthorized, match=r"it took too long|timed out"):
        download(url, trusting, timeout=0.5)
    given_up.set()


def test_an_answer_that_is_not_http_is_refused(serve: Serve, trusting: ssl.SSLContext) -> None:
    url = serve(lambda request: void(request.wfile.write(b"220 mail.example ESMTP\r\n\r\n")))
    with pytest.raises(Unauthorized, match=r"could not be downloaded: 220 mail\.example"):
        download(url, trusting)


def test_a_server_without_a_public_certificate_is_not_trusted(serve: Serve) -> None:
    url = serve(content(b"forged"))
    with pytest.raises(Unauthorized, match="certificate verify failed"):
        download(url)


def test_a_server_with_a_certificate_for_another_host_is_not_trusted(serve: Serve, trusting: ssl.SSLContext) -> None:
    url = serve(content(b"forged")).replace("localhost", "127.0.0.1")
    with pytest.raises(Unauthorized, match=r"certificate is not valid for '127\.0\.0\.1'"):
        download(url, trusting)


def test_a_server_that_is_not_there_is_reported(trusting: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unauthorized, match="Connection refused"):
        download(f"https://localhost:{port}/echo.api/echo-api-cert.pem", trusting)


@pytest.mark.parametrize(
    "url", ["http://localhost/a.pem", "ftp://localhost/a.pem", "file:///etc/hosts", "https:///a", ""]
)
def test_only_https_is_spoken(url: str) -> None:
    with pytest.raises(Unauthorized, match="it is not an https URL"):
        download(url)


@pytest.mark.parametrize("url", ["https://localhost:99999/", "https://[::1/", "https://localhost/a b", "https://a..b/"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Unauthorized, match="could not be downloaded: "):
        download(url)


def void(_: object) -> None:
    """Lets a lambda be a statement."""
