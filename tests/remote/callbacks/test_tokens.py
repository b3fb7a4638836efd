from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_execution.errors import InvalidTokenError
from durable_execution.remote.callbacks.secrets import CallbackSecrets
from durable_execution.remote.callbacks.tokens import (
    MAX_TOKEN_LENGTH,
    TokenClaim,
    read_token,
    write_token,
)
from tests.remote.callbacks.lab import OTHER_SECRET, SECRET

SECRETS = CallbackSecrets(SECRET)
CLAIM = TokenClaim("render", "te_1", 4)
TASKS = {"render": SECRETS, "other": SECRETS}


@given(
    st.text("abc_", min_size=1, max_size=255), st.text("xyz", max_size=64), st.integers(1, 2**53)
)
def test_what_was_written_is_read(task_id: str, execution_id: str, fence: int) -> None:
    claim = TokenClaim(task_id, execution_id, fence)
    token = write_token(SECRETS, claim)
    assert len(token) <= MAX_TOKEN_LENGTH
    assert read_token({task_id: SECRETS}, token) == claim


def test_every_character_of_a_token_counts() -> None:
    token = write_token(SECRETS, CLAIM)
    last = len(token) - 1  # of whose six bits the code needs four
    for place in range(last):
        changed = "A" if token[place] != "A" else "B"
        with pytest.raises(InvalidTokenError):
            read_token(TASKS, token[:place] + changed + token[place + 1 :])


@given(st.text(max_size=200))
def test_anything_else_is_refused(text: str) -> None:
    for token in (text, f"ct1.{text}", f"ct1.{text}.{text}"):
        with pytest.raises(InvalidTokenError):
            read_token(TASKS, token)


def test_a_claim_that_somebody_else_signed_is_refused() -> None:
    with pytest.raises(InvalidTokenError):
        read_token(TASKS, write_token(CallbackSecrets(OTHER_SECRET), CLAIM))


def test_a_claim_for_a_task_that_is_not_asked_for_is_refused() -> None:
    token = write_token(SECRETS, CLAIM)
    with pytest.raises(InvalidTokenError):
        read_token({"other": SECRETS}, token)


def test_the_code_of_one_claim_fits_no_other() -> None:
    code = write_token(SECRETS, CLAIM).rpartition(".")[2]
    claim = base64.urlsafe_b64encode(b'["render","te_1",5]').decode().rstrip("=")
    with pytest.raises(InvalidTokenError):
        read_token(TASKS, f"ct1.{claim}.{code}")


def test_a_token_that_a_retired_secret_signed_is_read_while_that_is_kept() -> None:
    token = write_token(SECRETS, CLAIM)
    assert read_token({"render": CallbackSecrets([OTHER_SECRET, SECRET])}, token) == CLAIM
    with pytest.raises(InvalidTokenError):
        read_token({"render": CallbackSecrets([OTHER_SECRET])}, token)
