from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from durable_execution import DurableExecutor, InMemoryStorage, InvalidOptionError
from durable_execution.dashboard import create_dashboard
from durable_execution.orpc import ORPCError, Request
from durable_execution.server import (
    FULL_ACCESS,
    Access,
    BearerToken,
    BearerTokens,
    Caller,
    create_executor_app,
)
from tests.dashboard.visitor import Visitor

if TYPE_CHECKING:
    from tests.dashboard.conftest import Shop

TOKEN = "the-token-of-an-operator"
LIMITED = "the-token-of-a-web-app"
AUTH = BearerTokens(
    {
        "operator": BearerToken(TOKEN, access=FULL_ACCESS),
        "web-app": BearerToken(LIMITED, access=Access(tasks="*", procedures="enqueueTask")),
    }
)


def app_of(shop: Shop, *, auth: Any = None, **options: Any) -> Any:
    dashboard = create_dashboard(shop.executor, **options)
    return create_executor_app(shop.executor, {"/ui": dashboard}, auth=auth)


async def logged_in(app: Any, token: str = TOKEN, **options: Any) -> Visitor:
    visitor = Visitor(app, **options)
    answer = await visitor.fill_in("/ui/login", "/ui/login", ("token", token))
    assert answer.status == 303
    return visitor


async def test_the_address_without_a_slash_leads_to_the_pages(shop: Shop) -> None:
    for auth in (None, AUTH):
        answer = await Visitor(app_of(shop, auth=auth)).get("/ui")
        assert (answer.status, answer.header("location")) == (308, "/ui/")


async def test_every_answer_forbids_what_is_not_ours(shop: Shop) -> None:
    visitor = Visitor(app_of(shop))
    page = await visitor.get("/ui/")
    style = re.search(r'href="(/ui/static/[^"]+css)"', page.text)
    assert style is not None

    for path in ("/ui/", "/ui/executions", "/ui/nowhere", style[1], "/ui/static/nothing.css"):
        answer = await visitor.get(path)
        policy = answer.header("content-security-policy") or ""
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert answer.header("x-frame-options") == "DENY"
        assert answer.header("x-content-type-options") == "nosniff"
        is_static = path.startswith("/ui/static")
        assert (answer.header("cache-control") == "no-store") == (not is_static)


async def test_no_page_has_scripts_or_styles_within(shop: Shop) -> None:
    visitor = Visitor(app_of(shop))
    for path in ("/ui/", "/ui/executions", "/ui/failures", "/ui/prune"):
        text = (await visitor.get(path)).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)|https?://", text)


async def test_nobody_sees_a_page_without_logging_in(shop: Shop) -> None:
    visitor = Visitor(app_of(shop, auth=AUTH))
    for path in ("/ui/", "/ui/executions?task=a", "/ui/failures", "/ui/prune", "/ui/nowhere"):
        answer = await visitor.get(path)
        assert answer.status == 303
        assert (answer.header("location") or "").startswith("/ui/login?next=")
    assert (await visitor.get("/ui/live?view=overview")).status == 401
    assert (await visitor.post("/ui/actions", [("verb", "cancel")])).status == 303


async def test_a_token_opens_the_page_that_was_wanted(shop: Shop) -> None:
    visitor = Visitor(app_of(shop, auth=AUTH))
    to_login = (await visitor.get("/ui/executions?task=greet")).header("location") or ""
    form = await visitor.get(to_login)
    wanted = re.search(r'name="next" value="([^"]+)"', form.text)
    assert wanted is not None

    answer = await visitor.fill_in("/ui/login", "/ui/login", ("token", TOKEN), ("next", wanted[1]))
    assert (answer.status, answer.header("location")) == (303, "/ui/executions?task=greet")
    assert (await visitor.get("/ui/")).status == 200
    assert TOKEN not in str(visitor.cookies)


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil", "evil", "/login", ""],
)
async def test_a_login_leads_to_no_other_site(shop: Shop, wanted: str) -> None:
    visitor = Visitor(app_of(shop, auth=AUTH))
    answer = await visitor.fill_in("/ui/login", "/ui/login", ("token", TOKEN), ("next", wanted))
    assert answer.header("location") == "/ui/"


async def test_the_cookie_is_for_us_alone(shop: Shop) -> None:
    visitor = Visitor(app_of(shop, auth=AUTH))
    token = (await visitor.get("/ui/login")).form_token
    answer = await visitor.post("/ui/login", [("form_token", token), ("token", TOKEN)])
    cookie = answer.header("set-cookie") or ""

    assert "; Path=/ui; Max-Age=" in cookie
    assert cookie.endswith("; HttpOnly; SameSite=Strict")

    secure = Visitor(app_of(shop, auth=AUTH), origin="https://tasks.example")
    answer = await secure.get("/ui/login")
    assert (answer.header("set-cookie") or "").endswith("; HttpOnly; SameSite=Strict; Secure")


