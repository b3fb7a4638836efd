"""Contracts that clients and servers share. Loads neither of them."""

from __future__ import annotations

from durable_execution.orpc._contract.calls import Async, AsyncCall, Mode, Sync, SyncCall
from durable_execution.orpc._contract.contract import Contract, Member, members_of
from durable_execution.orpc._contract.declared import Declared, declared

__all__ = [
    "Async",
    "AsyncCall",
    "Contract",
    "Declared",
    "Member",
    "Mode",
    "Sync",
    "SyncCall",
    "declared",
    "members_of",
]
