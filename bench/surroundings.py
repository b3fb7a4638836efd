"""What a measurement depends on besides the code: the machine, versions, settings."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.storages import MARIADB_SETTINGS, POSTGRES_SETTINGS, server_versions

_LIBRARIES = ("asyncmy", "asyncpg", "msgspec", "sqlalchemy", "uvicorn", "uvloop", "aiohttp")


def surroundings(storages: Sequence[str], *, rounds: int, scale: float) -> dict[str, Any]:
    """Return the fields that every line of a run's results shares."""
    return {
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "system": f"{platform.system()} {platform.release()}",
            "load_at_start": round(os.getloadavg()[0], 2),
        },
        "versions": {
            "python": platform.python_version(),
            "commit": _commit(),
            **{name: version(name) for name in _LIBRARIES},
            **server_versions(list(storages)),
        },
        "settings": {
            "rounds": rounds,
            "scale": scale,
            "event_loop": "uvloop",
            **({"postgres": dict(POSTGRES_SETTINGS)} if "postgres" in storages else {}),
            **({"mariadb": dict(MARIADB_SETTINGS)} if "mariadb" in storages else {}),
        },
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _cpu() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return platform.machine() if found is None else found[1]


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
