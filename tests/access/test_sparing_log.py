from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from durable_execution.access.sparing_log import SparingLog

if TYPE_CHECKING:
    import pytest


def test_message_is_written_once_a_second_and_says_what_it_kept_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 100.0
    log = SparingLog(logging.getLogger("test.sparing"), clock=lambda: now)
    with caplog.at_level(logging.INFO, "test.sparing"):
        for number in range(5):
            log.info("refused", number=number)
        log.warning("another", number=9)
        now += 1.0
        log.info("refused", number=5)
        now += 1.0
        log.info("refused", number=6)
    facts = [(r.message, vars(r)["number"], vars(r)["kept_back"]) for r in caplog.records]
    assert facts == [("refused", 0, 0), ("another", 9, 0), ("refused", 5, 4), ("refused", 6, 0)]
