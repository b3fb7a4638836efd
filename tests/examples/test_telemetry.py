"""The page about telemetry does what it says, and the files beside it name metrics that exist."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from durable_execution import DurableExecutor
from durable_execution.orpc import AsgiSender, RPCLink, create_orpc_client
from durable_execution.telemetry import METRICS
from tests.examples.pages import Page

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = Page("telemetry.md")
DASHBOARD = json.loads((DOCS / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
ALERTS = (DOCS / "grafana" / "alerts.yml").read_text(encoding="utf-8")
METRIC = re.compile(r"\bdurable_execution_[a-z_]+")
SERIES = {
    f"{metric.name}{end}": metric
    for metric in METRICS
    for end in (("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",))
}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """All the names that the page defines."""
    monkeypatch.chdir(tmp_path)
    names = PAGE.run()
    yield names
    logging.getLogger("shop").removeHandler(names["handler"])


async def test_page_traces_and_serves_metrics(
    page: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    traced: DurableExecutor = page["traced"]
    async with traced, page["to_app"]:
        handle = await traced.enqueue_task(page["charge_card"], 5)
        assert await handle.result() is None  # no SDK is set up, so there is no trace
    server = page["server"]
    async with server.router.lifespan_context(server):
        link = RPCLink("http://app.test/api/rpc", sender=AsgiSender(server))
        async with link:
            assert await create_orpc_client(link).refund(3) == "refunded 3"
        text = page["metrics"].text()
    assert 'durable_execution_calls_served_total{procedure="refund",code="ok"} 1\n' in text
    await page["measure"]()
    assert "heartbeat: 1 calls, half of them within" in capsys.readouterr().out


def test_page_names_every_metric_and_no_other() -> None:
    table = re.findall(r"^\| (`durable_execution_.*?) \| ?(.*?) ?\|", PAGE.text, re.MULTILINE)
    listed = {name: labels for names, labels in table for name in METRIC.findall(names)}
    assert listed == {metric.name: ", ".join(metric.labels) for metric in METRICS}


def queries() -> list[str]:
    panels = [
        *DASHBOARD["panels"],
        *[panel for row in DASHBOARD["panels"] for panel in row.get("panels", ())],
    ]
    of_panels = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    of_lists = [
        each["query"]["query"] if isinstance(each["query"], dict) else each["query"]
        for each in DASHBOARD["templating"]["list"]
        if each["type"] == "query"
    ]
    of_alerts = re.findall(r"^ +expr: (.*)$", ALERTS, re.MULTILINE)
    assert len(of_panels) >= 10
    assert len(of_alerts) >= 6
    return of_panels + of_lists + of_alerts


@pytest.mark.parametrize("query", queries())
def test_query_names_series_and_labels_that_exist(query: str) -> None:
    names = METRIC.findall(query)
    assert names
    labels = {"le", "job", "instance"}
    for name in names:
        assert name in SERIES, name
        labels |= set(SERIES[name].labels)
    used = re.findall(r"\bby \(([^)]*)\)", query)
    used += [",".join(re.findall(r"(\w+)[=!]~?\"", query))]
    asked = {each.strip() for part in used for each in part.split(",") if each.strip()}
    assert asked <= labels
    for opening, closing in ("()", "{}", "[]"):
        assert query.count(opening) == query.count(closing)
    is_counter = [SERIES[name].kind != "gauge" for name in names]
    assert any(is_counter) == bool(re.search(r"rate\(|increase\(|label_values\(", query)), query


def test_panels_have_places_of_their_own_and_ids() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells


def test_alerts_say_what_to_do() -> None:
    names = re.findall(r"^ +- alert: (\w+)$", ALERTS, re.MULTILINE)
    assert len(names) == len(set(names)) == len(re.findall(r"^ +expr: ", ALERTS, re.MULTILINE))
    for word in ("severity", "summary", "description"):
        assert len(re.findall(rf"^ +{word}: ", ALERTS, re.MULTILINE)) == len(names)
