"""The dead letters of a stage: messages in its dead-letter queue, ours and those that AWS's services put there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from botplatform import codec
from botplatform.deploy.stage import Stage, answered
from botplatform.deploy.stage_search import fits
from botplatform.errors import BotplatformError, Rejected
from botplatform.event import JSON, Event
from botplatform.hosts.aws_lambda.calls import Continuation
from botplatform.hosts.local.operations import unmasked
from botplatform.hosts.records import StoredFile, events_in, opened
from botplatform.letters import Letter
from botplatform.plugins import Plugins
from botplatform.source import Source, masked, text_at
from botplatform.stores.sqlite.search import Search

# Amazon SQS, "ReceiveMessage": 10 messages at most. Others do not see them while we look through the queue.
_BATCH = 10
_HIDDEN = 300


class StageLetters:
    """The dead letters of a stage; the number of one is the id of its message.

    Each look takes all messages out of sight for a while. One that somebody else is looking at is not there meanwhile.
    """

    at_once = True

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._sources = Plugins().sources
        self._queue = stage.output("DeadLettersUrl")

    def find(self, search: Search) -> Iterator[Letter]:
        """Those searched for, oldest first."""
        letters = [self._read(message) for message in self._looking()]
        wanted = [letter for letter in letters if letter.fits(search)]
        return iter([letter.shown for letter in sorted(wanted, key=lambda letter: letter.time)])

    def letter(self, name: str) -> Letter:
        """One with its envelope, None where it is no event; raises Rejected when there is none of that name."""
        letter = self._read(self._one(name))
        return {**letter.shown, "envelope": letter.envelope}

    def retry(self, names: Sequence[str]) -> Iterator[int]:
        """Bring them to whoever gave up: the handler's function, whom it was called for, or else the stage's queue."""
        return self._each(names, lambda message: self._send_back(self._read(message)))

    def edit(self, name: str, data: Any) -> None:
        """Put one with other data in its place: it gets another number. Raises Rejected unless it is one of ours."""
        message = self._one(name)
        letter = self._read(message)
        if letter.event is None or not letter.handler:
            raise Rejected(f"dead letter {name} holds no event of a handler: there is nothing to edit")
        whole = unmasked(data, letter.event.data, letter.secrets)
        event = letter.event.replace(data=whole, data_json=None, datacontenttype=JSON)
        body = codec.encode({**letter.value, "event": codec.decode(event.to_json())}).decode()
        self._sqs("send_message", MessageBody=body)
        self._delete(message)

    def drop(self, names: Sequence[str]) -> Iterator[int]:
        """Delete them."""
        return self._each(names, lambda _: None)

    def _each(self, names: Sequence[str], act: Callable[[Mapping[str, Any]], None]) -> Iterator[int]:
        """Do something with messages and delete each after it."""
        wanted = set(names)
        for message in self._looking():
            if message["MessageId"] in wanted:
                act(message)
                self._delete(message)
                wanted.discard(message["MessageId"])
                yield 1

    def _one(self, name: str) -> Mapping[str, Any]:
        found = [message for message in self._looking() if message["MessageId"] == name]
        if not found:
            raise Rejected(f"there is no dead letter {name}")
        return found[0]

    def _looking(self) -> Iterator[Mapping[str, Any]]:
        """Every message once; afterwards, all that are still there can be seen by others again."""
        taken: dict[str, str] = {}
        try:
            while found := self._receive():
                taken.update((message["MessageId"], message["ReceiptHandle"]) for message in found)
                yield from found
        finally:
            self._give_back(list(taken.values()))

    def _receive(self) -> list[Mapping[str, Any]]:
        answer = self._sqs(
            "receive_message",
            MaxNumberOfMessages=_BATCH,
            VisibilityTimeout=_HIDDEN,
            WaitTimeSeconds=1,  # enough for SQS to ask all its machines: an empty answer means that there is nothing
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        return list(answer.get("Messages", ()))

    def _give_back(self, receipts: Sequence[str]) -> None:
        """Let others see messages; those deleted meanwhile are refused, which does no harm."""
        for start in range(0, len(receipts), _BATCH):
            batch = enumerate(receipts[start : start + _BATCH])
            entries = [{"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": 0} for n, receipt in batch]
            self._sqs("change_message_visibility_batch", Entries=entries)

    def _delete(self, message: Mapping[str, Any]) -> None:
        self._sqs("delete_message", ReceiptHandle=message["ReceiptHandle"])

    def _send_back(self, letter: _Read) -> None:
        function = text_at(letter.value, "requestContext", "functionArn")
        if letter.event and letter.handler:
            self._invoke(self._function(letter), Continuation(letter.event, frozenset([letter.handler])).to_json())
        elif function:
            self._invoke(function, codec.encode(letter.value["requestPayload"]))
        else:
            with answered("the stage's queue"):
                url = self._stage.output("QueueUrl")
                self._stage.client("sqs").send_message(QueueUrl=url, MessageBody=letter.body)

    def _function(self, letter: _Read) -> str:
        """The function that has the handler and hears its source."""
        plugin = letter.handler.partition(".")[0]
        for function in self._stage.functions:
            if function.holds(plugin) and letter.source and letter.source.name in function.sources:
                return function.full_name
        raise BotplatformError(f"no function of stage {self._stage.name} has {letter.handler} any more")

    def _invoke(self, function: str, payload: bytes) -> None:
        """Call a function without waiting: Lambda keeps the call until it succeeds, or is a dead letter once more."""
        with answered(function):
            self._stage.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=payload)

    def _sqs(self, operation: str, **arguments: Any) -> dict[str, Any]:
        with answered("the dead-letter queue"):
            return dict(getattr(self._stage.client("sqs"), operation)(QueueUrl=self._queue, **arguments))

    def _read(self, message: Mapping[str, Any]) -> _Read:
        return _read(message, self._sources)


class _Read(NamedTuple):
    """A message, and what it says: the first event in it with its source, if there is one."""

    number: str
    body: str
    time: float
    value: dict[str, Any]
    handler: str
    reason: str
    event: Event | None
    source: Source | None

    @property
    def secrets(self) -> frozenset[str]:
        return self.source.secrets if self.source else frozenset()

    @property
    def envelope(self) -> dict[str, Any] | None:
        """The envelope, secrets masked."""
        return dict(codec.decode(masked(self.event, self.secrets))) if self.event else None

    @property
    def shown(self) -> dict[str, Any]:
        """The letter without its envelope, as everywhere."""
        names = ("source", "id", "type", "subject")
        about = {name: getattr(self.event, name) if self.event else None for name in names}
        known = {"handler": self.handler, "reason": self.reason, "changed": self.time}
        return {"number": self.number, **about, **known}

    def fits(self, search: Search) -> bool:
        """Whether it is one of those searched for."""
        handlers = [{"handler": self.handler, "status": "dead"}]
        entry = {**self.shown, "received": self.time, "verdict": "accepted", "handlers": handlers}
        return fits({**entry, "envelope": self.envelope}, search)


def _read(message: Mapping[str, Any], sources: Mapping[str, Source]) -> _Read:
    value = _object(message["Body"])
    event = _event(message["Body"].encode(), sources)
    return _Read(
        number=message["MessageId"],
        body=message["Body"],
        time=float(value["time"] if "botplatform" in value else int(message["Attributes"]["SentTimestamp"]) / 1000),
        value=value,
        handler=text_at(value, "handler") or "",
        reason=_reason(value, message.get("MessageAttributes", {})),
        event=event,
        source=_source_of(event, sources) if event else None,
    )


def _object(body: str) -> dict[str, Any]:
    try:
        value = codec.decode(body)
    except Rejected:
        return {}
    return value if isinstance(value, dict) else {}


def _event(body: bytes, sources: Mapping[str, Source]) -> Event | None:
    found = (event for piece in opened(body) for event in events_in(piece, sources, _unread))
    return next((event for event in found if isinstance(event, Event)), None)


def _unread(file: StoredFile) -> bytes:
    raise Rejected(f"s3://{file.bucket}/{file.key} is not read to show a dead letter")


def _source_of(event: Event, sources: Mapping[str, Source]) -> Source:
    return next((source for source in sources.values() if source.owns(event)), sources["cloudevents"])


def _reason(value: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
    """Why, in the words of whoever put it there: us, Lambda, a rule of AWS IoT, or EventBridge."""
    failures = value.get("failures")
    first = failures[0] if isinstance(failures, list) and failures else None
    return (
        text_at(value, "reason")
        or text_at(value, "responsePayload", "errorMessage")
        or text_at(first, "errorMessage")
        or text_at(attributes, "ERROR_MESSAGE", "StringValue")
        or "its sender does not say why"
    )
