"""The files that the page about web apps prints."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from durable_execution.client import RPCLink, SyncLink, create_orpc_client
from tests.examples.pages import Page

PAGE = Page("web-apps.md")
TEXT = PAGE.text
FILES = PAGE.files
COMMANDS = PAGE.of("sh")
TOKEN = "a-token-of-the-web-app"
START_TIMEOUT = 30.0
ANSWER_TIMEOUT = 30.0


@contextmanager
def executor_server(folder: Path) -> Iterator[str]:
    """The server of the page, started with the page's command; gives its origin."""
    PAGE.write_files(folder, "executor_server.py")
    (command,) = (each for each in COMMANDS if each.startswith("durable-execution serve"))
    arguments = command.split()[1:]
    arguments[arguments.index("3000")] = "0"
    with subprocess.Popen(
        [sys.executable, "-m", "durable_execution.cli", *arguments],
        cwd=folder,
        env={**os.environ, "TASKS_TOKEN": TOKEN},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        banner = process.stdout.readline()
        found = re.search(r"(http://127\.0\.0\.1:\d+), 2 tasks$", banner)
        assert found is not None, banner
        try:
            yield found[1]
        finally:
            process.terminate()
            assert process.wait(timeout=START_TIMEOUT) == 0


def check_web_app(app: str, server: str) -> None:
    """Use an app as its browsers and a payment provider do; all apps of the page do the same."""
    first = asked(app, "/api/videos", {"url": "v.example/1", "height": 1080}, key="click-1")
    again = asked(app, "/api/videos", {"url": "v.example/1", "height": 1080}, key="click-1")
    assert first == again, "a second click is another execution"
    assert first[0] == 202
    execution_id = first[1]["executionId"]

    told = list(events_of(app, execution_id))
    fractions = [news["fraction"] for _, news in told if "fraction" in news]
    statuses = [news["status"] for _, news in told if "status" in news]
    assert fractions == sorted(fractions)
    assert fractions[-1] > 0
    assert statuses[-1] == "completed"
    ids = [identifier for identifier, _ in told]
    assert len(set(ids)) == len(ids)

    again_told = list(events_of(app, execution_id, after=ids[0]))
    assert ids[0] not in [identifier for identifier, _ in again_told]
    assert again_told[-1] == told[-1]

    done = {"status": "completed", "url": "v.example/1?height=1080"}
    assert asked(app, f"/api/videos/{execution_id}") == (200, done)
    _, other = asked(app, "/api/videos", {"url": "v.example/2", "height": 1080})
    assert other["executionId"] != execution_id
    waited = asked(app, f"/api/videos/{other['executionId']}")  # while it runs
    assert waited == (200, {"status": "completed", "url": "v.example/2?height=1080"})

    status, expected = asked(app, "/api/payments/order-7", method="PUT")
    assert status == 202
    assert asked(app, "/api/payments/order-7", {"amount": 9.5})[0] == 204
    client = create_orpc_client(
        SyncLink(RPCLink(f"{server}/rpc", headers={"authorization": f"Bearer {TOKEN}"}))
    )
    paid = client.getTaskExecution({"taskId": "waitForPayment", **expected})
    assert (paid["status"], paid["output"]) == ("completed", 9.5)


def asked(
    app: str, path: str, body: object = None, *, method: str | None = None, key: str | None = None
) -> tuple[int, Any]:
    """The status and the JSON of an answer."""
    headers = {"content-type": "application/json", **({"idempotency-key": key} if key else {})}
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{app}{path}", data=data, headers=headers, method=method)
    with urlopen(request, timeout=ANSWER_TIMEOUT) as response:
        text = response.read()
        return response.status, json.loads(text) if text else None


def events_of(app: str, execution_id: str, after: str | None = None) -> Iterator[tuple[str, Any]]:
    """What an `EventSource` in a browser gets: ids and what was told."""
    headers = {} if after is None else {"last-event-id": after}
    request = Request(f"{app}/api/videos/{execution_id}/progress", headers=headers)
    with urlopen(request, timeout=ANSWER_TIMEOUT) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for frame in response.read().decode().split("\n\n"):
            if frame:
                identifier, news = frame.split("\n")
                yield identifier.removeprefix("id: "), json.loads(news.removeprefix("data: "))
