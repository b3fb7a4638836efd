"""Calls that block and are ended early: by time, by closing, by a fork or by their peer."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from durable_execution.orpc import (
    HttpSender,
    ORPCError,
    Request,
    Retries,
    RPCConnectionError,
    RPCLink,
    RPCTimeoutError,
    SyncLink,
)
from tests.orpc._client.peers import HEAD, PATIENCE, Peer, listening


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
            with suppress(OSError):  # the client may have left by now
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


def test_closed_sender_refuses_requests() -> None:
    sender = HttpSender()
    sender.close()
    sender.close()
    with pytest.raises(RuntimeError, match="HttpSender is closed"):
        sender.send(
            Request("POST", "/x", origin="http://localhost"), max_response_size=1, timeout=1
        )


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
