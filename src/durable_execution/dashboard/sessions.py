"""Sessions of browsers: what a cookie says, sealed, so that nobody but the server can write one.

Nothing is kept on the server: whoever has the secret can read the cookies of all its processes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final

import msgspec

COOKIE: Final = "durable_execution_session"
SHORTEST_SECRET: Final = 32
"""Bytes."""
_LONGEST_COOKIE: Final = 2_000
_NONCE_BYTES: Final = 16


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One browser, for some time."""

    nonce: str
    expires_at: int
    """Seconds since the epoch."""
    caller: str | None = None
    """Who has logged in; None is somebody who has not."""


def new_session(*, expires_at: int, caller: str | None = None) -> Session:
    """Begin a session. Whoever logs in gets another one than before: a planted one is worthless."""
    nonce = secrets.token_urlsafe(_NONCE_BYTES)
    return Session(nonce=nonce, expires_at=expires_at, caller=caller)


class Seal:
    """Seals sessions, and the tokens of their forms.

    Args:
        secret: At least 32 bytes. What is sealed with it holds wherever it is known.
    """

    def __init__(self, secret: bytes) -> None:
        self._session_key: Final = hmac.digest(secret, b"session", hashlib.sha256)
        self._form_key: Final = hmac.digest(secret, b"form", hashlib.sha256)

    def sealed(self, session: Session) -> str:
        """Write a session as the value of a cookie."""
        body = msgspec.json.encode(session)
        return f"{_text(body)}.{_text(hmac.digest(self._session_key, body, hashlib.sha256))}"

    def opened(self, cookie: str, *, now: float) -> Session | None:
        """Read the value of a cookie; None when it is not ours, or its time is over."""
        if len(cookie) > _LONGEST_COOKIE:
            return None
        written, _, signature = cookie.partition(".")
        body, given = _bytes(written), _bytes(signature)
        if body is None or given is None:
            return None
        if not hmac.compare_digest(hmac.digest(self._session_key, body, hashlib.sha256), given):
            return None
        try:
            session = msgspec.json.decode(body, type=Session)
        except msgspec.DecodeError:  # sealed by another release
            return None
        return session if session.expires_at > now else None

    def form_token(self, session: Session) -> str:
        """Return what every form of a session carries, and no other site can know."""
        return _text(hmac.digest(self._form_key, session.nonce.encode(), hashlib.sha256))

    def is_form_token(self, session: Session, token: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(self.form_token(session).encode(), token.encode())


def _text(given: bytes) -> str:
    return base64.urlsafe_b64encode(given).decode().rstrip("=")


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(f"{text}{'=' * (-len(text) % 4)}", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
