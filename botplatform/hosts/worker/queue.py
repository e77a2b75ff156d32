"""An SQS queue: its messages received, kept from others, deleted and given back, and new ones sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from botplatform import codec
from botplatform.aws import client
from botplatform.errors import Rejected, Retry

# Amazon SQS, "ReceiveMessage" and "DeleteMessageBatch": at most 10 messages in one request, and 20 seconds to wait.
BATCH = 10
WAIT = 20
# Amazon SQS, "SendMessage", Errors: a message that is too long, or has characters that SQS takes from nobody.
_UNSENDABLE = {"InvalidParameterValue", "InvalidMessageContents"}
# Where there is a dead-letter queue but the queue itself does not say how often a message may be tried.
ATTEMPTS = 5


class Message(NamedTuple):
    """One message as received; `attempts` counts how often it was, this time included."""

    id: str
    body: str
    receipt: str
    attempts: int
    group: str = ""


class Queue:
    """One queue, standard or FIFO; safe to use from any thread. Its methods raise Retry when SQS cannot be reached.

    `settings` hold credentials, region and endpoint. `dead_letters` is the URL of the queue for what cannot be
    handled; without it, the one that its redrive policy names. `visibility` is how many seconds a received message
    stays hidden from others, `attempts` how often a message is tried, None for as long as SQS keeps it.
    """

    def __init__(self, url: str, settings: Mapping[str, str], dead_letters: str = "") -> None:
        self.url = url
        self.name = url.rpartition("/")[2]
        self.fifo = self.name.endswith(".fifo")
        self._sqs = client("sqs", settings, attempts=3)
        self._polling = client("sqs", settings, read_timeout=WAIT + 10)
        wanted = ["VisibilityTimeout", "RedrivePolicy"]
        found = self._call(self._sqs.get_queue_attributes, AttributeNames=wanted).get("Attributes", {})
        policy = codec.decode(found.get("RedrivePolicy") or "{}")
        self.visibility = max(1, int(found.get("VisibilityTimeout", 30)))
        self.dead_letters = dead_letters or self._url_of(policy.get("deadLetterTargetArn", ""))
        self.attempts = int(policy["maxReceiveCount"]) if policy else ATTEMPTS if dead_letters else None

    def receive(self, limit: int) -> list[Message]:
        """Wait up to 20 s for messages, and hide them from others.

        From a FIFO queue it takes one at a time: behind one that fails, others of its group would be counted as
        received, and in the end taken for dead letters, without ever having been tried.
        """
        answer = self._call(
            self._polling.receive_message,
            MaxNumberOfMessages=1 if self.fifo else min(limit, BATCH),
            WaitTimeSeconds=WAIT,
            VisibilityTimeout=self.visibility,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "MessageGroupId"],
        )
        return [_message(found) for found in answer.get("Messages", ())]

    def hide(self, messages: Sequence[tuple[Message, int]]) -> set[str]:
        """Hide messages, 10 at most, for so many seconds from now; returns the ids of those that are not ours now."""
        entries = [
            {"Id": str(n), "ReceiptHandle": message.receipt, "VisibilityTimeout": seconds}
            for n, (message, seconds) in enumerate(messages)
        ]
        answer = self._call(self._sqs.change_message_visibility_batch, Entries=entries)
        refused = (int(failed["Id"]) for failed in answer.get("Failed", ()) if failed.get("SenderFault"))
        return {messages[number][0].id for number in refused}

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete messages, 10 at most; one that could not be comes again, and is known then."""
        entries = [{"Id": str(number), "ReceiptHandle": message.receipt} for number, message in enumerate(messages)]
        self._call(self._sqs.delete_message_batch, Entries=entries)

    def send(self, body: bytes, group: str, id: str) -> None:
        """Return once a message is in the queue; `group` and `id` are for FIFO queues, which know a repeated id.

        Raises Rejected for a message that no queue takes.
        """
        order = {"MessageGroupId": _short(group), "MessageDeduplicationId": _short(id)} if self.fifo else {}
        self._call(self._sqs.send_message, MessageBody=body.decode(), **order)

    def _url_of(self, arn: str) -> str:
        if not arn:
            return ""
        account, name = arn.split(":")[-2:]
        found = self._call(self._sqs.get_queue_url, QueueName=name, QueueOwnerAWSAccountId=account, QueueUrl=None)
        return str(found["QueueUrl"])

    def _call(self, operation: Callable[..., Mapping[str, Any]], **arguments: Any) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        given = {name: value for name, value in {"QueueUrl": self.url, **arguments}.items() if value is not None}
        try:
            return operation(**given)
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in _UNSENDABLE:
                raise Rejected(f"the queue {self.name} does not take it: {error}") from error
            raise Retry(f"the queue {self.name}: {error}") from error


def batches(items: Iterable[Any]) -> list[list[Any]]:
    """Some items, ten at a time, as SQS takes them."""
    left = list(items)
    return [left[start : start + BATCH] for start in range(0, len(left), BATCH)]


def _message(found: Mapping[str, Any]) -> Message:
    attributes = found.get("Attributes", {})
    attempts = int(attributes.get("ApproximateReceiveCount", 1))
    return Message(
        found["MessageId"], found["Body"], found["ReceiptHandle"], attempts, attributes.get("MessageGroupId", "")
    )


def _short(name: str) -> str:
    """A group or deduplication id as SQS takes it: 128 letters, digits and some signs; ours have more in them."""
    return hashlib.sha256(name.encode()).hexdigest()
