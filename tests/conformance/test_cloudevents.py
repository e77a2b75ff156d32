"""CloudEvents of any producer, on every stage."""

from __future__ import annotations

from typing import Any

from tests.conformance.stage import Stage
from tests.mosquitto import eventually


def order(number: int, total: int) -> dict[str, Any]:
    about = {"specversion": "1.0", "id": f"order-{number}", "source": "https://shop.example/orders"}
    return {**about, "type": "example.order.placed", "data": {"order": number, "total": total}}


def test_an_event_delivered_twice_counts_once_and_what_it_leads_to_happens_once(stage: Stage) -> None:
    for _ in range(2):
        stage.cloudevent(order(1, 2000))
        stage.settle()
    eventually(stage.texts)
    stage.settle()
    assert stage.state("large_order") == {"orders": 1}
    assert stage.texts() == ["Order 1 is a large one."]


def test_an_event_outside_the_pattern_concerns_nobody(stage: Stage) -> None:
    stage.cloudevent(order(2, 20))
    stage.settle()
    assert stage.state("large_order") == {}
    assert [entry["verdict"] for entry in stage.log()] == (["unmatched"] if stage.hears("cloudevents") else [])
