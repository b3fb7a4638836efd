"""Bearer tokens: secrets that programs send with every request (RFC 6750)."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from durable_execution.access.caller import Access, Caller
from durable_execution.errors import InvalidOptionError
from durable_execution.orpc import Request

SHORTEST_TOKEN: Final = 16
"""Characters; whoever can guess a token needs no lock. 32 random bytes have 43."""

_LONGEST_TOKEN: Final = 1024
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_DIGEST_PREFIX: Final = "sha256:"
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")


class BearerToken:
    """One caller's secrets, of which any one lets it in, and what it may reach then.

    To rotate a secret, list the new one beside the old one, give it to the caller, and take the
    old one out. Only digests are kept, in memory and in a `repr` nothing.

    Args:
        secrets: Tokens of at least 16 characters of those that RFC 6750 allows, or the SHA-256
            digests of them: `"sha256:9f86d0…"`, as `printf %s "$TOKEN" | sha256sum` prints it.
        access: What the caller may reach.

    Raises:
        InvalidOptionError: There is none, or one is unusable. The message does not repeat it.
    """

    __slots__ = ("access", "digests")

    def __init__(self, secrets: str | Iterable[str], *, access: Access) -> None:
        given = [secrets] if isinstance(secrets, str) else list(secrets)
        if not given:
            raise InvalidOptionError("secrets: expected at least one token")
        if not isinstance(access, Access):
            raise InvalidOptionError(f"access: expected an Access, got {type(access).__name__}")
        self.digests: Final = tuple(map(_digest_of, given))
        self.access: Final = access

    def __repr__(self) -> str:
        return f"BearerToken(<{len(self.digests)} secrets>, access={self.access!r})"


class BearerTokens:
    """Lets in whoever sends `authorization: Bearer <token>` with a token of the table.

        auth = BearerTokens({
            "web-app": BearerToken(secrets_from_env("WEB_APP_TOKENS"), access=Access(
                tasks={"sendEmail"}, procedures={"enqueueTask", "getTaskExecution"})),
            "operator": BearerToken("sha256:9f86d0…", access=FULL_ACCESS),
        })

    A token is compared by its digest with all of them, each in constant time: how long an answer
    takes tells nothing about any token.

    Args:
        tokens: By the names of their callers, as logs show them.

    Raises:
        InvalidOptionError: There is none, two callers share a secret, or a name is unusable.
    """

    challenge: Final = "Bearer"

    def __init__(self, tokens: Mapping[str, BearerToken]) -> None:
        if not tokens:
            raise InvalidOptionError("tokens: expected at least one caller")
        self._callers: Final[list[tuple[bytes, Caller]]] = []
        owners: dict[bytes, str] = {}
        for name, token in tokens.items():
            if not isinstance(token, BearerToken):
                raise InvalidOptionError(
                    f"tokens[{name!r}]: expected a BearerToken, got {type(token).__name__}"
                )
            caller = Caller(name=name, access=token.access)
            for digest in token.digests:
                if owners.setdefault(digest, name) != name:
                    raise InvalidOptionError(
                        f"tokens: {owners[digest]!r} and {name!r} have the same secret"
                    )
                self._callers.append((digest, caller))

    async def authenticate(self, request: Request) -> Caller | None:
        """See `Authenticator.authenticate`."""
        token = bearer_token(request)
        if token is None:
            return None
        digest = hashlib.sha256(token.encode("ascii")).digest()
        found: Caller | None = None
        for known, caller in self._callers:
            # No early exit: it would tell how far down the table a token stands.
            if hmac.compare_digest(known, digest):
                found = caller
        return found

    def __repr__(self) -> str:
        names = dict.fromkeys(caller.name for _, caller in self._callers)
        return f"BearerTokens({', '.join(names)})"


def bearer_token(request: Request) -> str | None:
    """The token that a request carries; None when there is none, or nothing like one.

    A request with two of the header is one that two servers could read differently: it has none.
    """
    given = [value for name, value in request.headers if name == "authorization"]
    if len(given) != 1:
        return None
    scheme, _, token = given[0].partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or len(token) > _LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        return None
    return token


def secrets_from_env(name: str) -> tuple[str, ...]:
    """Read tokens, or digests, from an environment variable, with spaces in between.

    Raises:
        InvalidOptionError: The variable is not set, or empty.
    """
    secrets = tuple(os.environ.get(name, "").split())
    if not secrets:
        raise InvalidOptionError(f"the environment variable {name} holds no token")
    return secrets


def secrets_from_file(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read tokens, or digests, from a file, one a line: from where orchestrators mount secrets.

    Raises:
        InvalidOptionError: The file cannot be read, or holds nothing.
    """
    try:
        secrets = tuple(Path(path).read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidOptionError(f"the file of tokens {os.fspath(path)!r}: {error}") from error
    if not secrets:
        raise InvalidOptionError(f"the file of tokens {os.fspath(path)!r} holds no token")
    return secrets


def _digest_of(secret: str) -> bytes:
    given: object = secret
    if not isinstance(given, str):
        raise InvalidOptionError(f"secrets: expected text, got {type(given).__name__}")
    if given.startswith(_DIGEST_PREFIX):
        digits = given.removeprefix(_DIGEST_PREFIX)
        if not _DIGEST.fullmatch(digits):
            raise InvalidOptionError("secrets: a digest has 64 hexadecimal digits after 'sha256:'")
        return bytes.fromhex(digits)
    if not SHORTEST_TOKEN <= len(given) <= _LONGEST_TOKEN:
        raise InvalidOptionError(
            f"secrets: a token has {SHORTEST_TOKEN} to {_LONGEST_TOKEN} characters, "
            f"this one has {len(given)}"
        )
    if not _TOKEN.fullmatch(given):
        raise InvalidOptionError(
            "secrets: a token consists of letters, digits and any of - . _ ~ + / with = at the end"
        )
    return hashlib.sha256(given.encode("ascii")).digest()
