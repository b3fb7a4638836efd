"""What a supervisor such as systemd is told: that calls are answered, that all is well, the end.

The protocol is that of `sd_notify`: lines in datagrams, to the socket that `NOTIFY_SOCKET` names. A
process that was started otherwise has none, and tells nobody.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from typing import Final

_log = logging.getLogger(__name__)

READY: Final = "READY=1"
ALIVE: Final = "WATCHDOG=1"
STOPPING: Final = "STOPPING=1"


class Supervisor:
    """Who started this process and wants to hear of it, if anybody does."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        # An abstract socket, which no file system has, is written with an @ for its zero byte.
        self._address: Final = f"\0{name[1:]}" if name.startswith("@") else name
        self._patience: Final = _patience(environment) if name else None

    @property
    def rest(self) -> int | None:
        """Whole seconds to wait between words of being alive; None if nobody counts on them."""
        return None if self._patience is None else max(1, int(self._patience / 3))

    def tell(self, word: str) -> None:
        """Send a word. One that cannot be sent is lost: the work goes on without it."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
                door.settimeout(1)
                door.sendto(word.encode(), self._address)
        except OSError as error:
            _log.warning("the supervisor cannot be told", extra={"word": word, "error": str(error)})


def _patience(environment: Mapping[str, str]) -> float | None:
    """Seconds of silence after which the supervisor replaces this very process."""
    asked, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    is_meant = not process or process == str(os.getpid())
    return int(asked) / 1_000_000 if asked.isdecimal() and int(asked) and is_meant else None
