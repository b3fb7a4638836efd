"""Connections that wait for their next call: which is taken, which is let go."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from durable_execution.orpc._client.connection_pool import KEEPALIVE, ConnectionPool
from durable_execution.orpc._client.http_connection import HttpConnection

HERE, THERE = "http://here", "http://there"


class Wires:
    """Connections, and the ends that their servers have."""

    def __init__(self) -> None:
        self.ends: dict[HttpConnection, socket.socket] = {}

    def new(self, pool: ConnectionPool) -> HttpConnection:
        ours, theirs = socket.socketpair()
        connection = HttpConnection(ours)
        self.ends[connection] = theirs
        pool.add(connection)
        return connection

    def is_closed(self, connection: HttpConnection) -> bool:
        end = self.ends[connection]
        end.settimeout(0)
        try:
            return end.recv(1) == b""
        except BlockingIOError:
            return False


@pytest.fixture
def wires() -> Iterator[Wires]:
    wires = Wires()
    yield wires
    for connection, end in wires.ends.items():
        connection.close()
        end.close()


def test_the_latest_is_taken_first_and_only_for_its_server(wires: Wires) -> None:
    pool = ConnectionPool()
    first, second = wires.new(pool), wires.new(pool)
    pool.give_back(HERE, first)
    pool.give_back(HERE, second)
    assert pool.take(THERE) is None
    assert [pool.take(HERE), pool.take(HERE), pool.take(HERE)] == [second, first, None]


def test_one_that_was_idle_for_too_long_is_let_go(wires: Wires) -> None:
    pool = ConnectionPool()
    connection = wires.new(pool)
    pool.give_back(HERE, connection)
    connection.idle_since -= KEEPALIVE
    assert pool.take(HERE) is None
    assert wires.is_closed(connection)


def test_those_that_nobody_takes_any_more_are_let_go_by_others(wires: Wires) -> None:
    pool = ConnectionPool()
    old, young, now = (wires.new(pool) for _ in range(3))
    for connection in (old, young):
        pool.give_back(HERE, connection)
    old.idle_since -= KEEPALIVE
    pool.give_back(HERE, now)
    assert wires.is_closed(old)
    assert [pool.take(HERE), pool.take(HERE), pool.take(HERE)] == [now, young, None]


def test_no_more_are_kept_than_a_hundred(wires: Wires) -> None:
    pool = ConnectionPool()
    connections = [wires.new(pool) for _ in range(102)]
    for connection in connections:
        pool.give_back(HERE, connection)
    assert [wires.is_closed(each) for each in connections] == [True] * 2 + [False] * 100


@pytest.mark.parametrize("spoken", [b"", b"HTTP"], ids=["closed", "spoke"])
def test_one_at_which_something_happened_is_let_go(wires: Wires, spoken: bytes) -> None:
    pool = ConnectionPool()
    connection, other = wires.new(pool), wires.new(pool)
    pool.give_back(HERE, other)
    pool.give_back(HERE, connection)
    wires.ends[connection].sendall(spoken)
    if not spoken:
        wires.ends[connection].shutdown(socket.SHUT_RDWR)
    assert pool.take(HERE) is other


def test_closed_pool_keeps_nothing(wires: Wires) -> None:
    pool = ConnectionPool()
    idle, used = wires.new(pool), wires.new(pool)
    pool.give_back(HERE, idle)
    pool.close()
    assert wires.is_closed(idle)
    assert wires.is_closed(used)  # woken, and left to its thread
    pool.give_back(HERE, used)
    with pytest.raises(RuntimeError, match="is closed"):
        pool.take(HERE)
    with pytest.raises(RuntimeError, match="is closed"):
        wires.new(pool)
    assert all(wires.is_closed(each) for each in wires.ends)


def test_one_that_is_not_its_own_is_not_kept(wires: Wires) -> None:
    pool, other = ConnectionPool(), ConnectionPool()
    connection = wires.new(other)
    pool.give_back(HERE, connection)
    assert pool.take(HERE) is None
    assert wires.is_closed(connection)
