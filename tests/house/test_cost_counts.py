"""The cost model counts what the code really asks of DynamoDB, and how much it really writes to its log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from botplatform import Context, Event, codec
from botplatform.effect import Effect
from botplatform.engine import Engine
from botplatform.hosts.runner import Entry, Runner
from botplatform.plugins import Plugins
from botplatform.router import Router
from botplatform.store import Run
from botplatform.stores.dynamodb import DynamoStore
from tests.handlers import happened, match_of
from tests.scripts import load

ROOT = Path(__file__).resolve().parents[2]


costs = load("costs")
SAMPLES = (
    "mqtt/kitchen-temperature",
    "cloudtrail/root-signs-in",
    "slack/temp-kitchen",
    "alexa/temperature-kitchen",
    "schedule/morning-digest",
    "cloudevents/order-created",
)


class CountingTable:
    """A DynamoDB client for one event at a time: keeps items, holds no conditions, counts what it would bill."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.reads = self.transacted = self.updates = self.indexed = 0

    def get_item(self, **request: Any) -> dict[str, Any]:
        self.reads += 1
        item = self.items.get(_key(request["Key"]))
        return {"Item": item} if item else {}

    def put_item(self, **request: Any) -> dict[str, Any]:
        self.updates += 1
        return self._put(request["Item"])

    def transact_write_items(self, **request: Any) -> dict[str, Any]:
        for action in request["TransactItems"]:
            self.transacted += 1
            self._put(action["Put"]["Item"])
        return {}

    def _put(self, item: dict[str, Any]) -> dict[str, Any]:
        before = self.items.get(_key(item), {})
        self.indexed += ("pending" in item) != ("pending" in before)
        self.items[_key(item)] = item
        assert len(codec.encode(item)) < 1024, "more than one write unit"
        return {}


def _key(item: dict[str, Any]) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def nothing_else() -> None:
    """Leaves its marker."""


def keep(ctx: Context) -> str:
    ctx.state["kitchen"] = ctx.state.get("kitchen", 0) + 1
    return "It is 21.5 °C in the kitchen."


def tell(ctx: Context) -> None:
    ctx.state["kitchen"] = ctx.state.get("kitchen", 0) + 1
    ctx.text("owner", "It is 31.5 °C in the attic!", once_per="1h", about="attic")


def handled(
    function: Callable[..., Any], event: Event, table: CountingTable | None = None
) -> tuple[CountingTable, Entry]:
    """The requests made and the line logged for one event."""
    table, lines = table or CountingTable(), []
    store = DynamoStore("state", table, lambda: 1_800_000_000.0)
    engine = Engine(store, Plugins([]).sources, lambda: 1_800_000_000.0)
    text = Effect("text", lambda _, __: {"via": "sns", "id": "f3f3b6a5-77a7-5b0e-9b38-d1c0c0e0a6f7", "parts": 1}, "SNS")
    match = match_of(function, uses=["text"], plugin="temperature")
    runner = Runner(engine, Router(), {"text": text}, lambda *_: None, lambda entry: lines.append(entry()))
    runner.finish(event, [runner.run(event, match, Run())])
    assert [handled["status"] for handled in lines[0]["handlers"]] == ["done"]
    return table, lines[0]


@pytest.mark.parametrize(
    ("work", "function"),
    [(costs.MARKED, nothing_else), (costs.STATE, keep), (costs.TEXT, tell)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_an_event_asks_of_dynamodb_what_the_model_says(work, function):
    table, _ = handled(function, happened())
    asked = (table.reads, table.transacted, table.updates, table.indexed)
    assert asked == (work.reads, work.transacted, work.updates, work.indexed)


def test_a_delivery_that_comes_again_costs_two_reads():
    table, _ = handled(tell, happened())
    before = dict(vars(table))
    handled(tell, happened(), table)
    assert {**before, "reads": before["reads"] + 2} == vars(table)


@pytest.mark.parametrize(
    ("source", "sample"),
    list(zip(costs.SOURCES, SAMPLES, strict=True)),
    ids=lambda value: getattr(value, "name", value),
)
def test_a_line_in_the_log_is_as_long_as_the_model_says(source, sample):
    envelope = (ROOT / "fixtures" / "envelopes" / f"{sample}.jsonl").read_bytes().splitlines()[0]
    _, entry = handled(keep, Event.from_json(envelope))
    length = len(codec.encode(entry))
    assert length <= source.line < 1.3 * length + 100


def test_a_text_makes_the_line_longer_by_what_the_model_says():
    lines = [len(codec.encode(handled(function, happened())[1])) for function in (keep, tell)]
    assert lines[1] - lines[0] <= costs.TEXT_LINE < 1.5 * (lines[1] - lines[0])


def test_a_stage_has_as_many_alarms_as_the_model_says():
    assert (ROOT / "serverless.yml").read_text().count("Type: AWS::CloudWatch::Alarm") == costs.ALARMS
