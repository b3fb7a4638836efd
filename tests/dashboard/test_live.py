from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from durable_execution import ExecutorShutDownError, StorageUnavailableError
from durable_execution.dashboard import live
from durable_execution.dashboard.live import LiveViews, TooManyFollowersError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Drawing:
    """Draws what it is told to, and counts."""

    def __init__(self, text: str = "one") -> None:
        self.text = text
        self.error: Exception | None = None
        self.count = 0

    async def __call__(self) -> str:
        self.count += 1
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.text


async def next_event(following: AsyncGenerator[str]) -> str:
    async for event in following:
        if event.startswith("event:"):
            return event
    raise AssertionError("the stream ended")


async def test_a_thousand_pages_of_one_view_are_drawn_as_one() -> None:
    views, drawing = LiveViews(rest=0), Drawing()
    pages = [views.follow("key", drawing, every=0.2) for _ in range(1_000)]

    first = await asyncio.gather(*map(next_event, pages))
    assert set(first) == {"event: view\ndata: one\n\n"}
    assert drawing.count == 1

    drawing.text = "two"
    second = await asyncio.gather(*map(next_event, pages))
    assert set(second) == {"event: view\ndata: two\n\n"}
    assert drawing.count <= 3
    for page in pages:
        await page.aclose()
    assert views.followers == 0
    assert views._views == {}


async def test_different_views_take_turns_with_a_rest_between() -> None:
    views = LiveViews(rest=0.02)
    drawings = [Drawing() for _ in range(10)]
    pages = [views.follow(str(place), drawing, every=0) for place, drawing in enumerate(drawings)]
    begun = asyncio.get_running_loop().time()

    await asyncio.gather(*map(next_event, pages))

    assert asyncio.get_running_loop().time() - begun >= 0.02 * 9
    for page in pages:
        await page.aclose()


async def test_nothing_is_sent_while_nothing_looks_different() -> None:
    views, drawing = LiveViews(rest=0), Drawing()
    async with aclosing(views.follow("key", drawing, every=0.01)) as page:
        await next_event(page)
        waiting = asyncio.ensure_future(next_event(page))
        while drawing.count < 5:
            await asyncio.sleep(0.01)  # the drawings are what is waited for
        assert not waiting.done()
        drawing.text = "two"
        assert await waiting == "event: view\ndata: two\n\n"


async def test_what_stays_the_same_is_drawn_less_often_until_it_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "CALM_AFTER", 2)
    views, drawing = LiveViews(rest=0), Drawing()
    clock = asyncio.get_running_loop().time
    drawn_at: list[float] = []

    async def draw() -> str:
        drawn_at.append(clock())
        return await drawing()

    async with aclosing(views.follow("key", draw, every=0.05)) as page:
        await next_event(page)
        waiting = asyncio.ensure_future(next_event(page))
        while len(drawn_at) < 10:
            await asyncio.sleep(0.01)  # the drawings are what is waited for
        assert drawn_at[-1] - drawn_at[-2] >= 0.2
        drawing.text = "two"
        await waiting
        assert views._views["key"].next_at(0.05) == views._views["key"].drawn_at + 0.05


async def test_an_outage_is_told_and_so_is_its_end() -> None:
    views, drawing = LiveViews(rest=0), Drawing()
    async with aclosing(views.follow("key", drawing, every=0.01)) as page:
        await next_event(page)
        drawing.error = StorageUnavailableError("10.0.0.7 refused")
        assert await next_event(page) == "event: trouble\ndata: The storage cannot be reached\n\n"
        drawing.error = None
        assert await next_event(page) == "event: view\ndata: one\n\n"


async def test_an_unexpected_error_is_logged_and_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    views, drawing = LiveViews(rest=0), Drawing()
    drawing.error = ZeroDivisionError("secret")
    async with aclosing(views.follow("key", drawing, every=0.01)) as page:
        event = await next_event(page)

    assert "secret" not in event
    assert "secret" in caplog.text


async def test_a_shutdown_ends_the_streams() -> None:
    views, drawing = LiveViews(rest=0), Drawing()
    drawing.error = ExecutorShutDownError("down")
    with pytest.raises(ExecutorShutDownError):
        await next_event(views.follow("key", drawing, every=0.01))
    assert views.followers == 0


async def test_who_leaves_while_drawing_for_all_is_relieved() -> None:
    views = LiveViews(rest=0)
    is_drawing, may_draw = asyncio.Event(), asyncio.Event()

    async def draw() -> str:
        is_drawing.set()
        await may_draw.wait()
        return "drawn"

    leaving = asyncio.ensure_future(next_event(views.follow("key", draw, every=0.05)))
    await is_drawing.wait()
    staying = asyncio.ensure_future(next_event(views.follow("key", draw, every=0.05)))
    await asyncio.sleep(0)
    leaving.cancel()
    may_draw.set()

    assert await asyncio.wait_for(staying, 1) == "event: view\ndata: drawn\n\n"


async def test_pages_that_are_open_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_FOLLOWERS", 1)
    views = LiveViews()
    async with aclosing(views.follow("key", Drawing(), every=1)) as page:
        await next_event(page)
        with pytest.raises(TooManyFollowersError):
            await next_event(views.follow("other", Drawing(), every=1))


async def test_no_line_of_a_drawing_becomes_a_field_of_the_event() -> None:
    views = LiveViews(rest=0)
    text = "<pre>a\nevent: bad\r\rdata: b\u2028c</pre>"
    async with aclosing(views.follow("key", Drawing(text), every=1)) as page:
        event = await next_event(page)

    expected = "event: view\ndata: <pre>a\ndata: event: bad\ndata: \ndata: data: b\u2028c</pre>\n\n"
    assert event == expected
