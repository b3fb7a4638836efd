"""Connections that are kept, and when they are not."""

from __future__ import annotations

import asyncio

import pytest

from durable_execution.storage.sql.pool import ConnectionPool


class Connection:
    """One that answers, until its server is gone without a word."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_cut = False

    def is_closed(self) -> bool:
        return self.is_cut

    def is_in_transaction(self) -> bool:
        return False

    def get_server_pid(self) -> int:
        return self.number

    def terminate(self) -> None:
        self.is_cut = True

    async def close(self, *, timeout: float) -> None:
        self.is_cut = True


class Pool(ConnectionPool[Connection]):
    def __init__(self) -> None:
        self.opened: list[Connection] = []
        super().__init__(self._open, 3, lambda error: not isinstance(error, ValueError))

    async def _open(self) -> Connection:
        self.opened.append(Connection(len(self.opened)))
        return self.opened[-1]

    async def fill(self) -> None:
        async with self.lent(), self.lent(), self.lent():
            pass


async def fail(pool: Pool, error: BaseException, *, is_cut: bool = False) -> None:
    async with pool.lent() as connection:
        connection.is_cut = is_cut
        raise error


@pytest.mark.parametrize(
    ("error", "is_cut"), [(TimeoutError(), False), (ValueError(), True)], ids=["silent", "cut"]
)
async def test_one_that_breaks_costs_the_idle_ones_too(error: Exception, is_cut: bool) -> None:
    pool = Pool()
    await pool.fill()
    with pytest.raises(type(error)):
        await fail(pool, error, is_cut=is_cut)
    assert [each.is_cut for each in pool.opened] == [True] * 3
    await pool.fill()
    assert len(pool.opened) == 6


@pytest.mark.parametrize(
    ("error", "left"), [(ValueError(), 3), (asyncio.CancelledError(), 2)], ids=["kept", "cancelled"]
)
async def test_other_errors_cost_one_at_most(error: BaseException, left: int) -> None:
    pool = Pool()
    await pool.fill()
    with pytest.raises(type(error)):
        await fail(pool, error)
    assert sum(not each.is_cut for each in pool.opened) == left