async def test_a_login_is_another_session_than_before(shop: Shop) -> None:
    visitor = Visitor(app_of(shop, auth=AUTH))
    await visitor.get("/ui/login")
    planted = dict(visitor.cookies)
    await visitor.fill_in("/ui/login", "/ui/login", ("token", TOKEN))
    assert visitor.cookies != planted

    visitor.cookies = planted
    assert (await visitor.get("/ui/")).status == 303


@pytest.mark.parametrize("token", ["wrong-token-0123456789", "", "a b", "é", "x\r\ny: z", LIMITED])
async def test_no_other_token_opens_anything(shop: Shop, token: str) -> None:
    visitor = Visitor(app_of(shop, auth=AUTH))
    answer = await visitor.fill_in("/ui/login", "/ui/login", ("token", token))

    assert answer.status == 403
    assert "token" in answer.words
    assert (await visitor.get("/ui/")).status == 303


async def test_attempts_are_bounded_in_time_even_with_the_right_token(shop: Shop) -> None:
    visitor = Visitor(app_of(shop, auth=AUTH))
    for _ in range(10):
        await visitor.fill_in("/ui/login", "/ui/login", ("token", "wrong-token-0123456789"))
    answer = await visitor.fill_in("/ui/login", "/ui/login", ("token", TOKEN))

    assert answer.status == 429
    assert 0 < int(answer.header("retry-after") or 0) <= 60
    assert (await visitor.get("/ui/")).status == 303


async def test_one_who_fails_keeps_out_no_other(shop: Shop) -> None:
    app = app_of(shop, auth=AUTH)
    visitor = Visitor(app)
    for _ in range(10):
        await visitor.fill_in("/ui/login", "/ui/login", ("token", "wrong-token-0123456789"))

    await logged_in(app, address="10.0.0.8")


async def test_logging_in_often_is_no_failure(shop: Shop) -> None:
    app = app_of(shop, auth=AUTH)
    for _ in range(15):
        await logged_in(app)


async def test_logging_out_ends_the_session_of_the_browser(shop: Shop) -> None:
    visitor = await logged_in(app_of(shop, auth=AUTH))
    answer = await visitor.fill_in("/ui/", "/ui/logout")

    assert answer.header("location") == "/ui/login"
    assert (await visitor.get("/ui/")).status == 303


