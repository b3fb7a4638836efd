"""Progress and glances: the newest word of whoever holds a row, and nobody else's."""

from __future__ import annotations

from durable_execution._core import transitions as law
from durable_execution._core.progress import Progress, Report
from durable_execution._core.record import ExecutionRecord
from durable_execution.storage.protocol import Glance
from durable_execution.testing.storage_suite.harness import FAILED, Harness, check, ids

_ODD = "ü 雪 😀 '\"\\\\%_ %s " + "x" * 900
_ALL = "~"


async def check_progress_is_kept_as_it_was_said(harness: Harness) -> None:
    """Fractions to the last bit, messages of every character, and none."""
    rows = await harness.running(4)
    told = [
        Progress(1, 1, 0.0, None, 1_700_000_000_000),
        Progress(1, 2, 1.0, "", 1_700_000_000_001),
        Progress(1, 2**40, 1 / 3, _ODD, 1_900_000_000_000),
        Progress(1, 9, 5e-324, "tiny", 0),
    ]
    check(await _report(harness, rows, told) == [True] * 4, "a holder was refused")
    for row, progress in zip(rows, told, strict=True):
        await _expect(harness, row, progress)
    await harness.expect(*rows)


async def check_newer_progress_replaces_older_only(harness: Harness) -> None:
    """By number, not by the order of arrival; a repeated report changes nothing."""
    (row,) = await harness.running()
    for number, newest in ((5, 5), (4, 5), (6, 6), (6, 6), (1, 6)):
        fraction = number / 10
        (matched,) = await _report(harness, [row], [Progress(1, number, fraction, None, number)])
        check(matched, "a holder was refused")
        await _expect(harness, row, Progress(1, newest, newest / 10, None, newest))


async def check_progress_outlasts_its_attempt_and_yields_to_the_next(harness: Harness) -> None:
    """After a retry the old word stands until the new attempt says another, by whatever number."""
    (row,) = await harness.running()
    old = Progress(1, 700, 0.9, "nearly", 5)
    await _report(harness, [row], [old])
    now = await harness.storage.now()
    await harness.apply_all(law.retry(row, error=FAILED, start_at=now, now=now))
    await _expect(harness, row, old)
    (again,) = (await harness.claim()).records
    await _expect(harness, again, old)
    new = Progress(2, 1, 0.1, None, 6)
    await _report(harness, [again], [new])
    await _expect(harness, again, new)
    await harness.complete(again)
    await _expect(harness, again, new)


async def check_only_the_holder_reports(harness: Harness) -> None:
    """Not the attempt before or after, nor who ran what has ended, waits or does not exist."""
    rows = await harness.running(5)
    held, retried, done, cancelled, parent = rows
    now = await harness.storage.now()
    await harness.apply_all(law.retry(retried, error=FAILED, start_at=now + 9_999, now=now))
    await harness.complete(done)
    await harness.cancel(cancelled)
    await harness.spawn(parent, 1)
    stale = [Progress(1, 1, 0.5, "stale", now)] * 4
    check(await _report(harness, rows[1:], stale) == [False] * 4, "a stale report was matched")
    for fence in (0, 2):
        report = [Progress(fence, 9, 0.5, "other", now)]
        check(await _report(harness, [held], report) == [False], "another fence was matched")
    nobody = harness.records.root(now)
    mixed = await _report(harness, [nobody, held, done], [Progress(1, 1, 0.5, None, now)] * 3)
    check(mixed == [False, True, False], f"the batch was answered with {mixed}")
    for row in rows[1:]:
        await _expect(harness, row, None)
    check(await harness.storage.glance([nobody.execution_id]) == [None], "a row came to be")
    check(await harness.storage.report_progress([]) == [], "nothing is nothing")


async def check_glances_follow_the_question(harness: Harness) -> None:
    """In the order of the ids, None for those that do not exist, as often as they are asked for."""
    (running,) = await harness.running()
    (ready,) = await harness.insert_roots()
    await _report(harness, [running], [Progress(1, 1, 0.25, "a quarter", 7)])
    asked = [*ids([ready, running]), "nobody", "nobody\ud800", running.execution_id]
    seen = Glance("running", 1, Progress(1, 1, 0.25, "a quarter", 7))
    glances = await harness.storage.glance(asked)
    check(glances == [Glance("ready", 0), seen, None, None, seen], f"answered with {glances}")
    check(await harness.storage.glance([]) == [], "nothing is nothing")


async def check_progress_of_many_at_once(harness: Harness) -> None:
    """A thousand rows in one batch, and a thousand glances."""
    rows = await harness.running(1000)
    told = [Progress(1, place + 1, place / 1000, str(place), place) for place in range(1000)]
    check(all(await _report(harness, rows, told)), "a holder was refused")
    glances = await harness.storage.glance(ids(rows))
    check(glances == [Glance("running", 1, each) for each in told], "some were mixed up")


async def check_progress_goes_with_its_row(harness: Harness) -> None:
    """What is deleted leaves no progress to a row that comes to have its id."""
    rows = await harness.running(2)
    await _report(harness, rows, [Progress(1, 9, 0.5, None, 1)] * 2)
    await harness.complete(rows[0])
    await harness.advance(1)
    now = await harness.storage.now()
    check(await harness.storage.delete_finished(now, 10, id_before=_ALL) == 1, "not one deleted")
    check(await harness.storage.glance([rows[0].execution_id]) == [None], "the row is left")
    await _expect(harness, rows[1], Progress(1, 9, 0.5, None, 1))
    await harness.storage.insert([harness.records.again(rows[0])])
    await _expect(harness, rows[0], None)


async def _report(
    harness: Harness, rows: list[ExecutionRecord], told: list[Progress]
) -> list[bool]:
    reports = [Report(row.execution_id, each) for row, each in zip(rows, told, strict=True)]
    return await harness.storage.report_progress(reports)


async def _expect(harness: Harness, row: ExecutionRecord, progress: Progress | None) -> None:
    current = await harness.read(row)
    (glance,) = await harness.storage.glance([row.execution_id])
    expected = Glance(current.status, current.fence, progress)
    check(glance == expected, f"a glance shows {glance}, expected {expected}")


CHECKS = (
    check_progress_is_kept_as_it_was_said,
    check_newer_progress_replaces_older_only,
    check_progress_outlasts_its_attempt_and_yields_to_the_next,
    check_only_the_holder_reports,
    check_glances_follow_the_question,
    check_progress_of_many_at_once,
    check_progress_goes_with_its_row,
)
