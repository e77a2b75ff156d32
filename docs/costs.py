"""How much of everything AWS charges for one event takes, handled in our way and in others."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from types import MappingProxyType
from typing import NamedTuple

from cold_starts import KEEPS_NOTHING, WITH_STATE, on_paper
from prices import Usage, added, dollars

HOURS = 730  # of a month
SECONDS = HOURS * 3600
GIGABYTE = 1e9


class Work(NamedTuple):
    """What a handler does with an event, and what that asks of DynamoDB when the event is delivered once.

    `reads` are consistent GetItems (at most 4 KB each), `transacted` the items of one TransactWriteItems and `updates`
    those written by themselves (at most 1 KB each); `indexed` counts how often an item enters or leaves the index of
    pending effects.
    """

    name: str
    reads: int = 0
    transacted: int = 0
    updates: int = 0
    indexed: int = 0
    texts: int = 0

    @property
    def requests(self) -> int:
        """The calls of DynamoDB."""
        return self.reads + bool(self.transacted) + self.updates


NOTHING = Work("keeps nothing")
MARKED = Work("only leaves its marker", reads=1, updates=1)
STATE = Work("reads and writes a value", reads=2, transacted=2)
TEXT = Work("and sends a text", reads=4, transacted=3, updates=1, indexed=2, texts=1)
WORKS = (NOTHING, MARKED, STATE, TEXT)

# Amazon DynamoDB, "Read/write capacity mode": a transaction writes each item twice.
TRANSACTED = 2
MARKER = 600  # bytes, with the 100 that DynamoDB adds to each item
MARKER_DAYS = 7


def kept(work: Work) -> Usage:
    """What the state takes: requests, and markers until they expire."""
    markers = bool(work.requests) * MARKER / GIGABYTE * MARKER_DAYS * 24 / HOURS
    return {
        "DynamoDB read": work.reads,
        "DynamoDB write": work.transacted * TRANSACTED + work.updates + work.indexed,
        "DynamoDB storage": markers,
        "DynamoDB recovery": markers,
        "SMS part": work.texts,
    }


EVENT_CPU, REQUEST_CPU = 0.001, 0.0015  # seconds of one vCPU: our code, and botocore for each request
READ_WAIT, WRITE_WAIT, TEXT_WAIT = 0.003, 0.008, 0.060  # seconds until DynamoDB and SNS have answered
COLD_SHARE = 0.01  # AWS Compute Blog, "AWS Lambda standardizes billing for INIT Phase": under 1 % of invocations
# Billed since August 2025.
COLD_START = {NOTHING: KEEPS_NOTHING, MARKED: WITH_STATE, STATE: WITH_STATE, TEXT: WITH_STATE}


def computed(work: Work) -> float:
    """Seconds of one vCPU for one event."""
    return EVENT_CPU + (work.requests + work.texts) * REQUEST_CPU


def duration(work: Work, memory: int) -> float:
    """Seconds a warm function takes for one event, of which it computes some and waits for the rest."""
    computing = on_paper(computed(work), memory)
    writes = work.requests - work.reads
    return computing + work.reads * READ_WAIT + writes * WRITE_WAIT + work.texts * TEXT_WAIT


PLATFORM_LINES = 450  # bytes of START, END and REPORT, with the 26 that CloudWatch adds to each line
LOG_DAYS = 30
TEXT_LINE = 300  # bytes more in our line for a text and what came of it


def function(work: Work, memory: int, line: int, batch: float = 1) -> Usage:
    """What Lambda and its log take of an event whose line in the log has `line` bytes; `batch` events share a call."""
    billed = duration(work, memory) + COLD_SHARE * on_paper(COLD_START[work], memory) / batch
    logged = (line + work.texts * TEXT_LINE + PLATFORM_LINES / batch) / GIGABYTE
    return {
        "Lambda request": 1 / batch,
        "Lambda duration, arm64": billed * memory / 1024,
        "Log ingestion": logged,
        "Log storage": logged * LOG_DAYS * 24 / HOURS,
    }


class Source(NamedTuple):
    """How events of one kind arrive: what that takes, the memory of their function, and bytes of a line in the log."""

    name: str
    arrival: Usage
    memory: int
    line: int
    batch: float = 1


# AWS IoT Core: a reading is a message, triggers one rule, and that one action. Amazon SQS: ten messages share a receive
# and a delete. EventBridge takes AWS's own events for nothing, and Alexa calls its function by itself.
SOURCES = (
    Source("an MQTT reading", {"IoT message": 1, "IoT rule": 1, "IoT action": 1}, 256, 900),
    Source("a CloudTrail record that matches", {}, 256, 1800),
    Source("a Slack command", {"HTTP API request": 1, "Data out": 1000 / GIGABYTE}, 512, 1000),
    Source("an Alexa intent", {}, 512, 1800),
    Source("a tick", {"Scheduler tick": 1}, 256, 900),
    Source("an SQS message, ten at a time", {"SQS request": 1.2}, 256, 900, batch=10),
)
IGNORED = "a CloudTrail record that does not match"


def on_lambda(source: Source, work: Work) -> dict[str, float]:
    """All that one event takes."""
    return added(source.arrival, function(work, source.memory, source.line, source.batch), kept(work))


REDUNDANT, CORES, BUSY = 2, 2, 0.5  # machines at least, cores of an m7g.large, and how busy they may be on average


class Host(NamedTuple):
    """Workers on machines of one's own: how events reach them, what that takes, and the machines that needs besides."""

    name: str
    compared: Source
    arrival: Usage
    others: int


