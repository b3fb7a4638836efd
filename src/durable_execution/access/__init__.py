"""Locks on doors: who calls, what they may reach, and how much of the server they may hold."""

from __future__ import annotations

from durable_execution.access.authenticator import Authenticator
from durable_execution.access.bounds import Bounds
from durable_execution.access.caller import FULL_ACCESS, Access, Caller, caller_of
from durable_execution.access.guard import AsgiApp, Guard, auth_of, path_below_mount
from durable_execution.access.holdings import client_at
from durable_execution.access.tokens import (
    BearerToken,
    BearerTokens,
    secrets_from_env,
    secrets_from_file,
)

__all__ = [
    "FULL_ACCESS",
    "Access",
    "AsgiApp",
    "Authenticator",
    "BearerToken",
    "BearerTokens",
    "Bounds",
    "Caller",
    "Guard",
    "auth_of",
    "caller_of",
    "client_at",
    "path_below_mount",
    "secrets_from_env",
    "secrets_from_file",
]
