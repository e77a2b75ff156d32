"""The requests that workers make for each event, made by nothing but botocore: what the emulator itself allows."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.scale_out.emulator import Place

THREADS = 16


def handle(place: Place, events: int) -> float:
    """Receive, commit and delete so many messages; returns the seconds it took."""
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as threads:
        left = events
        while left:
            found = place.sqs.receive_message(QueueUrl=place.queue, MaxNumberOfMessages=10).get("Messages", [])
            list(threads.map(lambda message: _commit(place, message["MessageId"]), found))
            entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(found)]
            if entries:
                place.sqs.delete_message_batch(QueueUrl=place.queue, Entries=entries)
            left -= len(found)
    return time.perf_counter() - began


def _commit(place: Place, id: str) -> None:
    marker, state = _key(f"done#{id}"), _key(f"state#{id}")
    for key in (marker, state):
        place.dynamodb.get_item(TableName=place.table, Key=key, ConsistentRead=True)
    items = [_put(place, marker), _put(place, state)]
    place.dynamodb.transact_write_items(TransactItems=items)


def _key(pk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": "x"}}


def _put(place: Place, key: dict[str, Any]) -> dict[str, Any]:
    item = {**key, "json": {"S": "1"}, "version": {"N": "1"}}
    return {"Put": {"TableName": place.table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}}