WORKERS = (
    Host("from an SQS queue", SOURCES[-1], {"SQS request": 1.2}, 0),
    Host("from a broker of your own, on a third machine", SOURCES[0], {}, 1),
)


def machines(work: Work, events: float) -> int:
    """How many machines carry `events` a month, computing as long for each as a function does."""
    return max(REDUNDANT, ceil(events * computed(work) / SECONDS / CORES / BUSY))


def on_workers(host: Host, work: Work, events: float) -> float:
    """Dollars a month for `events` handled by workers."""
    hours = (machines(work, events) + host.others) * HOURS
    return dollars(added(host.arrival, kept(work)), events) + dollars({"m7g.large": hours})


def break_even(host: Host, work: Work) -> float:
    """How many events a month make two workers as cheap as functions."""
    saved = dollars(on_lambda(host.compared, work)) - dollars(added(host.arrival, kept(work)))
    return dollars({"m7g.large": (REDUNDANT + host.others) * HOURS}) / saved


class Way(NamedTuple):
    """Another way people do it: what is assumed, what it takes for each event and each month; and what ours does."""

    name: str
    assumes: str
    each: Usage
    monthly: Usage
    ours: Usage = MappingProxyType({})


READING = on_lambda(SOURCES[0], STATE)
NAIVE = (
    Way(
        "five services on servers of their own",
        "one framework each for Slack, Alexa, MQTT, CloudTrail and cron, each on two t3.small for availability, behind "
        "a load balancer; the database they share is not counted",
        {},
        {"t3.small": 10 * HOURS, "Load balancer": HOURS},
        READING,
    ),
    Way(
        "every CloudTrail record goes to a function that filters",
        "128 MB and 10 ms to look at a record, Lambda's own lines in the log",
        {
            "Lambda request": 1,
            "Lambda duration, arm64": 0.010 * 128 / 1024,
            "Log ingestion": PLATFORM_LINES / GIGABYTE,
        },
        {},
    ),
    Way(
        "MQTT readings, with an idempotency layer of its own",
        "a record in a second table before and after the handler, the state read and written by itself: three writes "
        "and a read, none of them in one transaction; else like ours",
        added(SOURCES[0].arrival, function(STATE, 256, 900), {"DynamoDB read": 1, "DynamoDB write": 3}),
        {},
        READING,
    ),
    Way(
        "a function that asks once a second whether there is work",
        "128 MB, 100 ms each time",
        {},
        {"Lambda request": SECONDS, "Lambda duration, arm64": SECONDS * 0.1 * 128 / 1024},
    ),
    Way(
        "functions in a private network, with a NAT gateway",
        "one in each of two zones, 5 KB of traffic an event; to be added to the rest",
        {"NAT gateway data": 5000 / GIGABYTE},
        {"NAT gateway": 2 * HOURS},
    ),
    Way(
        "provisioned concurrency against cold starts",
        "two instances of 512 MB for Slack and for Alexa; to be added to the rest",
        {},
        {"Lambda provisioned, arm64": 2 * 2 * 0.5 * SECONDS},
    ),
)

# What is paid for while nothing happens, in units a month.
ALARMS = 21  # of the plugins that ship
POLLERS, LONG_POLL = 5, 20  # AWS Lambda, "Using Lambda with Amazon SQS": connections that ask for 20 seconds each
SWEEPS = HOURS * 60 / 5
IDLE: Mapping[str, Usage] = {
    f"{ALARMS} alarms, for the plugins that ship": {"Alarm": ALARMS},
    "Lambda asking the queue whether there is something": {"SQS request": POLLERS * SECONDS / LONG_POLL},
    "the sweep for pending effects, every 5 minutes": {
        "Lambda request": SWEEPS,
        "Lambda duration, arm64": SWEEPS * (on_paper(COLD_START[STATE], 256) + READ_WAIT) * 256 / 1024,
        "DynamoDB read": SWEEPS,
        "Scheduler tick": SWEEPS,
        "Log ingestion": SWEEPS * (PLATFORM_LINES + 300) / GIGABYTE,
    },
    "each device that stays connected": {"IoT connection": HOURS * 60},
}

# AWS Lambda, "Quotas": 1,000 concurrent executions. Amazon EventBridge, "Quotas": 10,000 entries a second in us-east-1.
CONCURRENCY, ENTRIES = 1000, 10_000
EVENTBRIDGE_WAIT = 0.3  # seconds from PutEvents to the function, about
EMIT = Work("reads and writes a value, and emits", reads=3, transacted=2, updates=1, indexed=2)
LOOP = added({"EventBridge event": 1}, function(STATE, 256, 900), kept(EMIT))


def loop_a_day(branching: bool) -> float:
    """Dollars a day of a handler that emits what it listens to: once, or so often that only quotas hold it."""
    alone = 1 / (EVENTBRIDGE_WAIT + duration(EMIT, 256))
    return dollars(LOOP, 86_400 * (min(CONCURRENCY / duration(EMIT, 256), ENTRIES) if branching else alone))
