from __future__ import annotations

from tests.processes.fixtures import arena, database

__all__ = ["arena", "database"]
