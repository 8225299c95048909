"""A provider that misbehaves costs a call, never a worker, and is never mistaken for a refusal."""

import gzip
import os
import socket
import ssl
import struct
import threading
import time

import pytest
from scripted_server import QUICK, answer_json, http

from notifications.providers.http import AnswerLost, HttpClient, Limits, NothingSent, RefusedAddress

OK = http(b'{"ok": true}')
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def post(client: HttpClient, url: str):
    return client.post(url, body=b"{}", headers={"Content-Type": "application/json"})


def drip(content: bytes):
    """Write one byte at a time, each well within the time a single read may take."""

    def script(connection, _request):
        for byte in content:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    return script


def reset(connection, _request):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return "close"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (drip(http(b"x" * 500)), "no_answer_in_time"),
        (drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 20), "no_answer_in_time"),
        (lambda *_: time.sleep(2), "no_answer_in_time"),
        (reset, "answer_broken"),
        (lambda *_: "close", "answer_broken"),
        (lambda c, _r: c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n") or "close", "answer_broken"),
        (lambda c, _r: c.sendall(http(b"x" * 500)[:-100]) or "close", "answer_broken"),
        (lambda c, _r: c.sendall(CHUNKED + b"5\r\nab") or "close", "answer_broken"),
        (lambda c, _r: c.sendall(http(b"x" * 10_001)), "answer_too_large"),
        (lambda c, _r: c.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 20_000) or "close", "answer_too_large"),
        (
            lambda c, _r: c.sendall(http(gzip.compress(b"0" * 10_000_000), headers="Content-Encoding: gzip\r\n")),
            "answer_too_large",
        ),
        (
            lambda c, _r: c.sendall(http(gzip.compress(b"0" * 5000)[:-20], headers="Content-Encoding: gzip\r\n")),
            "answer_broken",
        ),
        (lambda c, _r: c.sendall(http(b"zzz", headers="Content-Encoding: gzip\r\n")), "answer_broken"),
        (lambda c, _r: c.sendall(http(b"zzz", headers="Content-Encoding: br\r\n")), "answer_broken"),
    ],
    ids=[
        "drips its body", "drips its headers", "is silent", "resets", "closes", "speaks SSH", "is cut short",
        "cuts a chunk", "is too large", "is endless", "is a bomb", "cuts the gzip", "is no gzip", "is brotli",
    ],
)  # fmt: skip
def test_an_answer_that(scripted, client, script, code):
    server = scripted(script)

    with pytest.raises(AnswerLost) as failure:
        post(client, server.url)

    assert failure.value.code == code
    assert failure.value.words.endswith("may have taken the message.")


def test_a_server_that_stops_reading_does_not_hold_a_worker():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = HttpClient(private_hosts={"127.0.0.1"}, limits=QUICK)
        with pytest.raises(AnswerLost) as failure:
            client.post(f"http://127.0.0.1:{listener.getsockname()[1]}/", body=b"x" * 20_000_000, headers={})

    assert failure.value.code == "no_answer_in_time"


def test_a_compressed_answer_is_read(scripted, client):
    server = scripted(lambda c, _r: c.sendall(http(gzip.compress(b"hello"), headers="Content-Encoding: gzip\r\n")))

    assert post(client, server.url).body == b"hello"


def test_a_redirect_is_not_followed_and_the_key_stays_here(scripted, client):
    other = scripted(lambda c, _r: c.sendall(OK))
    server = scripted(
        lambda c, _r: c.sendall(http(b"", status="307 Temporary Redirect", headers=f"Location: {other.url}\r\n"))
    )

    assert post(client, server.url).status == 307
    assert other.requests == []


def test_a_cookie_is_not_sent_back(scripted, client):
    server = scripted(lambda c, _r: c.sendall(http(b"{}", headers="Set-Cookie: session=1\r\n")))

    post(client, server.url)
    post(client, server.url)

    assert b"cookie" not in server.requests[1].lower()


