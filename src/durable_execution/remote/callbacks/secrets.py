"""The secrets that an executor server and an app share, in the form of Standard Webhooks."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, TypeAlias

from durable_execution.errors import InvalidOptionError

Secret: TypeAlias = str | Sequence[str]
"""One secret, or several of which the first signs and all verify."""

PREFIX: Final = "whsec_"
MIN_BYTES: Final = 24
MAX_BYTES: Final = 64
MAX_SECRETS: Final = 8

_TOKEN_PURPOSE: Final = b"durable-execution callback token"


class CallbackSecrets:
    """Signs and verifies with secrets that it never shows.

    Args:
        secret: `whsec_` and the base64 of 24 to 64 random bytes, as `whsec_$(openssl rand -base64
            32)` makes one, or a list of them while one takes the place of another.

    Raises:
        InvalidOptionError: A secret has another form; it is not repeated in the message.
    """

    __slots__ = ("_keys",)

    def __init__(self, secret: Secret) -> None:
        secrets = (secret,) if isinstance(secret, str) else tuple(secret)
        if not 1 <= len(secrets) <= MAX_SECRETS:
            raise InvalidOptionError(f"secret must be one to {MAX_SECRETS}, got {len(secrets)}")
        self._keys = tuple(map(_key, secrets))

    def sign_message(self, message: bytes) -> bytes:
        """Return the code of a request's signature."""
        return _code(self._keys[0], message)

    def is_message_signed(self, message: bytes, code: bytes) -> bool:
        """Whether that is the code of this message. Takes as long for any that is not."""
        return self._is_code(self._keys, message, code)

    def sign_token(self, claim: bytes) -> bytes:
        """Return the code of a token. The keys of tokens are others than those of messages."""
        return _code(_derived(self._keys[0]), claim)

    def is_token_signed(self, claim: bytes, code: bytes) -> bool:
        """Whether that is the code of this token. Takes as long for any that is not."""
        return self._is_code(tuple(map(_derived, self._keys)), claim, code)

    def __repr__(self) -> str:
        return f"CallbackSecrets({len(self._keys)})"

    @staticmethod
    def _is_code(keys: tuple[bytes, ...], message: bytes, code: bytes) -> bool:
        # Every key is tried, so that the time does not tell which one fits.
        fits = [hmac.compare_digest(_code(key, message), code) for key in keys]
        return True in fits


def _key(secret: object) -> bytes:
    if not isinstance(secret, str) or not secret.startswith(PREFIX):
        raise InvalidOptionError(f"secret must begin with {PREFIX!r} and go on in base64")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        # Without its cause, whose message may show a part of it.
        raise InvalidOptionError(f"secret must be {PREFIX!r} and base64") from None
    if not MIN_BYTES <= len(key) <= MAX_BYTES:
        raise InvalidOptionError(
            f"secret must be {MIN_BYTES} to {MAX_BYTES} bytes in base64, got {len(key)}"
        )
    return key


def _derived(key: bytes) -> bytes:
    return _code(key, _TOKEN_PURPOSE)


def _code(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, sha256).digest()
