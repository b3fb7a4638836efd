from __future__ import annotations

import base64
import hmac
from hashlib import sha256

import pytest

from durable_execution.errors import InvalidCallbackError, InvalidOptionError
from durable_execution.remote.callbacks.secrets import CallbackSecrets
from durable_execution.remote.callbacks.signatures import check_signature, signed_headers
from tests.remote.callbacks.lab import OTHER_SECRET, SECRET

NOW = 1_614_265_330
BODY = b'{"json":{"a":"\xc3\xbc"}}'
SECRETS = CallbackSecrets(SECRET)


def headers(**changes: str) -> dict[str, str]:
    signed = signed_headers(SECRETS, "te_1.4", BODY, now=NOW + 0.9)
    return signed | {name.replace("_", "-"): value for name, value in changes.items()}


def test_the_signature_is_that_of_the_published_example() -> None:
    # https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md
    secrets = CallbackSecrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signed_headers(
        secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', now=NOW
    )
    assert signed == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_the_signature_covers_id_timestamp_and_body() -> None:
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    content = f"te_1.4.{NOW}.".encode() + BODY
    expected = base64.b64encode(hmac.new(key, content, sha256).digest()).decode()
    assert headers()["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_request_of_the_last_five_minutes_is_taken(seconds: int) -> None:
    check_signature(SECRETS, headers(), BODY, now=NOW + seconds)


@pytest.mark.parametrize("seconds", [-302, 301, 86_400])
def test_an_older_or_newer_one_is_not(seconds: int) -> None:
    with pytest.raises(InvalidCallbackError, match="more than 300 seconds away"):
        check_signature(SECRETS, headers(), BODY, now=NOW + seconds)


def test_names_of_headers_may_be_in_any_case() -> None:
    upper = {name.title(): value for name, value in headers().items()}
    check_signature(SECRETS, upper, BODY, now=NOW)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_empty_or_endless_header_is_refused(name: str) -> None:
    without = headers()
    del without[name]
    for given in (without, {**without, name: ""}):
        with pytest.raises(InvalidCallbackError, match=f"{name} is missing"):
            check_signature(SECRETS, given, BODY, now=NOW)
    with pytest.raises(InvalidCallbackError, match=f"{name} is longer than 2048"):
        check_signature(SECRETS, {**without, name: "x" * 2049}, BODY, now=NOW)


@pytest.mark.parametrize("timestamp", ["soon", "-1", "1e9", "١٢٣", "9" * 13, "1.5"])
def test_a_timestamp_is_whole_seconds(timestamp: str) -> None:
    with pytest.raises(InvalidCallbackError, match="seconds since the epoch"):
        check_signature(SECRETS, headers(webhook_timestamp=timestamp), BODY, now=NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook_id": "te_2.4"},
        {"webhook_id": "te_1.4\udc80"},
        {"webhook_timestamp": str(NOW + 1)},
        {"webhook_signature": "v1,"},
        {"webhook_signature": "v1,????"},
        {"webhook_signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook_signature": "é"},
    ],
)
def test_what_was_changed_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(InvalidCallbackError, match="does not fit"):
        check_signature(SECRETS, headers(**changes), BODY, now=NOW)


def test_another_body_and_another_secret_are_refused() -> None:
    for secrets, body in ((SECRETS, BODY + b" "), (CallbackSecrets(OTHER_SECRET), BODY)):
        with pytest.raises(InvalidCallbackError, match="does not fit"):
            check_signature(secrets, headers(), body, now=NOW)


def test_one_of_several_signatures_is_enough() -> None:
    several = f"v1a,abc v1,AAAA {headers()['webhook-signature']} v1,BBBB"
    check_signature(SECRETS, headers(webhook_signature=several), BODY, now=NOW)


def test_the_first_secret_signs_and_all_verify() -> None:
    both = CallbackSecrets([OTHER_SECRET, SECRET])
    check_signature(both, headers(), BODY, now=NOW)
    signed = signed_headers(both, "te_1.4", BODY, now=NOW)
    check_signature(CallbackSecrets(OTHER_SECRET), signed, BODY, now=NOW)
    with pytest.raises(InvalidCallbackError):
        check_signature(SECRETS, signed, BODY, now=NOW)


def test_a_token_is_not_signed_as_a_message_is() -> None:
    assert SECRETS.sign_token(b"x") != SECRETS.sign_message(b"x")
    assert not SECRETS.is_token_signed(b"x", SECRETS.sign_message(b"x"))


def test_a_bad_secret_is_not_repeated() -> None:
    for secret in ("hunter2-hunter2", "whsec_hunter2-hunter2", ["whsec_hunter2!", SECRET]):
        with pytest.raises(InvalidOptionError) as refusal:
            CallbackSecrets(secret)
        assert "hunter2" not in f"{refusal.value!r} {refusal.value.__cause__!r}"
    assert SECRET not in repr(CallbackSecrets([SECRET]))
