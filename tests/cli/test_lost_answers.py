"""Commands whose answer gets lost on the way: what operators do is done again, and no harm."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from durable_execution.cli.desks.desk import Desk
from durable_execution.cli.desks.server import server_desk
from durable_execution.cli.exits import UNREACHABLE, CommandError
from tests.remote.lab import Lab, started_lab
from tests.remote.test_operating import app_of, ended
from tests.remote.wires import Proxy, listening


@asynccontextmanager
async def desk_behind_a_proxy() -> AsyncIterator[tuple[Lab, Proxy, Desk]]:
    async with started_lab() as lab, listening(app_of(lab)) as port:
        proxy = Proxy(port)
        async with proxy.run() as url, server_desk(url, None) as desk:
            yield lab, proxy, desk


async def test_a_retry_is_sent_again() -> None:
    async with desk_behind_a_proxy() as (lab, proxy, desk):
        handle = await lab.executor.enqueue_task(lab.held)
        await handle.cancel()
        proxy.answers_to_cut = 2
        facts = await desk.retry(None, handle.execution_id)
        assert (proxy.answers_to_cut, facts["status"] in ("ready", "running")) == (0, True)
        lab.gate.set()
        assert await handle.result(timeout=30) == "let go"


async def test_looking_is_done_again() -> None:
    async with desk_behind_a_proxy() as (lab, proxy, desk):
        execution_id = await ended(lab, "family", 2)
        proxy.answers_to_cut = 1
        tree = await desk.tree(None, execution_id, limit=10)
        assert (len(tree.children), tree.facts["output"]) == (3, 2)
        proxy.answers_to_cut = 1
        assert (await desk.stats(lately=60)).finished == 4


async def test_a_deletion_goes_on() -> None:
    async with desk_behind_a_proxy() as (lab, proxy, desk):
        await ended(lab, "echo", 1)
        while lab.rows:  # what finished in this millisecond did not finish before it
            proxy.answers_to_cut = 1
            await desk.prune(older_than=0, limit=10)
        assert await desk.prune(older_than=0, limit=10) == 0


async def test_what_may_not_be_done_twice_is_not() -> None:
    async with desk_behind_a_proxy() as (_, proxy, desk):
        proxy.answers_to_cut = 1
        with pytest.raises(CommandError) as caught:
            await desk.wake("approval", "u", output=1, error=None)
        assert (caught.value.code, proxy.answers_to_cut) == (UNREACHABLE, 0)