async def test_a_session_ends_in_time(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = await logged_in(app_of(shop, auth=AUTH, session=60))
    assert (await visitor.get("/ui/")).status == 200
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    assert (await visitor.get("/ui/")).status == 303


async def test_a_session_ends_with_what_proves_who_it_is(shop: Shop) -> None:
    class Expiring:
        async def authenticate(self, request: Request) -> Caller | None:
            claims = {"exp": time.time() - 1}
            return Caller(name="ada", access=FULL_ACCESS, claims=claims)

    visitor = Visitor(app_of(shop, auth=Expiring()))
    await visitor.fill_in("/ui/login", "/ui/login", ("token", "anything"))
    assert (await visitor.get("/ui/")).status == 303


async def test_processes_with_one_secret_know_each_others_sessions(shop: Shop) -> None:
    secret = "s" * 32
    visitor = await logged_in(app_of(shop, auth=AUTH, secret=secret))
    for options, status in (({"secret": secret}, 200), ({}, 303)):
        other = Visitor(app_of(shop, auth=AUTH, **options))
        other.cookies = dict(visitor.cookies)
        assert (await other.get("/ui/")).status == status


async def test_a_program_may_send_its_token_with_each_request(shop: Shop) -> None:
    visitor = Visitor(app_of(shop, auth=AUTH))
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert (await visitor.get("/ui/executions", **headers)).status == 200
    for token in (LIMITED, "wrong-token-0123456789"):
        answer = await Visitor(app_of(shop, auth=AUTH)).get(
            "/ui/executions", authorization=f"Bearer {token}"
        )
        assert answer.status == 401


async def test_an_authenticator_that_is_away_lets_nobody_in(shop: Shop) -> None:
    class Away:
        async def authenticate(self, request: Request) -> Caller | None:
            raise ORPCError("SERVICE_UNAVAILABLE", "Keys cannot be had")

    visitor = Visitor(app_of(shop, auth=Away()))
    answer = await visitor.fill_in("/ui/login", "/ui/login", ("token", TOKEN))
    assert (answer.status, "Keys cannot be had" in answer.words) == (503, True)
    assert (await visitor.get("/ui/", authorization="Bearer x")).status == 503


async def test_an_authenticator_that_fails_lets_nobody_in_and_tells_an_id(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        async def authenticate(self, request: Request) -> Caller | None:
            raise ZeroDivisionError("secret")

    visitor = Visitor(create_dashboard(shop.executor, auth=Broken()))
    for answer in (
        await visitor.get("/", authorization="Bearer x"),
        await visitor.fill_in("/login", "/login", ("token", TOKEN)),
    ):
        assert answer.status == 500
        assert "secret" not in answer.text
        ids = [each.error_id for each in caplog.records if hasattr(each, "error_id")]
        assert any(error_id in answer.text for error_id in ids)
    assert (await visitor.get("/")).status == 303


async def test_no_websocket_is_accepted(shop: Shop) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/", "headers": []}
    await create_dashboard(shop.executor)(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("auth", [None, AUTH])
async def test_a_link_from_elsewhere_is_followed_once_more_to_get_the_cookie(
    shop: Shop, auth: Any
) -> None:
    visitor = Visitor(app_of(shop, auth=auth))
    answer = await visitor.get("/ui/executions", sec_fetch_site="cross-site")
    assert answer.status == 200
    assert '<meta http-equiv="refresh" content="0">' in answer.text
    # The browser may have a cookie that it did not send: that must stay.
    assert visitor.cookies == {}
    answer = await visitor.get("/ui/executions", sec_fetch_site="same-origin")
    assert answer.status == (200 if auth is None else 303)
    assert visitor.cookies


@pytest.mark.parametrize("auth", [None, AUTH])
async def test_a_form_must_come_from_our_pages(shop: Shop, auth: Any) -> None:
    app = app_of(shop, auth=auth)
    visitor = Visitor(app) if auth is None else await logged_in(app)
    token = (await visitor.get("/ui/prune")).form_token
    fields = [("age", "1"), ("unit", "hours"), ("confirmed", "yes")]
    good = [("form_token", token), *fields]

    assert (await visitor.post("/ui/prune", good, sec_fetch_site="cross-site")).status == 403
    assert (await visitor.post("/ui/prune", good, origin="https://evil.example")).status == 403
    assert (await visitor.post("/ui/prune", fields)).status == 403
    assert (await visitor.post("/ui/prune", [("form_token", "x"), *fields])).status == 403
    other = Visitor(app) if auth is None else await logged_in(app)
    assert (await other.get("/ui/")).status == 200
    assert (await other.post("/ui/prune", good)).status == 403
    assert (await visitor.post("/ui/prune", good, content_type="text/plain")).status == 415
    assert (await visitor.post("/ui/prune", good, origin="http://127.0.0.1:3000")).status == 200


async def test_forms_are_bounded(shop: Shop) -> None:
    visitor = Visitor(app_of(shop))
    token = (await visitor.get("/ui/prune")).form_token
    for fields, status in (([("x", "y" * 3_000_000)], 413), ([("id", "x")] * 2_000, 400)):
        answer = await visitor.post("/ui/actions", [("form_token", token), *fields])
        assert answer.status == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:3000", 200),
        ("tasks.localhost", 200),
        ("127.0.0.1", 200),
        ("192.168.1.20:3000", 200),
        ("[::1]:3000", 200),
        ("tasks.internal", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:3000", 421),
    ],
)
async def test_without_a_lock_no_other_site_can_pretend_to_be_us(
    shop: Shop, host: str, status: int
) -> None:
    visitor = Visitor(app_of(shop, hosts=["tasks.internal"]))
    assert (await visitor.get("/ui/", host=host)).status == status


async def test_with_a_lock_any_name_is_good(shop: Shop) -> None:
    app = app_of(shop, auth=AUTH)
    visitor = await logged_in(app)
    assert (await visitor.get("/ui/", host="tasks.example")).status == 200


async def test_a_lock_of_its_own_needs_no_guard(shop: Shop) -> None:
    dashboard = create_dashboard(shop.executor, auth=AUTH)
    visitor = Visitor(dashboard)
    assert (await visitor.get("/")).status == 303
    answer = await visitor.fill_in("/login", "/login", ("token", TOKEN))
    assert (answer.status, answer.header("location")) == (303, "/")
    assert (await visitor.get("/")).status == 200


async def test_other_doors_stay_locked(shop: Shop) -> None:
    visitor = await logged_in(app_of(shop, auth=AUTH))
    assert (await visitor.get("/uix")).status == 401
    assert (await visitor.get("/rpc/x")).status == 401


async def test_nobody_puts_words_into_the_mouth_of_the_guard(shop: Shop) -> None:
    """Names and headers of a request never become the state that says who it is."""
    visitor = Visitor(app_of(shop, auth=AUTH))
    answer = await visitor.get("/ui/?caller=operator&auth=", caller="operator", state="{}")
    assert answer.status == 303


async def test_read_only_pages_change_nothing(shop: Shop) -> None:
    handle = await shop.executor.enqueue_task(shop.payment, "order-1")
    visitor = Visitor(app_of(shop, read_only=True))
    for path in ("/ui/", "/ui/executions", f"/ui/executions/{handle.execution_id}"):
        page = await visitor.get(path)
        assert page.status == 200
        assert "<button" not in page.text or path == "/ui/executions"
        assert 'form="act"' not in page.text
    for path in ("/ui/prune", f"/ui/executions/{handle.execution_id}/wake"):
        assert (await visitor.get(path)).status == 404
    assert (await visitor.post("/ui/actions", [("verb", "cancel")])).status == 404


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"secret": "short"}, "secret"),
        ({"session": 1}, "session"),
        ({"auth": object()}, "auth"),
        ({"auth": BearerTokens}, "auth"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidOptionError, match=named):
        create_dashboard(DurableExecutor(InMemoryStorage()), **options)
