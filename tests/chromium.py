"""The browser of this machine.

Where Chromium is missing the tests are skipped with the reason; with ``CI`` set they fail instead,
so that a broken runner cannot pass by running nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright


# Not for longer than a module: while it is open its event loop counts as running in this thread,
# and no asynchronous test can run.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Start Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        message = "Chromium is not installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    # Without its sandbox: that needs rights which containers do not have, and the pages are ours.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
