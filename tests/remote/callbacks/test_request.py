from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from durable_execution._codec import UNDEFINED, dumps
from durable_execution._core.handover import Handover
from durable_execution.client import (
    InvalidCallbackError,
    InvalidInputError,
    callback_answer,
    declare_task,
    verify_callback,
)
from durable_execution.remote.callbacks.request import write_request
from durable_execution.remote.callbacks.secrets import CallbackSecrets
from durable_execution.remote.callbacks.signatures import signed_headers
from tests.remote.callbacks.lab import OTHER_SECRET, SECRET


@dataclass
class Film:
    title: str
    due: datetime


FILM = Film("Metropolis", datetime(2027, 1, 10, tzinfo=UTC))
AT = datetime(2026, 11, 26, 12, 0, 0, 7_000, tzinfo=UTC)


def body_for(input: object) -> bytes:
    handover = Handover(
        task_id="render",
        execution_id="te_1",
        attempt=2,
        fence=3,
        input=dumps(input),
        expires_at=int(AT.timestamp() * 1000),
    )
    return write_request(handover, "ct1.token.code")


def verified(body: bytes, **options: Any) -> Any:
    headers = signed_headers(CallbackSecrets(SECRET), "te_1.3", body, now=time.time())
    return verify_callback(headers, body, SECRET, **options)


def test_an_app_reads_what_the_executor_wrote() -> None:
    request = verified(body_for(FILM))
    assert (request.task_id, request.execution_id, request.attempt) == ("render", "te_1", 2)
    assert (request.token, request.expires_at) == ("ct1.token.code", AT)
    assert request.input == {"title": "Metropolis", "due": FILM.due}
    assert "ct1" not in repr(request)


def test_the_declaration_of_the_task_gives_the_input_its_type() -> None:
    render = declare_task("render", input=Film)
    assert verified(body_for(FILM), task=render).input == FILM
    with pytest.raises(InvalidInputError, match="Invalid input of task render"):
        verified(body_for("no film"), task=render)


def test_a_request_for_another_task_is_refused() -> None:
    with pytest.raises(InvalidCallbackError, match="for task render, expected other"):
        verified(body_for(FILM), task=declare_task("other", input=Film))


@pytest.mark.parametrize("input", [None, UNDEFINED, [UNDEFINED], 2**70])
def test_any_input_passes_unchanged(input: object) -> None:
    assert verified(body_for(input)).input == input


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"[]", b'{"json":[]}', b'{"json":{"taskId":1}}', b'{"json":{},"meta":[[1]]}'],
)
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidCallbackError, match="no request of an executor"):
        verified(body)


def test_the_signature_is_checked_before_the_body_is_read() -> None:
    headers = signed_headers(CallbackSecrets(OTHER_SECRET), "id", b"x", now=time.time())
    with pytest.raises(InvalidCallbackError, match="does not fit"):
        verify_callback(headers, b"x", SECRET)


def test_an_answer_is_an_envelope() -> None:
    assert callback_answer({"n": 1}) == b'{"json":{"n":1}}'
    with pytest.raises(InvalidInputError, match="Invalid output"):
        callback_answer(object())
