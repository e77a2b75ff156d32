"""The smallest handler that Powertools for AWS Lambda's pages begin with: a logger, and the event as a class."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, event_source

logger = Logger(service="cold_start")


@event_source(data_class=EventBridgeEvent)
def handle(event: EventBridgeEvent, context: Any) -> str:
    """Log who did what, and answer with it."""
    del context
    logger.info(event.detail["eventName"])
    return str(event.detail["eventName"])
