"""Calls that block, over connections of their own: what servers and networks do to them."""

from __future__ import annotations

import gzip
import socket
import ssl
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from durable_execution.orpc import (
    HttpSender,
    ORPCError,
    Request,
    Retries,
    RPCConnectionError,
    RPCLink,
    RPCResponseError,
    RPCTimeoutError,
    SyncLink,
)
from tests.orpc._client.peers import PATIENCE, Peer, answering, listening

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


def saying(*texts: bytes) -> Callable[[Peer], None]:
    """A server that says this to the first request of a connection, and hangs up."""

    def talk(peer: Peer) -> None:
        peer.request()
        peer.say(*texts)

    return talk


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
            with pytest.raises(RPCConnectionError, match="Cannot connect") as caught:
                link.call(["x"])
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


@pytest.mark.parametrize(
    "answer",
    [
        CHUNKED + b'4;a=b\r\n{"js\r\n6\r\non":1}\r\n0\r\nx: y\r\n\r\n',
        HEAD + b'\r\n{"json":1}',
        HEAD.replace(b"1.1", b"1.0") + b'content-length: 10\r\n\r\n{"json":1}',
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        + HEAD
        + b'content-length: 10\r\n\r\n{"json":1}',
    ],
    ids=["chunks", "until the end", "1.0", "hints"],
)
def test_body_is_read_however_its_end_is_told(answer: bytes) -> None:
    with (
        listening(saying(*(answer[at : at + 1] for at in range(len(answer))))) as peers,
        SyncLink(RPCLink(peers.url)) as link,
    ):
        assert link.call(["x"]) == 1


def test_redirect_is_not_followed() -> None:
    answer = b'HTTP/1.1 302 Found\r\nlocation: /y\r\ncontent-length: 10\r\n\r\n{"json":2}'
    with listening(saying(answer)) as peers, SyncLink(RPCLink(peers.url)) as link:
        assert link.call(["x"]) == 2
        assert len(peers.all) == 1


PACKED = gzip.compress(b'{"json":') + gzip.compress(b'"packed"}')
DEFLATED = zlib.compress(b'{"json":"packed"}')


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", PACKED),
        (b"deflate", DEFLATED),
        (b"deflate", DEFLATED[2:-4]),
        (b"identity", b'{"json":"packed"}'),
    ],
    ids=["gzip", "zlib", "raw", "identity"],
)
def test_packed_answer_is_read(encoding: bytes, body: bytes) -> None:
    def talk(peer: Peer) -> None:
        while True:
            assert b"accept-encoding: gzip, deflate\r\n" in peer.request()
            peer.answer(body, b"content-encoding: %s\r\n" % encoding)

    with listening(talk) as peers, SyncLink(RPCLink(peers.url)) as link:
        assert [link.call(["x"]), link.call(["x"])] == ["packed", "packed"]
        assert len(peers.all) == 1


@pytest.mark.parametrize(
    ("encoding", "body"),
    [(b"gzip", b"no gzip"), (b"gzip", PACKED[:-3]), (b"br", b"x")],
    ids=["broken", "cut off", "unknown"],
)
def test_answer_that_cannot_be_unpacked_is_named(encoding: bytes, body: bytes) -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.answer(body, b"content-encoding: %s\r\n" % encoding)

    with (
        listening(talk) as peers,
        SyncLink(RPCLink(peers.url)) as link,
        pytest.raises(RPCResponseError, match="cannot be unpacked"),
    ):
        link.call(["x"])


def test_small_answer_that_unpacks_into_a_huge_one_is_cut_off() -> None:
    packed = gzip.compress(b" " * 5_000_000)
    assert len(packed) < 10_000

    def talk(peer: Peer) -> None:
        peer.request()
        peer.answer(packed, b"content-encoding: gzip\r\n")

    with (
        listening(talk) as peers,
        SyncLink(RPCLink(peers.url, max_response_size=1_000_000)) as link,
        pytest.raises(RPCResponseError, match="larger than 1000000 bytes"),
    ):
        link.call(["x"])


@pytest.mark.parametrize(
    "answer",
    [HEAD + b"content-length: 1001\r\n\r\n", HEAD + b"\r\n" + b"x" * 2000],
    ids=["announced", "streaming"],
)
def test_answer_over_the_limit_is_cut_off(answer: bytes) -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.say(answer)
        peer.until_left()

    with listening(talk) as peers, SyncLink(RPCLink(peers.url, max_response_size=1000)) as link:
        with pytest.raises(RPCResponseError, match="larger than 1000 bytes"):
            link.call(["x"])
        assert peers.all[0].has_left.wait(PATIENCE)


def test_timeout_is_that_of_the_whole_call_however_slowly_its_answer_trickles() -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.say(HEAD + b"content-length: 1000000\r\n\r\n")
        while not peer.has_left.wait(0.01):  # each piece is in time, all of them never
            peer.say(b" ")

    with (
        listening(talk) as peers,
        SyncLink(RPCLink(peers.url)) as link,
        pytest.raises(RPCTimeoutError, match=r"No answer within 0\.3 seconds"),
    ):
        link.call(["x"], timeout=0.3)


def test_request_that_nobody_reads_is_given_up() -> None:
    has_failed = threading.Event()

    def talk(peer: Peer) -> None:
        assert has_failed.wait(PATIENCE)

    with listening(talk) as peers, SyncLink(RPCLink(peers.url)) as link:
        try:
            with pytest.raises(RPCTimeoutError):
                link.call(["x"], "x" * 30_000_000, timeout=0.3)
        finally:
            has_failed.set()


