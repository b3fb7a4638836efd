"""Calls that block, over connections of their own: what servers and networks do to them."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from durable_execution.orpc import (
    HttpSender,
    Request,
    Retries,
    RPCConnectionError,
    RPCLink,
    RPCResponseError,
    RPCTimeoutError,
    SyncLink,
)
from tests.orpc._client.peers import CHUNKED, HEAD, PATIENCE, Peer, answering, listening, saying


def test_request_travels_exactly_as_written() -> None:
    requests: list[bytes] = []

    def talk(peer: Peer) -> None:
        while True:
            requests.append(peer.request())
            peer.answer()

    with (
        listening(talk) as peers,
        SyncLink(RPCLink(f"{peers.url}/rpc?a=%7e+b", headers={"X-One": "1"})) as link,
    ):
        link.call(["a/b", "(é)"], 5)
        link.call(["x"], method="GET")
    post, get = (request.decode().split("\r\n") for request in requests)
    assert post[0] == "POST /rpc/a%2Fb/(%C3%A9)?a=%7e+b HTTP/1.1"
    assert post[1] == f"host: {peers.url.removeprefix('http://')}"
    assert {"x-one: 1", "content-type: application/json", "content-length: 10"} < set(post)
    assert post[-1] == '{"json":5}'
    assert get[0] == "GET /rpc/x?a=%7e+b&data=%7B%7D HTTP/1.1"
    assert not any(line.startswith("content-") for line in get)


def test_headers_of_the_application_take_the_place_of_others() -> None:
    requests: list[bytes] = []

    def talk(peer: Peer) -> None:
        requests.append(peer.request())
        peer.answer()

    given = {"Host": "example.com", "User-Agent": "mine"}
    with (
        listening(talk) as peers,
        SyncLink(
            RPCLink(peers.url, headers=given), sender=HttpSender(connect_timeout=None)
        ) as link,
    ):
        link.call(["x"], timeout=None)
    lines = requests[0].decode().split("\r\n")
    assert {"host: example.com", "user-agent: mine", "accept: */*"} < set(lines)
    assert sum(line.startswith(("host:", "user-agent:")) for line in lines) == 2


def test_connection_is_used_again_and_closed_with_the_link() -> None:
    with listening(answering) as peers:
        with SyncLink(RPCLink(peers.url)) as link:
            assert [link.call(["x"]) for _ in range(3)] == [1, 1, 1]
        [peer] = peers.all
        assert peer.has_left.wait(PATIENCE)


def test_link_that_is_forgotten_closes_its_connections() -> None:
    with listening(answering) as peers:
        link = SyncLink(RPCLink(peers.url))
        link.call(["x"])
        del link
        [peer] = peers.all
        assert peer.has_left.wait(PATIENCE)


def test_connection_is_not_used_again_where_the_server_says_so() -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.answer(head=b"Connection: close\r\n")
        peer.until_left()

    with listening(talk) as peers, SyncLink(RPCLink(peers.url)) as link:
        link.call(["x"])
        link.call(["x"])
        assert len(peers.all) == 2
        assert all(peer.has_left.wait(PATIENCE) for peer in peers.all)


def test_idle_connection_closed_by_its_server_is_not_sent_into() -> None:
    is_closed = threading.Event()

    def talk(peer: Peer) -> None:
        peer.request()
        peer.answer()
        if peer.number == 0:  # the client may have left the other one by now
            peer.socket.shutdown(socket.SHUT_WR)
            is_closed.set()
        peer.until_left()

    with (
        listening(talk) as peers,
        SyncLink(RPCLink(peers.url, retries=Retries(attempts=1))) as link,
    ):
        assert link.call(["x"]) == 1
        assert is_closed.wait(PATIENCE)
        assert link.call(["x"]) == 1
        assert len(peers.all) == 2


def test_idle_connection_that_spoke_unasked_is_not_trusted() -> None:
    has_spoken = threading.Event()

    def talk(peer: Peer) -> None:
        peer.request()
        peer.answer()
        peer.answer(b'{"json":"of nobody"}')
        has_spoken.set()
        peer.until_left()

    with listening(talk) as peers, SyncLink(RPCLink(peers.url)) as link:
        assert link.call(["x"]) == 1
        assert has_spoken.wait(PATIENCE)
        assert link.call(["x"]) == 1


@pytest.mark.parametrize(("method", "calls"), [("POST", 2), ("GET", 3)])
def test_kept_connection_that_ends_before_the_answer(method: Any, calls: int) -> None:
    requests: list[bytes] = []

    def talk(peer: Peer) -> None:
        while True:
            requests.append(peer.request())
            if len(requests) == 2:
                return  # as a server that stops between two requests
            peer.answer()

    with listening(talk) as peers, SyncLink(RPCLink(peers.url, method=method)) as link:
        link.call(["x"])
        if method == "GET":  # which HTTP lets a client send again
            assert link.call(["x"]) == 1
        else:
            with pytest.raises(RPCConnectionError, match="closed the connection") as caught:
                link.call(["x"])
            assert caught.value.was_sent
    assert len(requests) == calls


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n",
        HEAD + b'content-length: 11\r\n\r\n{"json":1}',
        CHUNKED + b"5\r\n",
        CHUNKED + b"5\r\n12345\r\n",
        CHUNKED + b"5\r\n12345\r\n0\r\n",
    ],
    ids=["nothing", "a head", "a body", "a chunk", "chunks", "trailers"],
)
def test_connection_that_breaks_says_that_the_call_may_have_run(answer: bytes) -> None:
    with (
        listening(saying(answer)) as peers,
        SyncLink(RPCLink(peers.url, retries=Retries(attempts=5))) as link,
    ):
        with pytest.raises(RPCConnectionError, match=r"The connection broke: .") as caught:
            link.call(["x"])
        assert caught.value.was_sent
        assert caught.value.__notes__ == [f"while calling x at {peers.url}"]
        assert len(peers.all) == 1


def test_call_that_may_run_twice_is_sent_again() -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        if peer.number == 2:
            peer.answer()

    with (
        listening(talk) as peers,
        SyncLink(RPCLink(peers.url, retries=Retries(repeatable=True))) as link,
    ):
        assert link.call(["x"]) == 1


def test_refused_connection_says_that_nothing_was_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with SyncLink(RPCLink(url, retries=Retries(attempts=2))) as link:
            with pytest.raises(RPCConnectionError) as caught:
                link.call(["x"])
            address = url.removeprefix("http://")
            assert str(caught.value) == f"Cannot connect to {address}: Connection refused"
            assert not caught.value.was_sent
            assert caught.value.__cause__ is not None


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".invalid"])
def test_host_that_does_not_exist_says_that_nothing_was_sent(host: str) -> None:
    with SyncLink(RPCLink(f"http://{host}", retries=Retries(attempts=1))) as link:
        with pytest.raises(RPCConnectionError, match="Cannot connect") as caught:
            link.call(["x"])
        assert not caught.value.was_sent


def test_connection_that_is_not_made_in_time_says_that_nothing_was_sent() -> None:
    with listening(lambda peer: peer.until_left()) as peers:
        url = peers.url.replace("http:", "https:")  # whose handshake is never answered
        sender = HttpSender(connect_timeout=0.05)
        with SyncLink(RPCLink(url, retries=Retries(attempts=1)), sender=sender) as link:
            with pytest.raises(RPCConnectionError, match="Cannot connect") as caught:
                link.call(["x"])
            assert not caught.value.was_sent
            with pytest.raises(RPCTimeoutError):
                link.call(["x"], timeout=0.01)


@pytest.mark.parametrize(
    "answer",
    [
        b"220 mail.example ESMTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        HEAD + b"content-length: many\r\n\r\n",
        CHUNKED + b"many\r\n",
        CHUNKED + b"1\r\n12\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"x" * 200_000,
    ],
    ids=["protocol", "header", "length", "chunk", "end of chunk", "head without end"],
)
def test_answer_in_another_protocol_is_named(answer: bytes) -> None:
    with (
        listening(saying(answer)) as peers,
        SyncLink(RPCLink(peers.url)) as link,
        pytest.raises(RPCResponseError, match="did not answer in HTTP"),
    ):
        link.call(["x"])


def test_threads_keep_their_answers_apart_and_no_connection_is_left() -> None:
    def talk(peer: Peer) -> None:
        while True:
            peer.answer(peer.request().partition(b"\r\n\r\n")[2])

    with listening(talk) as peers:
        with SyncLink(RPCLink(peers.url)) as link, ThreadPoolExecutor(16) as threads:
            answers = threads.map(lambda number: link.call(["echo"], number), range(500))
            assert list(answers) == list(range(500))
        assert len(peers.all) <= 16
        assert all(peer.has_left.wait(PATIENCE) for peer in peers.all)


def test_line_break_is_not_smuggled_into_a_header() -> None:
    request = Request("POST", "/x", headers=(("x", "1\r\ny: 2"),), origin="http://localhost")
    with pytest.raises(ValueError, match="a line break cannot be sent"):
        HttpSender().send(request, max_response_size=1, timeout=1)


@pytest.mark.parametrize("given", [0, -1, float("nan")])
def test_unusable_timeout_is_refused(given: float) -> None:
    with pytest.raises(ValueError, match="connect_timeout: expected more than zero"):
        HttpSender(connect_timeout=given)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of localhost, which nobody trusts."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    done = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(path), "-out", str(path.with_suffix(".crt"))),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
        ],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


def test_calls_go_over_tls_to_whom_the_certificate_is_of(certificate: Path) -> None:
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificate)

    def talk(peer: Peer) -> None:
        while True:
            peer.answer(peer.request().partition(b"\r\n\r\n")[2])

    with listening(talk, serving) as peers:
        trusting = HttpSender(ssl=ssl.create_default_context(cafile=certificate))
        with SyncLink(RPCLink(peers.url), sender=trusting) as link:
            text = "x" * 1_000_000
            assert link.call(["x"], text) == text
            assert link.call(["x"], 1) == 1
            assert len(peers.all) == 1
        with (
            SyncLink(RPCLink(peers.url, retries=Retries(attempts=1))) as link,
            pytest.raises(RPCConnectionError, match="Cannot connect") as caught,
        ):
            link.call(["x"])
    assert not caught.value.was_sent
