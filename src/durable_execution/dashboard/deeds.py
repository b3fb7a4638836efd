"""What people did by hand, in the log: who it was, and what became of what."""

from __future__ import annotations

import logging

from durable_execution.dashboard.visits import Visit

_logger = logging.getLogger(__name__)


def note(visit: Visit, deed: str, **facts: object) -> None:
    """Write down something that was done.

    Args:
        visit: Of whoever did it; where nobody has to log in, nobody is named.
        deed: Such as "cancel".
        facts: What it was done to.
    """
    _logger.info("somebody acted by hand", extra={"deed": deed, "caller": visit.caller, **facts})
