from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest

from durable_execution import InvalidOptionError
from durable_execution.access import (
    FULL_ACCESS,
    Access,
    BearerToken,
    BearerTokens,
    secrets_from_env,
    secrets_from_file,
)
from durable_execution.orpc import Request

WEB = "a-token-of-the-web-app"
OLD, NEW = "last-years-secret-token", "this-years-secret-token="
DIGEST = "sha256:" + hashlib.sha256(b"known-by-its-digest").hexdigest()

TOKENS = BearerTokens(
    {
        "web-app": BearerToken(WEB, access=Access(tasks="sendEmail", procedures="*")),
        "rotating": BearerToken([OLD, NEW], access=FULL_ACCESS),
        "digested": BearerToken(DIGEST, access=FULL_ACCESS),
    }
)


async def name_for(*values: str) -> str | None:
    headers = tuple(("authorization", value) for value in values)
    caller = await TOKENS.authenticate(Request("POST", "/rpc/enqueueTask", headers=headers))
    return None if caller is None else caller.name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (f"Bearer {WEB}", "web-app"),
        (f"bearer  {WEB} ", "web-app"),
        (f"Bearer {OLD}", "rotating"),
        (f"Bearer {NEW}", "rotating"),
        ("Bearer known-by-its-digest", "digested"),
    ],
)
async def test_token_tells_whose_it_is(header: str, name: str) -> None:
    assert await name_for(header) == name


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        WEB,
        f"Basic {WEB}",
        f"Bearer {WEB[:-1]}",
        f"Bearer {WEB}x",
        f"Bearer {WEB.upper()}",
        f"Bearer {WEB} {WEB}",
        f"Bearer {WEB}\u00e9",
        f"Bearer {DIGEST}",
        f"Bearer {DIGEST.removeprefix('sha256:')}",
        "Bearer " + "x" * 5000,
    ],
)
async def test_anything_else_is_nobody(header: str) -> None:
    assert await name_for(header) is None


async def test_two_headers_are_nobody_even_if_both_are_right() -> None:
    assert await name_for() is None
    assert await name_for(f"Bearer {WEB}", f"Bearer {WEB}") is None


async def test_each_token_is_compared_in_constant_time_with_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def counting(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return compare(one, other)

    monkeypatch.setattr("hmac.compare_digest", counting)
    for token in (WEB, NEW, "known-by-its-digest", "x" * 1000, "nobody-has-this-one"):
        compared.clear()
        await name_for(f"Bearer {token}")
        assert compared == [(32, 32)] * 4


@pytest.mark.parametrize(
    ("secrets", "complaint"),
    [
        ([], "expected at least one token"),
        ("short", "16 to 1024 characters, this one has 5"),
        ("x" * 1025, "this one has 1025"),
        ("a-token-with a-space", "letters, digits and any of"),
        ("a-token-with-a-line\n", "letters, digits and any of"),
        ("sha256:abc", "64 hexadecimal digits"),
        ("sha256:" + "z" * 64, "64 hexadecimal digits"),
        ([b"bytes-are-not-text"], "expected text, got bytes"),
    ],
)
def test_unusable_secret_is_refused_without_repeating_it(secrets: object, complaint: str) -> None:
    with pytest.raises(InvalidOptionError, match=complaint) as raised:
        BearerToken(secrets, access=FULL_ACCESS)  # type: ignore[arg-type]
    assert not isinstance(secrets, str) or secrets not in str(raised.value)


def test_access_must_be_said() -> None:
    with pytest.raises(InvalidOptionError, match="access: expected an Access, got str"):
        BearerToken(WEB, access="*")  # type: ignore[arg-type]


def test_two_callers_cannot_have_one_secret() -> None:
    digest = "sha256:" + hashlib.sha256(WEB.encode()).hexdigest()
    with pytest.raises(InvalidOptionError, match="'a' and 'b' have the same secret"):
        BearerTokens(
            {
                "a": BearerToken(WEB, access=FULL_ACCESS),
                "b": BearerToken(digest, access=FULL_ACCESS),
            }
        )


def test_no_caller_at_all_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="at least one caller"):
        BearerTokens({})
    with pytest.raises(InvalidOptionError, match=r"tokens\['a'\]: expected a BearerToken, got str"):
        BearerTokens({"a": WEB})  # type: ignore[dict-item]


def test_secrets_are_never_shown() -> None:
    shown = repr(TOKENS) + repr(BearerToken([OLD, NEW], access=FULL_ACCESS)) + str(vars(TOKENS))
    assert "web-app" in shown
    assert not [secret for secret in (WEB, OLD, NEW) if secret in shown]


def test_secrets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKS_TOKENS", f" {OLD}  {NEW}\n")
    assert secrets_from_env("TASKS_TOKENS") == (OLD, NEW)
    monkeypatch.setenv("TASKS_TOKENS", " ")
    with pytest.raises(InvalidOptionError, match="variable TASKS_TOKENS holds no token"):
        secrets_from_env("TASKS_TOKENS")


def test_secrets_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f"{OLD}\n{DIGEST}\n")
    assert secrets_from_file(tmp_path / "tokens") == (OLD, DIGEST)
    (tmp_path / "empty").touch()
    with pytest.raises(InvalidOptionError, match="holds no token"):
        secrets_from_file(tmp_path / "empty")
    with pytest.raises(InvalidOptionError, match="No such file"):
        secrets_from_file(tmp_path / "missing")