@pytest.mark.parametrize("is_closed", [False, True])
def test_answer_to_a_request_that_is_not_read_to_its_end_arrives(is_closed: bool) -> None:
    is_read = threading.Event()

    def talk(peer: Peer) -> None:
        peer.socket.recv(1000)
        peer.say(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\n{}")
        if is_closed:
            peer.socket.shutdown(socket.SHUT_WR)
        assert is_read.wait(PATIENCE)

    with listening(talk) as peers, SyncLink(RPCLink(peers.url)) as link:
        try:
            with pytest.raises(ORPCError) as caught:
                link.call(["x"], "x" * 30_000_000)
        finally:
            is_read.set()
        assert caught.value.status == 413


def test_server_that_leaves_amid_a_request_cannot_have_seen_it() -> None:
    def talk(peer: Peer) -> None:
        peer.socket.recv(1000)

    with (
        listening(talk) as peers,
        SyncLink(RPCLink(peers.url, retries=Retries(attempts=2))) as link,
    ):
        with pytest.raises(RPCConnectionError, match="The connection broke") as caught:
            link.call(["x"], "x" * 30_000_000)
        assert not caught.value.was_sent
        assert len(peers.all) == 2


def test_large_bodies_arrive_whole() -> None:
    def talk(peer: Peer) -> None:
        body = peer.request().partition(b"\r\n\r\n")[2]
        peer.answer(body)

    text = "x" * 3_000_000
    with listening(talk) as peers, SyncLink(RPCLink(peers.url)) as link:
        assert link.call(["x"], text) == text


def test_call_given_up_gives_up_its_connection() -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.until_left()

    with listening(talk) as peers, SyncLink(RPCLink(peers.url)) as link:
        with pytest.raises(RPCTimeoutError):
            link.call(["x"], timeout=0.1)
        assert peers.all[0].has_left.wait(PATIENCE)


def test_closing_ends_calls_under_way() -> None:
    has_arrived = threading.Event()

    def talk(peer: Peer) -> None:
        peer.request()
        has_arrived.set()
        peer.until_left()

    with listening(talk) as peers, ThreadPoolExecutor(1) as threads:
        link = SyncLink(RPCLink(peers.url, timeout=None, retries=Retries(repeatable=True)))
        call = threads.submit(link.call, ["x"])
        assert has_arrived.wait(PATIENCE)
        link.close()
        with pytest.raises(RuntimeError, match="was closed while a call was under way"):
            call.result(PATIENCE)
        with pytest.raises(RuntimeError, match="is closed"):
            link.call(["x"])
        assert len(peers.all) == 1


def test_closing_ends_the_pause_before_another_attempt() -> None:
    has_answered = threading.Event()

    def talk(peer: Peer) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 503 Busy\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n")
        peer.until_left()
        has_answered.set()

    retries = Retries(retry_after=True, longest_pause=7200)
    with listening(talk) as peers, ThreadPoolExecutor(1) as threads:
        link = SyncLink(RPCLink(peers.url, timeout=None, retries=retries))
        call = threads.submit(link.call, ["x"])
        while not link._calls._sender._pool._idle:  # type: ignore[union-attr]  # told nowhere else
            assert not call.done()
        link.close()
        with pytest.raises(RuntimeError, match="was closed while a call was under way"):
            call.result(PATIENCE)


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


def test_closed_sender_refuses_requests() -> None:
    sender = HttpSender()
    sender.close()
    sender.close()
    with pytest.raises(RuntimeError, match="HttpSender is closed"):
        sender.send(
            Request("POST", "/x", origin="http://localhost"), max_response_size=1, timeout=1
        )


def test_line_break_is_not_smuggled_into_a_header() -> None:
    request = Request("POST", "/x", headers=(("x", "1\r\ny: 2"),), origin="http://localhost")
    with pytest.raises(ValueError, match="a line break cannot be sent"):
        HttpSender().send(request, max_response_size=1, timeout=1)


@pytest.mark.parametrize("given", [0, -1, float("nan")])
def test_unusable_timeout_is_refused(given: float) -> None:
    with pytest.raises(ValueError, match="connect_timeout: expected more than zero"):
        HttpSender(connect_timeout=given)


FORKING = """
import os, threading
from durable_execution.orpc import RPCLink, SyncLink
from tests.orpc._client.peers import listening

has_arrived, may_answer = threading.Event(), threading.Event()

def talk(peer):
    while True:
        request = peer.request()
        if b"/slow" in request:
            has_arrived.set()
            assert may_answer.wait(30)
        peer.answer()

with listening(talk) as peers:
    link = SyncLink(RPCLink(peers.url))
    link.call(["quick"])
    answers = []
    slow = threading.Thread(target=lambda: answers.append(link.call(["slow"])))
    slow.start()
    assert has_arrived.wait(30)
    child = os.fork()
    if child == 0:
        answer = link.call(["quick"])
        link.close()
        os._exit(answer)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1, status
    may_answer.set()
    slow.join(30)
    assert answers == [1], answers
    assert link.call(["quick"]) == 1
    link.close()
    assert all(peer.has_left.wait(30) for peer in peers.all)
    print(len(peers.all))
"""


def test_fork_amid_a_call_leaves_that_to_the_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=90, check=False
    )
    assert (done.stdout, done.stderr) == ("2\n", "")


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
