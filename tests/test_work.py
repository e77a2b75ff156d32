"""What a handler may ask for through its context, and what it is told when it may not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from botplatform import Context, Event, Rejected
from botplatform.source import EffectRequest
from botplatform.store import Commit, Outcome, Work
from botplatform.stores.sqlite import SqliteStore
from botplatform.work import TEXT_LIMIT, Undeclared, Unit
from tests.handlers import handler_of, happened

NOW = 1_800_000_000.0
ALL = frozenset({"text", "slack", "publish", "emit", "call"})
Do = Callable[[Context], Any]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db", lambda: NOW, synchronous="OFF")
    yield store
    store.close()


def run(
    store: SqliteStore,
    do: Do,
    event: Event | None = None,
    *,
    handler: str = "demo.handle",
    uses: Collection[str] = ALL,
    after: float = 0,
) -> Unit:
    """One handler that does `do`, `after` seconds later, and its commit."""
    event = event or happened()
    plugin = handler.partition(".")[0]
    unit = Unit(store, plugin, NOW + after)
    doing = handler_of(lambda: None, uses, plugin)._replace(name=handler)
    do(Context(event, doing, unit, {"room": "attic"}, tuple))
    work = Work(event.source, f"{event.id}.{after}", handler)
    store.commit(Commit(work, event.replace(id=work.id), Outcome(), unit.reads(), unit.writes(), unit.effects))
    return unit


def asked(store: SqliteStore, do: Do, **options: Any) -> list[EffectRequest]:
    return run(store, do, **options).effects


# Every effect.


@pytest.mark.parametrize(
    ("do", "name", "arguments", "order"),
    [
        (lambda c: c.text("owner", "hi"), "text", {"to": "owner", "body": "hi"}, "owner"),
        (lambda c: c.slack("C1", "hi"), "slack", {"channel": "C1", "text": "hi"}, "C1"),
        (
            lambda c: c.slack("C1", blocks=({"type": "divider"},), thread="1.2"),
            "slack",
            {"channel": "C1", "blocks": [{"type": "divider"}], "thread_ts": "1.2"},
            "C1",
        ),
        (
            lambda c: c.publish("a/b", "on"),
            "publish",
            {"topic": "a/b", "payload": "on", "qos": 1, "retain": False, "chain": "demo.handle"},
            "a/b",
        ),
        (
            lambda c: c.publish("a/b", {"on": True}, qos=2, retain=True),
            "publish",
            {"topic": "a/b", "payload": '{"on":true}', "qos": 2, "retain": True, "chain": "demo.handle"},
            "a/b",
        ),
        (lambda c: c.effect("call", {"number": (1, 2)}, order="7"), "call", {"number": [1, 2]}, "7"),
        (lambda c: c.effect("call", {}), "call", {}, ""),
    ],
)
def test_an_effect_is_asked_for_with_its_arguments_and_its_order(
    store: SqliteStore, do: Do, name: str, arguments: Any, order: str
) -> None:
    assert asked(store, do) == [EffectRequest(name, arguments, order)]


@pytest.mark.parametrize(
    ("do", "reason"),
    [
        (lambda c: c.text("owner", ""), "a text has 1 to 1600 characters, this one 0"),
        (lambda c: c.text("owner", "x" * 1601), "a text has 1 to 1600 characters, this one 1601"),
        (lambda c: c.text(None, "hi"), "a text needs somebody to go to"),
        (lambda c: c.slack("C1"), "a Slack message needs a channel, and text or blocks"),
        (lambda c: c.slack("", "hi"), "a Slack message needs a channel, and text or blocks"),
        (lambda c: c.publish("", 1), "'' is no topic to publish to"),
        (lambda c: c.publish("a/+", 1), r"'a/\+' is no topic to publish to"),
        (lambda c: c.publish("a/#", 1), "'a/#' is no topic to publish to"),
        (lambda c: c.publish("a\0", 1), "is no topic to publish to"),
        (lambda c: c.publish("a", 1, qos=3), "qos is 0, 1 or 2, not 3"),
        (lambda c: c.text("owner", "hi", once_per="often"), "'often' is no length of time"),
    ],
)
def test_what_cannot_be_done_is_refused_when_it_is_asked_for(store: SqliteStore, do: Do, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        run(store, do)


def test_arguments_have_to_be_json(store: SqliteStore) -> None:
    with pytest.raises(TypeError):
        run(store, lambda c: c.effect("call", {"what": object()}))


def test_arguments_are_taken_as_they_are_at_that_moment(store: SqliteStore) -> None:
    arguments = {"list": [1]}

    def handle(ctx: Context) -> None:
        ctx.effect("call", arguments)
        arguments["list"].append(2)

    assert asked(store, handle)[0].arguments == {"list": [1]}


@pytest.mark.parametrize(
    ("do", "name"),
    [
        (lambda c: c.text("owner", "hi"), "text"),
        (lambda c: c.text("owner", "hi", once_per="1h"), "text"),
        (lambda c: c.slack("C1", "hi"), "slack"),
        (lambda c: c.publish("a", 1), "publish"),
        (lambda c: c.emit(Event(type="a")), "emit"),
        (lambda c: c.effect("call", {}), "call"),
    ],
)
def test_an_effect_that_was_not_declared_is_refused_with_the_line_to_write(
    store: SqliteStore, do: Do, name: str
) -> None:
    uses = ALL - {name}
    line = f"USES = {sorted(ALL)!r}"

    with pytest.raises(Undeclared) as refused:
        run(store, do, uses=uses)
    assert str(refused.value) == f"plugin demo uses the effect {name!r}: declare it with {line}"


def test_a_handler_is_given_its_parameters_the_time_and_its_own_logger(store: SqliteStore) -> None:
    seen: list[Any] = []
    run(store, lambda c: seen.extend([c.params, c.now, c.log.name]))

    assert seen == [{"room": "attic"}, datetime.fromtimestamp(NOW, UTC), "botplatform.plugins.demo"]


# once_per.


def alarm(to: str = "owner", about: str = "") -> Do:
    return lambda ctx: ctx.text(to, "too hot", once_per="1h", about=about)


def bodies(store: SqliteStore, *runs: tuple[float, Do]) -> list[str]:
    return [effect.arguments["body"] for after, do in runs for effect in asked(store, do, after=after)]


def test_at_most_one_text_goes_out_in_the_period(store: SqliteStore) -> None:
    assert bodies(store, (0, alarm()), (1, alarm()), (3599, alarm())) == ["too hot"]


def test_what_was_suppressed_is_said_to_whoever_looks(store: SqliteStore) -> None:
    run(store, alarm())

    assert run(store, alarm(), after=1).suppressed == ["text to owner: at most one in 1 h"]


def test_the_next_text_says_how_many_were_suppressed(store: SqliteStore) -> None:
    texts = bodies(store, (0, alarm()), (1, alarm()), (2, alarm()), (3600, alarm()), (7200, alarm()))

    assert texts == ["too hot", "too hot (2 more suppressed)", "too hot"]


def test_within_one_handler_too(store: SqliteStore) -> None:
    assert bodies(store, (0, lambda c: (alarm()(c), alarm()(c)))) == ["too hot"]


def test_each_recipient_and_each_thing_has_a_period_of_its_own(store: SqliteStore) -> None:
    others = [alarm(), alarm("ops"), alarm(about="kitchen"), alarm("ops", "kitchen")]

    assert len(bodies(store, *enumerate(others))) == 4


def test_each_plugin_has_a_period_of_its_own(store: SqliteStore) -> None:
    run(store, alarm())

    assert asked(store, alarm(), handler="other.handle")


def test_the_period_is_no_part_of_the_plugins_state(store: SqliteStore) -> None:
    run(store, alarm())
    seen: list[Any] = []
    run(store, lambda c: seen.extend(c.state.items()), after=1)

    assert seen == []


def test_nor_is_it_in_the_run_that_begins_it(store: SqliteStore) -> None:
    seen: list[Any] = []
    run(store, lambda c: (c.state.set("warm", 1), alarm()(c), seen.extend(c.state.items())))

    assert seen == [("warm", 1)]


def test_a_long_text_makes_room_for_the_number_that_was_suppressed(store: SqliteStore) -> None:
    def long(ctx: Context) -> None:
        ctx.text("owner", "x" * TEXT_LIMIT, once_per=timedelta(hours=1))

    *_, last = bodies(store, (0, long), (1, long), (3600, long))

    assert len(last) == TEXT_LIMIT
    assert last.endswith("x (1 more suppressed)")


# emit.


def emitted(store: SqliteStore, *events: Event, **options: Any) -> list[Event]:
    def handle(ctx: Context) -> None:
        for event in events:
            ctx.emit(event)

    effects = asked(store, handle, **options)
    return [Event.from_dict(effect.arguments["event"]) for effect in effects]


ALARM = Event(type="com.example.alarm", subject="attic", data={"celsius": 41})


def test_a_new_event_is_named_after_the_plugin_and_the_time(store: SqliteStore) -> None:
    (event,) = emitted(store, ALARM)

    named = {"source": "urn:botplatform:plugin:demo", "time": "2027-01-15T08:00:00Z"}
    assert event == ALARM.replace(id=event.id, extensions=event.extensions, **named)


def test_a_new_event_has_the_same_id_whenever_the_handler_runs_again_on_its_cause(store: SqliteStore) -> None:
    (first,), (second,) = emitted(store, ALARM), emitted(store, ALARM, after=60)

    assert (first.id, first.source) == (second.id, second.source)


def test_no_two_new_events_have_the_same_id(store: SqliteStore) -> None:
    events = [
        *emitted(store, ALARM, ALARM),
        *emitted(store, ALARM, after=1, event=happened("2")),
        *emitted(store, ALARM, after=2, event=happened(source="/others")),
        *emitted(store, ALARM, after=3, handler="demo.other"),
        *emitted(store, ALARM, after=4, handler="other.handle"),
    ]

    assert len({event.id for event in events}) == 6


def test_an_event_that_was_named_keeps_its_name(store: SqliteStore) -> None:
    own = happened("own", time="2026-01-05T12:00:00Z", extensions={"partitionkey": "k"})

    (event,) = emitted(store, own)

    assert event == own.replace(extensions=event.extensions)
    assert event.extensions["partitionkey"] == "k"
    assert asked(store, lambda c: c.emit(own), after=1)[0].order == "k"


@pytest.mark.parametrize(
    ("event", "attribute"),
    [
        (Event(type=""), "type"),
        (Event(type="a", extensions={"Not-Allowed": 1}), "Not-Allowed"),
    ],
)
def test_an_event_that_is_none_is_refused_when_it_is_emitted(store: SqliteStore, event: Event, attribute: str) -> None:
    with pytest.raises(Rejected) as refused:
        run(store, lambda c: c.emit(event))
    assert refused.value.where == attribute
