"""The cost model does its sums."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scripts import load

ROOT = Path(__file__).resolve().parents[2]
costs, prices, tables = load("costs"), load("prices"), load("cost_tables")
MILLION = 1_000_000


@pytest.mark.parametrize(
    ("usage", "bill"),
    [
        ({"Lambda request": 3 * MILLION}, 0.60),
        ({"Lambda duration, arm64": 400_000}, 5.33336),
        ({"DynamoDB read": 8, "DynamoDB write": 1.6}, 0.000002),
        ({"HTTP API request": 250_000, "SMS part": 2}, 0.27),
        ({"NAT gateway": 730, "NAT gateway data": 100}, 37.35),
        ({}, 0),
    ],
)
def test_a_bill_is_amounts_times_prices(usage, bill):
    assert costs.dollars(usage) == pytest.approx(bill)


def test_usages_add_up():
    assert costs.added({"SMS part": 1, "IoT rule": 1}, {"SMS part": 2}, {}) == {"SMS part": 3, "IoT rule": 1}


def test_a_value_read_and_written_takes_two_reads_and_a_transaction_of_two_items():
    kept = costs.kept(costs.STATE)
    assert (kept["DynamoDB read"], kept["DynamoDB write"]) == (2, 4)
    assert costs.dollars({"DynamoDB read": 2, "DynamoDB write": 4}, MILLION) == pytest.approx(2.75)


def test_a_handler_that_keeps_nothing_asks_nothing_of_the_table():
    assert costs.dollars(costs.kept(costs.NOTHING)) == 0


def test_a_function_with_less_memory_computes_slower_and_waits_as_long():
    """1 ms for the event and 1.5 ms for each of three requests; two reads of 3 ms and a write of 8 ms to wait for."""
    assert costs.duration(costs.STATE, 1769) == pytest.approx(0.0055 + 0.014)
    assert costs.duration(costs.STATE, 1769 // 4) == pytest.approx(4 * 0.0055 + 0.014, rel=0.01)
    assert costs.duration(costs.STATE, 3538) == costs.duration(costs.STATE, 1769)


def test_events_of_a_batch_share_the_call():
    alone, ten = (costs.function(costs.STATE, 256, 700, batch) for batch in (1, 10))
    assert ten["Lambda request"] == alone["Lambda request"] / 10
    assert alone["Log ingestion"] - ten["Log ingestion"] == pytest.approx(0.9 * costs.PLATFORM_LINES / 1e9)


def test_two_workers_are_the_least_and_more_come_with_the_events():
    assert costs.machines(costs.STATE, MILLION) == 2
    assert costs.machines(costs.STATE, 1_000 * MILLION) == 3


@pytest.mark.parametrize("host", costs.WORKERS, ids=lambda host: host.name)
def test_at_the_break_even_workers_cost_what_functions_do(host):
    events = costs.break_even(host, costs.STATE)
    on_lambda = costs.dollars(costs.on_lambda(host.compared, costs.STATE), events)
    assert costs.on_workers(host, costs.STATE, events) == pytest.approx(on_lambda)


def test_every_price_is_used_and_has_its_source():
    assert all(price.page for price in prices.PRICES.values())
    text = (ROOT / "docs" / "costs.py").read_text()
    assert [name for name in prices.PRICES if f'"{name}"' not in text] == []


@pytest.mark.parametrize("source", costs.SOURCES, ids=lambda source: source.name)
def test_every_part_of_a_bill_is_in_one_column_of_the_table(source):
    usage = costs.on_lambda(source, costs.TEXT)
    columns = [[name for name in usage if name.startswith(prefixes)] for prefixes in tables.SERVICES.values()]
    assert sorted(usage) == sorted(name for column in columns for name in column)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "$0"), (0.004, "under a cent"), (0.01, "$0.01"), (2.0, "$2.00"), (99.999, "$100.00"), (5162.4, "$5,162")],
)
def test_money_is_shown_to_the_cent_while_cents_matter(amount, shown):
    assert tables.money(amount) == shown
