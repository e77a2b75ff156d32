"""What AWS charges, and what an amount of everything comes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

MILLION = 1_000_000


class Price(NamedTuple):
    """A list price in us-east-1, first tier: `dollars` for `per` units, from the page named.

    `seen` is the month of the copy it was read in; None where it is known only from memory, and wants a look.
    """

    dollars: float
    per: float
    unit: str
    page: str
    seen: str | None


PRICES = {
    "Lambda request": Price(0.20, MILLION, "requests", "AWS Lambda Pricing", "2026-06"),
    "Lambda duration, arm64": Price(0.0000133334, 1, "GB-second", "AWS Lambda Pricing", "2026-06"),
    "Lambda provisioned, arm64": Price(0.0000033334, 1, "GB-second", "AWS Lambda Pricing", None),
    "DynamoDB read": Price(0.125, MILLION, "read request units", "Amazon DynamoDB On-Demand Pricing", "2025-07"),
    "DynamoDB write": Price(0.625, MILLION, "write request units", "Amazon DynamoDB On-Demand Pricing", "2025-07"),
    "DynamoDB storage": Price(0.25, 1, "GB-month", "Amazon DynamoDB On-Demand Pricing", "2025-07"),
    "DynamoDB recovery": Price(0.20, 1, "GB-month", "Amazon DynamoDB On-Demand Pricing", "2025-07"),
    "IoT message": Price(1.00, MILLION, "messages of 5 KB", "AWS IoT Core Pricing", "2026-09"),
    "IoT rule": Price(0.15, MILLION, "rules triggered", "AWS IoT Core Pricing", None),
    "IoT action": Price(0.15, MILLION, "actions", "AWS IoT Core Pricing", None),
    "IoT connection": Price(0.08, MILLION, "minutes", "AWS IoT Core Pricing", "2026-09"),
    "HTTP API request": Price(1.00, MILLION, "requests of 512 KB", "Amazon API Gateway Pricing", "2026-06"),
    "EventBridge event": Price(1.00, MILLION, "custom events of 64 KB", "Amazon EventBridge Pricing", "2026-06"),
    "Scheduler tick": Price(1.00, MILLION, "invocations", "Amazon EventBridge Pricing", "2026-03"),
    "SQS request": Price(0.40, MILLION, "requests of 64 KB", "Amazon SQS Pricing", "2026-06"),
    "Log ingestion": Price(0.50, 1, "GB", "Amazon CloudWatch Pricing", "2026-02"),
    "Log storage": Price(0.03, 1, "GB-month", "Amazon CloudWatch Pricing", "2026-02"),
    "Alarm": Price(0.10, 1, "alarm-month", "Amazon CloudWatch Pricing", "2026-02"),
    "Data out": Price(0.09, 1, "GB", "Amazon EC2 On-Demand Pricing", "2026-03"),
    "SMS part": Price(0.01, 1, "part, in the US", "assumed: AWS 0.6 cents and the carrier's 0.35 to 0.45", "2026-05"),
    "m7g.large": Price(0.0816, 1, "hour", "Amazon EC2 On-Demand Pricing", "2026-06"),
    "t3.small": Price(0.0208, 1, "hour", "Amazon EC2 On-Demand Pricing (a quarter of t3.large)", "2026-06"),
    "Load balancer": Price(0.0225, 1, "hour", "Elastic Load Balancing Pricing", "2026-06"),
    "NAT gateway": Price(0.045, 1, "hour", "Amazon VPC Pricing", "2026-03"),
    "NAT gateway data": Price(0.045, 1, "GB", "Amazon VPC Pricing", "2026-03"),
}

Usage = Mapping[str, float]
"""How much is taken of what, by the names of the prices."""


def dollars(usage: Usage, times: float = 1) -> float:
    """What it costs to take `usage` that many times."""
    return times * sum(amount * PRICES[name].dollars / PRICES[name].per for name, amount in usage.items())


def added(*usages: Usage) -> dict[str, float]:
    """All of them together."""
    return {name: sum(usage.get(name, 0) for usage in usages) for usage in usages for name in usage}
