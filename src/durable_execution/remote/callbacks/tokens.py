"""Tokens: what lets an app answer for one attempt of one execution, and for no other.

    ct1.<base64url of [task id, execution id, fence]>.<base64url of its code>

A token holds until the attempt is over; the fence proves that, in the row. What is forged is
refused without a look at any row.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from durable_execution.errors import InvalidTokenError
from durable_execution.remote.callbacks.secrets import CallbackSecrets

MAX_TOKEN_LENGTH: Final = 1024
_VERSION: Final = "ct1"


class TokenClaim(NamedTuple):
    """What a token says."""

    task_id: str
    execution_id: str
    fence: int


def write_token(secrets: CallbackSecrets, claim: TokenClaim) -> str:
    """Write the token of an attempt."""
    text = f"{_VERSION}.{_encoded(msgspec.json.encode(claim))}"
    return f"{text}.{_encoded(secrets.sign_token(text.encode()))}"


def read_token(secrets_of: Mapping[str, CallbackSecrets], token: str) -> TokenClaim:
    """Read a token, which a secret of its task must have signed.

    Args:
        secrets_of: The secrets of each task that tokens are read for, by its id.
        token: What somebody says is one.

    Raises:
        InvalidTokenError: It is none, or of another task, or was changed. Which of them is not
            told.
    """
    text, _, code = token.rpartition(".")
    version, _, claim = text.partition(".")
    if len(token) > MAX_TOKEN_LENGTH or version != _VERSION:
        raise InvalidTokenError
    try:
        said = msgspec.json.decode(_decoded(claim), type=TokenClaim)
        given = _decoded(code)
    except (msgspec.DecodeError, binascii.Error, ValueError):
        raise InvalidTokenError from None
    secrets = secrets_of.get(said.task_id)
    if secrets is None or not secrets.is_token_signed(text.encode(), given):
        raise InvalidTokenError
    return said


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
