"""Records of the outside world as targets, from bytes to what a router would make of their events."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from botplatform import codec, mqtt
from botplatform.errors import BotplatformError, Rejected
from botplatform.event import Event
from botplatform.hosts.aws_lambda.function import Function
from botplatform.hosts.records import StoredFile, events_in, opened, recognized
from botplatform.plugins import Plugins
from botplatform.router import Router
from botplatform.source import Raw, Source, masked
from botplatform.sources.mqtt.deliveries import Deliveries, Standing
from botplatform.sources.mqtt.message import Message
from botplatform.sources.mqtt.source import SOURCE as MQTT
from botplatform.sources.mqtt.source import own_id, to_event
from botplatform.subscription import Subscription, subscriptions_of
from tests.fuzz import samples
from tests.fuzz.app import ROOT
from tests.fuzz.target import Came, Target, refused

SOURCES = ("slack", "alexa", "mqtt", "cloudtrail", "schedule", "cloudevents")
_NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
# More than any input has, but for those that have records without end.
_MOST = 10_000


def record_targets() -> list[Target]:
    """A target for each way in which records come; the plugins that ship listen."""
    plugins = Plugins([ROOT / "plugins"])
    sources, router = plugins.sources, Router(plugins.handlers)
    return [
        *(
            Target(f"normalize-{name}", samples.of_source(name), partial(_normalize, sources[name], router), 8)
            for name in SOURCES
        ),
        Target("normalize-binary", samples.BINARY, partial(_binary, sources["cloudevents"], router), 4),
        Target("envelope", samples.of_source("cloudevents"), _envelope, 3),
        Target("file", samples.all_records(), partial(_file, sources, router), 8),
        Target("queue", samples.queue_messages(), partial(_queue, sources, router), 6),
        Target("lambda", samples.lambda_calls(), partial(_lambda, _function()), 6),
        Target("device", samples.DEVICES, partial(_device, Deliveries((), Standing(), lambda: "new"), router), 6),
    ]


def _normalize(source: Source, router: Router, body: bytes) -> Came:
    return _came(source.normalize(Raw(body)), router, source)


def _binary(source: Source, router: Router, text: bytes) -> Came:
    """An event in the lines of HTTP headers, and its data after an empty one."""
    head, _, body = text.partition(b"\n\n")
    lines = (line.decode("latin-1").partition(":") for line in head.split(b"\n"))
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    return _came(source.normalize(Raw(body, headers)), router, source)


def _came(found: Iterable[Event | Rejected], router: Router, source: Source | None = None) -> Came:
    """Count what a source made of an input, once all of it is what it has to be."""
    came, several = Came(), [*islice(found, _MOST)]
    for one in several:
        if isinstance(one, Rejected):
            assert one.where or len(several) == 1, f"refused without a place, among others: {one}"
            came += refused(one)
        else:
            came["events"] += 1
            _check(one, router)
            _use(one, source)
    return came


def _check(event: Event, router: Router) -> None:
    """Whatever happens to an event later has to be possible: to be kept, read again, found a handler for."""
    event.checked()
    assert Event.from_json(event.to_json()) == event, "what was kept is not what came"
    assert event.time is None or event.time.tzinfo
    assert repr(event)
    router.route(event)
    list(router.explain(event))


def _use(event: Event, source: Source | None) -> None:
    """What a host asks a source about its event has to have an answer."""
    if source is None:
        return
    Event.from_json(masked(event, source.secrets))
    source.reply_within(event)
    source.meanwhile(event)
    if source.follow_up:
        source.follow_up(event, source.late)
    if source.identify:
        source.identify(event, ())
    compile(source.suggest(event), source.name, "exec")
    for reply in (None, source.late, source.unmatched(event, ())):
        codec.encode(source.render(event, reply))


def _envelope(text: bytes) -> Came:
    try:
        event = Event.from_json(text)
    except Rejected as error:
        return refused(error)
    assert Event.from_json(event.to_json()) == event
    return Came(events=1)


def _file(sources: Mapping[str, Source], router: Router, body: bytes) -> Came:
    """A file of anybody's, as the command line reads it."""
    raw = Raw(body)
    try:
        source = recognized(sources, raw)
    except Rejected as error:
        return refused(error)
    return _came(source.normalize(raw), router, source)


def _queue(sources: Mapping[str, Source], router: Router, body: bytes) -> Came:
    """The body of a message, as a worker or a function reads it; files it names have the same content."""
    text = body.decode(errors="replace").encode()  # a queue carries text

    def stored(_: StoredFile) -> bytes:
        return text

    came = Came()
    for piece in opened(text, "message-1"):
        came += _came(events_in(piece, sources, stored), router)
    return came


def _function() -> Function:
    settings = {"SLACK_SIGNING_SECRET": "s", "BOTPLATFORM_EVENTS_TOKEN": "t"}
    return Function({**settings, "BOTPLATFORM_SOURCES": ",".join(SOURCES)})


def _lambda(function: Function, body: bytes) -> Came:
    """What a function is called with, which Lambda has decoded from JSON."""
    try:
        value = codec.decode(body)
        with redirect_stdout(io.StringIO()):
            function(value)
    except BotplatformError as error:
        return refused(error)
    return Came(accepted=1)


@mqtt.topic("sensors/{room}/temperature", id_field="id")
@mqtt.topic("gauges/#", payload="raw")
@mqtt.topic("a/{b...}", schema=dict[str, int])
def _hear() -> None: ...


_LISTENING = subscriptions_of(_hear)


def _device(deliveries: Deliveries, router: Router, packet: bytes) -> Came:
    """A message of a device: `QoS retain duplicate packet-id topic`, and the payload in the lines after that."""
    head, _, payload = packet.partition(b"\n")
    qos, retain, duplicate, number, topic = (*head.split(b" ", 4), *[b""] * 5)[:5]
    name = topic.decode(errors="replace")
    if not name or {*name} & {*"+#\0"} or len(topic) > 65_535:
        return Came(rejected=1)  # the broker closes the connection: MQTT 5.0, 3.3.2.1
    message = Message(name, payload, len(qos) % 3, retain == b"1", duplicate == b"1", len(number))
    id = own_id(message, _LISTENING) or deliveries.identify([message])[1][0].event_id
    event = to_event(message, id, "mqtt://broker", _NOW)
    _check(event, router)
    return Came(events=1) + _prepared(event, _LISTENING)


def _prepared(event: Event, subscriptions: Sequence[Subscription]) -> Came:
    came = Came()
    assert MQTT.prepare
    for subscription in subscriptions:
        try:
            MQTT.prepare(event, subscription)
        except Rejected as error:
            came += refused(error)
    return came
