"""What AWS carries for the handlers: messages to devices, events to other functions, dead letters to their queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from botplatform import codec
from botplatform.aws import client, lazily, passes
from botplatform.effect import CHAIN_PROPERTY, Publication
from botplatform.errors import Rejected, Retry
from botplatform.event import Event
from botplatform.hosts.records import StoredFile

# AWS IoT Core, "Message broker and protocol limits and quotas": the payload of a PUBLISH.
PUBLISH_LIMIT = 128 * 1024
# Characters of a chain that goes along with a message: it has to fit into an HTTP header.
LONGEST_CHAIN = 4 * 1024
# Amazon EventBridge, PutEvents: an entry's size, of which its time counts 14 bytes.
ENTRY_LIMIT = 256 * 1024


class AwsHost:
    """Publishes through AWS IoT Core, takes events in on `BOTPLATFORM_BUS`, buries in `BOTPLATFORM_DEAD_LETTERS`.

    Everything is read from `settings` when it is first needed; `clock` gives the Unix time in seconds. Safe to use
    from any thread.
    """

    def __init__(self, settings: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock
        self._iot = lazily(lambda: client("iot-data", settings))
        self._events = lazily(lambda: client("events", settings))
        self._sqs = lazily(lambda: client("sqs", settings))
        self._s3 = lazily(lambda: client("s3", settings))

    def publish(self, message: Publication) -> None:
        """Publish to MQTT, at QoS 1 at most; raises Retry, or Rejected for what AWS IoT Core does not take."""
        topic, payload = message.topic, message.payload
        if len(payload) > PUBLISH_LIMIT:
            raise Rejected(f"{len(payload)} bytes for {topic}: AWS IoT Core takes {PUBLISH_LIMIT} at most")
        how = {"qos": min(message.qos, 1), "retain": message.retain, **_properties(message)}
        _call("AWS IoT Core", lambda: self._iot().publish(topic=topic, payload=payload, **how))

    def accept(self, event: Event) -> None:
        """Put an event on the bus, whose rules bring it to whoever listens; raises Retry or Rejected."""
        bus = self._settings.get("BOTPLATFORM_BUS")
        if not bus:
            raise Rejected("no bus to emit to: BOTPLATFORM_BUS is not set")
        envelope = event.to_json()
        size = len(envelope) + len(event.source.encode()) + len(event.type.encode()) + 14
        if size > ENTRY_LIMIT:
            raise Rejected(f"event {event.id} has {size} bytes: EventBridge takes {ENTRY_LIMIT} at most")
        entry = {"Source": event.source, "DetailType": event.type, "Detail": envelope.decode(), "EventBusName": bus}
        when = {"Time": event.time} if event.time else {}
        answer = _call("EventBridge", lambda: self._events().put_events(Entries=[{**entry, **when}]))
        if answer.get("FailedEntryCount"):
            failed = answer["Entries"][0]
            raise Retry(f"EventBridge: {failed.get('ErrorCode')}: {failed.get('ErrorMessage')}")

    def bury(self, event: Event, handler: str, reason: str) -> None:
        """Keep an event a handler gave up on, as a dead letter; returns once it is durable. Raises Retry.

        Of one that is too large for the queue, the letter has the `attributes` without the data: it cannot be tried
        again, and says so.
        """
        about = {"handler": handler, "reason": reason}
        try:
            self._put({"event": codec.decode(event.to_json()), **about})
        except Rejected as refused:
            lost = f"{reason}; its data of {len(event.data_json)} bytes is not kept: {refused}"
            shorn = event.replace(data=None, datacontenttype=None).to_dict()
            self._send({"attributes": shorn, **about, "reason": lost})

    def bury_bytes(self, body: bytes, reason: str) -> None:
        """Keep a record that is no event, as a dead letter; returns once it is durable. Raises Retry."""
        self._send({"body_base64": codec.to_base64(body), "reason": reason})

    def read(self, file: StoredFile) -> bytes:
        """The content of a file in S3; raises Retry, or Rejected when it is not there or not ours to read."""
        where = f"s3://{file.bucket}/{file.key}"
        return _call(where, lambda: self._s3().get_object(Bucket=file.bucket, Key=file.key)["Body"].read())  # type: ignore[no-any-return]

    @property
    def buries(self) -> bool:
        """Whether there is a queue for dead letters."""
        return bool(self._settings.get("BOTPLATFORM_DEAD_LETTERS"))

    def _send(self, letter: Mapping[str, Any]) -> None:
        try:
            self._put(letter)
        except Rejected as refused:
            raise Retry(str(refused)) from refused  # whoever sent it still has it

    def _put(self, letter: Mapping[str, Any]) -> None:
        if not self.buries:
            raise Retry("there is no queue for dead letters: BOTPLATFORM_DEAD_LETTERS is not set")
        queue = self._settings["BOTPLATFORM_DEAD_LETTERS"]
        body = codec.encode({"botplatform": 1, **letter, "time": self._clock()}).decode()
        _call("SQS", lambda: self._sqs().send_message(QueueUrl=queue, MessageBody=body, **_order(queue, body)))


def _properties(message: Publication) -> dict[str, Any]:
    """The chain, as a user property."""
    fits = 0 < len(message.chain) <= LONGEST_CHAIN
    return {"userProperties": [{CHAIN_PROPERTY: message.chain}]} if fits else {}


def _order(queue: str, body: str) -> dict[str, str]:
    """What a FIFO queue wants besides: the dead letters of such a queue are in another one."""
    if not queue.endswith(".fifo"):
        return {}
    from hashlib import sha256

    return {"MessageGroupId": "botplatform", "MessageDeduplicationId": sha256(body.encode()).hexdigest()}


def _call(service: str, request: Callable[[], Any]) -> Any:
    """Make a request; what fails is a Retry where trying again may help, else a Rejected."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        return request()
    except ClientError as error:
        reason = f"{service}: {error.response.get('Error', {}).get('Message') or error}"
        raise (Retry(reason) if passes(error) else Rejected(reason)) from error
    except (BotoCoreError, ResponseParserError) as error:
        raise Retry(f"{service} cannot be reached: {error}") from error
