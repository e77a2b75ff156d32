"""The table over the wire: reads that are consistent, writes that happen whole, and patience with what passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from os import urandom
from typing import Any

from botplatform.errors import StateUnavailable
from botplatform.stores.dynamodb.failures import Passing, failure
from botplatform.stores.dynamodb.items import PENDING, Action, Item, Key, key_of

# How often a throttled call is tried, and one that gets no answer at all, which takes its time to show.
ATTEMPTS = 10
UNANSWERED = 3
# Seconds: Amazon's "Exponential Backoff And Jitter" has why the jitter is full.
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 1.0
_OPERATIONS = {"Put": "put_item", "Delete": "delete_item"}


class Table:
    """One table, through a botocore `client`; `pause` sleeps for so many seconds.

    Every method raises StateUnavailable when DynamoDB does not do it however often it is asked.
    """

    def __init__(self, name: str, client: Any, pause: Callable[[float], None]) -> None:
        self._name = name
        self._client = client
        self._pause = pause

    def get(self, key: Key) -> Item | None:
        """What is there now."""
        answer = self._call("get_item", TableName=self._name, Key=key.attributes(), ConsistentRead=True)
        return Item.of(answer["Item"]) if "Item" in answer else None

    def query(self, pk: str, prefix: str) -> Iterator[Item]:
        """What is there now in one partition, of the sort keys that begin with `prefix`, in their order."""
        values, condition = {":pk": {"S": pk}}, "pk = :pk"
        if prefix:
            values, condition = {**values, ":prefix": {"S": prefix}}, f"{condition} AND begins_with(sk, :prefix)"
        asked = {"KeyConditionExpression": condition, "ExpressionAttributeValues": values, "ConsistentRead": True}
        return map(Item.of, self._pages(asked))

    def due(self, now: float) -> Iterator[Key]:
        """Where something is to be done by the time `now`, as far as the index knows yet: longest due first."""
        asked = {
            "IndexName": "pending",
            "KeyConditionExpression": "pending = :pending AND due <= :now",
            "ExpressionAttributeValues": {":pending": {"S": PENDING}, ":now": {"N": str(now)}},
        }
        return map(key_of, self._pages(asked))

    def write(self, actions: Sequence[Action]) -> None:
        """Do all of it or nothing; raises Refused, or ValueError for what DynamoDB cannot take."""
        (kind, arguments), *others = actions
        if not others and kind in _OPERATIONS:
            self._call(_OPERATIONS[kind], TableName=self._name, **arguments)
            return
        items = [{kind: {"TableName": self._name, **arguments}} for kind, arguments in actions]
        # The token makes a try whose answer was lost the same as the next one, instead of another write.
        self._call("transact_write_items", TransactItems=items, ClientRequestToken=urandom(16).hex())

    def wait(self, tries: int) -> None:
        """Pause before the next of several tries: the more there were, the longer."""
        from random import uniform

        self._pause(uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**tries)))

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _pages(self, asked: dict[str, Any]) -> Iterator[Any]:
        while True:
            page = self._call("query", TableName=self._name, **asked)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            asked = {**asked, "ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _call(self, operation: str, **request: Any) -> Any:
        """Call until it is answered, waiting longer each time."""
        from botocore.exceptions import BotoCoreError, ClientError

        tries = 0
        while True:
            try:
                return getattr(self._client, operation)(**request)
            except (ClientError, BotoCoreError) as error:
                failed = failure(error, self._name)
                if not isinstance(failed, Passing):
                    raise failed from error
                if tries + 1 >= (ATTEMPTS if failed.answered else UNANSWERED):
                    raise StateUnavailable(f"the table {self._name!r} cannot be used: {failed}") from error
            self.wait(tries)
            tries += 1


def create_table(client: Any, name: str) -> None:
    """Make a table such as a deployed one is, and wait until it is there."""
    names = {"pk": "S", "sk": "S", "pending": "S", "due": "N"}
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in names.items()],
        KeySchema=_schema("pk", "sk"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": "pending",
                "KeySchema": _schema("pending", "due"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    client.get_waiter("table_exists").wait(TableName=name)
    expiry = {"AttributeName": "expires", "Enabled": True}
    client.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)


def _schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
