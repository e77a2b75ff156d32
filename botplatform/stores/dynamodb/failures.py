"""What DynamoDB's refusals mean to whoever asked."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from botplatform.aws import passes
from botplatform.errors import StateUnavailable

# Amazon DynamoDB, "Error handling with DynamoDB" and, for those without "Exception", TransactWriteItems, "Errors".
_PASSING = {
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingError",
    "TransactionInProgressException",
}
_INVALID = {"ValidationError", "ValidationException", "ItemCollectionSizeLimitExceeded"}
_IN_THE_WAY = {"TransactionConflict", "TransactionConflictException"}
_CONDITION = {"ConditionalCheckFailed", "ConditionalCheckFailedException"}


class Refused(Exception):
    """A write that did not happen, for others were there first.

    `positions` are those of the actions whose conditions did not hold; with none, another write was just going on.
    """

    def __init__(self, positions: Collection[int] = ()) -> None:
        super().__init__(f"conditions {sorted(positions)} did not hold")
        self.positions = frozenset(positions)


class Passing(Exception):
    """What may be gone on another try: throttling, a fault of the service, or no answer (`answered` is False)."""

    def __init__(self, reason: str, answered: bool) -> None:
        super().__init__(reason)
        self.answered = answered


def failure(error: Any, table: str) -> Exception:
    """What a botocore error means: Refused, Passing, ValueError for what cannot be stored, or StateUnavailable."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

    if isinstance(error, ConnectionError | HTTPClientError):
        return Passing(str(error), answered=False)
    if not isinstance(error, ClientError):
        return StateUnavailable(f"the table {table!r} cannot be used: {error}")
    reasons = error.response.get("CancellationReasons")
    codes = [reason.get("Code", "None") for reason in reasons] if reasons else [error.response["Error"]["Code"]]
    if not _INVALID.isdisjoint(codes):
        return ValueError(f"DynamoDB cannot store this: {_messages(error)}")
    if not _CONDITION.isdisjoint(codes):
        return Refused([position for position, code in enumerate(codes) if code in _CONDITION])
    if not _IN_THE_WAY.isdisjoint(codes):
        return Refused()
    if not _PASSING.isdisjoint(codes) or passes(error):
        return Passing(_messages(error), answered=True)
    return StateUnavailable(f"the table {table!r} cannot be used: {_messages(error)}")


def _messages(error: Any) -> str:
    """All that DynamoDB says about it."""
    reasons = error.response.get("CancellationReasons", [])
    told = [
        f"{reason['Code']}: {reason.get('Message', '')}" for reason in reasons if reason.get("Code", "None") != "None"
    ]
    return "; ".join(told) or f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}"