def test_a_closed_port_means_nothing_was_sent(client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(NothingSent) as failure:
        post(client, f"http://127.0.0.1:{port}/")

    assert failure.value.code == "no_connection"


def test_a_host_without_an_address_means_nothing_was_sent():
    def unknown(_host, _port):
        raise socket.gaierror

    with pytest.raises(NothingSent) as failure:
        post(HttpClient(resolve=unknown, limits=QUICK), "https://gateway.example.com/")

    assert failure.value.code == "unknown_host"


def test_a_dead_name_server_does_not_hold_a_worker():
    release = threading.Event()

    with pytest.raises(NothingSent) as failure:
        post(HttpClient(resolve=lambda *_: release.wait(30) and [], limits=QUICK), "https://gateway.example.com/")

    release.set()
    assert failure.value.code == "unknown_host"


def test_a_name_that_turns_private_at_connect_is_refused(scripted):
    server = scripted(lambda c, _r: c.sendall(OK))
    port = server.host.split(":")[1]
    client = HttpClient(resolve=lambda *_: ["127.0.0.1"], limits=QUICK)

    with pytest.raises(RefusedAddress, match="leads to"):
        post(client, f"http://gateway.example.com:{port}/")

    assert server.connection_count == 0


def test_the_checked_address_is_the_one_connected_to_with_its_host_name(scripted):
    server = scripted(lambda c, _r: c.sendall(OK))
    host = f"gateway.example.com:{server.host.split(':')[1]}"
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    client = HttpClient(private_hosts={host}, resolve=lambda *_: next(answers), limits=QUICK)

    post(client, f"http://{host}/send")

    assert f"Host: {host}\r\n".encode() in server.requests[0]


def test_the_next_address_is_tried_when_the_first_is_dead(scripted):
    server = scripted(lambda c, _r: c.sendall(OK))
    host = f"gateway.example.com:{server.host.split(':')[1]}"
    client = HttpClient(private_hosts={host}, resolve=lambda *_: ["127.0.0.2", "127.0.0.1"], limits=QUICK)

    assert post(client, f"http://{host}/send").status == 200


def test_calls_in_a_row_share_one_connection(scripted, client):
    server = scripted(lambda c, _r: c.sendall(OK))

    for _call in range(10):
        post(client, server.url)

    assert len(server.requests) == 10
    assert server.connection_count == 1


def test_a_connection_that_said_too_much_is_not_used_again(scripted, client):
    server = scripted(lambda c, _r: c.sendall(OK + b"HTTP/1.1 200 OK\r\n"))

    post(client, server.url)
    post(client, server.url)

    assert server.connection_count == 2


def test_a_connection_that_the_server_closed_is_replaced(scripted, client):
    server = scripted(lambda c, _r: c.sendall(OK) or "close")

    for _call in range(3):
        assert post(client, server.url).status == 200
        assert server.closed.acquire(timeout=5)


def test_a_connection_idle_for_long_is_replaced_before_the_server_closes_it(scripted):
    server = scripted(lambda c, _r: c.sendall(OK))
    client = HttpClient(private_hosts={"127.0.0.1"}, limits=Limits(idle=-1.0))

    post(client, server.url)
    post(client, server.url)

    assert server.connection_count == 2


def test_a_forked_worker_opens_connections_of_its_own(scripted, client):
    server = scripted(lambda c, _r: c.sendall(OK))
    post(client, server.url)

    child = os.fork()
    if child == 0:
        os._exit(0 if post(client, server.url).status == 200 else 1)
    _pid, status = os.waitpid(child, 0)
    post(client, server.url)

    assert status == 0
    assert server.connection_count == 2


def test_threads_do_not_get_each_others_answers(scripted):
    def echo(connection, request):
        connection.sendall(http(request.partition(b"\r\n\r\n")[2]))

    server, wrong = scripted(echo), []
    client = HttpClient(private_hosts={"127.0.0.1"})

    def work(name: str) -> None:
        for call in range(50):
            body = f"{name}-{call}".encode()
            if client.post(server.url, body=body, headers={}).body != body:
                wrong.append(body)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert len(server.requests) == 400
    assert server.connection_count <= 8


def test_proxies_of_the_environment_are_not_asked(scripted, client, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server = scripted(answer_json({}))

    assert post(client, server.url).status == 200


@pytest.fixture
def secure_server(scripted, certificate):
    """A server that speaks TLS under the name gateway.example.com, and its host and port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = scripted(
        lambda c, _r: c.sendall(OK), wrap=lambda connection: context.wrap_socket(connection, server_side=True)
    )
    server.secure_host = f"gateway.example.com:{server.host.split(':')[1]}"
    return server


@pytest.fixture
def secure_client(secure_server, certificate) -> HttpClient:
    """A client that trusts that server."""
    return HttpClient(
        private_hosts={secure_server.secure_host},
        resolve=lambda *_: ["127.0.0.1"],
        limits=QUICK,
        certificates=certificate,
    )


def test_a_certificate_that_nobody_vouches_for_is_refused(secure_server):
    host = secure_server.secure_host
    client = HttpClient(private_hosts={host}, resolve=lambda *_: ["127.0.0.1"], limits=QUICK)

    with pytest.raises(NothingSent) as failure:
        post(client, f"https://{host}/")

    assert failure.value.code == "bad_certificate"
    assert secure_server.requests == []


def test_a_certificate_for_another_name_is_refused(secure_server, certificate):
    host = secure_server.secure_host.replace("gateway", "other")
    client = HttpClient(private_hosts={host}, resolve=lambda *_: ["127.0.0.1"], limits=QUICK, certificates=certificate)

    with pytest.raises(NothingSent) as failure:
        post(client, f"https://{host}/")

    assert failure.value.code == "bad_certificate"


def test_a_trusted_certificate_is_checked_against_the_name_not_the_ip(secure_server, secure_client):
    url = f"https://{secure_server.secure_host}/"

    assert [post(secure_client, url).status for _call in range(3)] == [200] * 3
    assert secure_server.connection_count == 1


def test_a_secure_answer_that_drips_is_given_up_too(secure_server, secure_client):
    secure_server.script = drip(http(b"x" * 500))

    with pytest.raises(AnswerLost) as failure:
        post(secure_client, f"https://{secure_server.secure_host}/")

    assert failure.value.code == "no_answer_in_time"


@pytest.mark.parametrize("surplus", [1, 9000])
def test_a_secure_connection_that_said_too_much_is_not_used_again(secure_server, secure_client, surplus):
    secure_server.script = lambda c, _r: c.sendall(OK + b"x" * surplus)

    post(secure_client, f"https://{secure_server.secure_host}/")
    post(secure_client, f"https://{secure_server.secure_host}/")

    assert secure_server.connection_count == 2


def test_no_secure_connection_to_a_server_without_tls(scripted):
    server = scripted(lambda *_: "close")
    client = HttpClient(private_hosts={"127.0.0.1"}, limits=QUICK)

    with pytest.raises(NothingSent) as failure:
        post(client, server.url.replace("http:", "https:"))

    assert failure.value.code in ("no_secure_connection", "no_connection")
