"""What a process costs the machine, read from `/proc`."""

from __future__ import annotations

import os
import re
from pathlib import Path


def resident_mb(pid: int | None = None) -> float:
    """Return the memory a process holds, in megabytes."""
    text = Path(f"/proc/{pid or os.getpid()}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
