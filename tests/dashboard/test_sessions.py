from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution.dashboard.sessions import Seal, Session, new_session

SECRET = b"s" * 32
SESSION = Session(nonce="n", expires_at=1_000, caller="operator")


def test_a_sealed_session_can_be_opened_until_it_expires() -> None:
    cookie = Seal(SECRET).sealed(SESSION)

    assert Seal(SECRET).opened(cookie, now=999.9) == SESSION
    assert Seal(SECRET).opened(cookie, now=1_000) is None


def test_another_secret_opens_nothing() -> None:
    assert Seal(b"t" * 32).opened(Seal(SECRET).sealed(SESSION), now=0) is None


def test_what_was_changed_cannot_be_opened() -> None:
    seal = Seal(SECRET)
    body, _, signature = seal.sealed(SESSION).partition(".")
    text = base64.urlsafe_b64decode(body + "==").replace(b"operator", b"nobodyyy")
    forged = base64.urlsafe_b64encode(text).decode().rstrip("=")

    assert seal.opened(f"{forged}.{signature}", now=0) is None


@given(st.text(max_size=200))
def test_no_text_of_others_is_a_session(text: str) -> None:
    assert Seal(SECRET).opened(text, now=0) is None


@pytest.mark.parametrize("cookie", ["", ".", "a.b", "é.é", "x" * 100_000])
def test_damaged_cookies_are_no_session(cookie: str) -> None:
    assert Seal(SECRET).opened(cookie, now=0) is None


def test_a_form_is_of_one_session() -> None:
    seal = Seal(SECRET)
    mine, theirs = new_session(expires_at=1), new_session(expires_at=1)

    assert seal.is_form_token(mine, seal.form_token(mine))
    assert not seal.is_form_token(mine, seal.form_token(theirs))
    assert not seal.is_form_token(mine, "")
    assert not seal.is_form_token(mine, "ünïcode")


def test_the_token_of_a_form_seals_no_session() -> None:
    seal = Seal(SECRET)
    assert seal.form_token(SESSION) not in seal.sealed(SESSION)


def test_every_session_is_another() -> None:
    assert new_session(expires_at=1).nonce != new_session(expires_at=1).nonce
