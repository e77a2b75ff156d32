"""Which handlers an event concerns, and why not the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from botplatform import Event, Rejected, cloudevents, mqtt, slack
from botplatform.router import REMEMBERED, Handler, Router, keep
from botplatform.subscription import Subscription, subscribe
from tests.handlers import handler_of, happened


def handler(name: str, *decorators: Callable[[Any], Any]) -> Handler:
    def handle() -> None:
        """Nothing is ever run here."""

    handle.__name__ = name
    for decorator in reversed(decorators):
        decorator(handle)
    return handler_of(handle)


def command(text: str = "attic") -> Event:
    return happened(type="com.slack.command", subject="/temp", data={"command": "/temp", "text": text})


def message(topic: str, type: str = "org.mqtt.message") -> Event:
    return happened(type=type, subject=topic, data={"celsius": 31})


def routed(router: Router, event: Event) -> list[tuple[str, dict[str, str]]]:
    return [(match.handler.name, dict(match.params(event))) for match in router.route(event)]


def reasons(handlers: Iterable[Handler], event: Event) -> list[str | None]:
    return [reason for _, _, reason in Router(handlers).explain(event)]


ANY = {"type": [{"exists": True}]}
FALLBACK = subscribe(Subscription("cloudevents", "whatever nobody else takes", ANY, fallback=True))


def test_an_event_goes_to_the_handlers_of_its_type_and_pattern() -> None:
    router = Router(
        [
            handler("all", cloudevents.event("com.example.happened")),
            handler("hot", cloudevents.event(matching={"data": {"celsius": [{"numeric": [">", 30]}]}})),
            handler("other", cloudevents.event("com.example.other")),
        ]
    )

    assert routed(router, happened(data={"celsius": 31})) == [("demo.all", {}), ("demo.hot", {})]
    assert routed(router, happened(data={"celsius": 30})) == [("demo.all", {})]
    assert routed(router, happened(type="com.example.unheard")) == []


def test_a_topic_is_matched_level_by_level_and_captured() -> None:
    router = Router(
        [
            handler("room", mqtt.topic("sensors/{room}/temperature")),
            handler("all", mqtt.topic("sensors/#")),
            handler("literal", mqtt.topic("sensors/attic/temperature")),
        ]
    )

    assert routed(router, message("sensors/attic/temperature")) == [
        ("demo.room", {"room": "attic"}),
        ("demo.all", {}),
        ("demo.literal", {}),
    ]
    assert routed(router, message("sensors/attic/humidity")) == [("demo.all", {})]


def test_only_mqtt_messages_have_a_topic() -> None:
    router = Router([handler("room", mqtt.topic("sensors/{room}/temperature"))])

    assert routed(router, message("sensors/attic/temperature", type="com.example.happened")) == []


def test_handlers_come_in_the_order_they_were_loaded() -> None:
    names = [f"h{n}" for n in (3, 1, 2)]
    router = Router([handler(name, cloudevents.event("com.example.happened")) for name in names])

    assert [name for name, _ in routed(router, happened())] == [f"demo.{name}" for name in names]


def test_a_handler_with_several_subscriptions_gets_an_event_once_by_the_first_that_matches() -> None:
    router = Router([handler("room", mqtt.topic("sensors/{room}/#"), mqtt.topic("sensors/{place}/temperature"))])

    assert routed(router, message("sensors/attic/temperature")) == [("demo.room", {"room": "attic"})]


def test_a_command_brings_its_parameters() -> None:
    router = Router([handler("temp", slack.command("/temp {room}"))])

    assert routed(router, command("living room")) == [("demo.temp", {"room": "living room"})]


def test_an_event_that_lacks_its_parameters_says_so_when_they_are_taken_out() -> None:
    typed_nothing = command("")
    (match,) = Router([handler("temp", slack.command("/temp {room}"))]).route(typed_nothing)

    with pytest.raises(Rejected, match=re.escape("/temp {room}")):
        match.params(typed_nothing)


def test_a_fallback_gets_only_what_concerns_nobody_else() -> None:
    router = Router([handler("rest", FALLBACK), handler("all", cloudevents.event("com.example.happened"))])

    assert routed(router, happened()) == [("demo.all", {})]
    assert routed(router, happened(type="com.example.unheard")) == [("demo.rest", {})]


def test_an_empty_router_concerns_nobody() -> None:
    assert not Router().route(happened())


def test_every_subscription_says_why_it_does_not_take_an_event() -> None:
    handlers = [
        handler("all", cloudevents.event("com.example.happened")),
        handler("other", cloudevents.event("com.example.other")),
        handler("room", mqtt.topic("sensors/{room}/temperature")),
    ]

    first, second, third = reasons(handlers, happened())
    assert first is None
    assert "com.example.other" in str(second)
    assert third == "type is 'com.example.happened', wanted 'org.mqtt.message'"


def test_a_topic_that_does_not_fit_is_named() -> None:
    handlers = [handler("room", mqtt.topic("sensors/{room}/temperature"))]

    assert reasons(handlers, message("sensors/attic")) == ["topic 'sensors/attic' does not fit 'sensors/+/temperature'"]


def test_a_fallback_names_the_handler_that_takes_its_event() -> None:
    handlers = [handler("rest", FALLBACK), handler("all", cloudevents.event("com.example.happened"))]

    assert reasons(handlers, happened()) == ["demo.all takes it", None]
    assert reasons(handlers, happened(type="com.example.unheard"))[0] is None


@pytest.mark.parametrize(
    "event",
    [
        happened(),
        happened(type="com.example.other"),
        happened(type="com.example.unheard"),
        message("sensors/attic/temperature"),
        command(),
    ],
    ids=lambda event: event.type,
)
def test_what_is_explained_is_what_is_routed(event: Event) -> None:
    router = Router(
        [
            handler("all", cloudevents.event("com.example.happened")),
            handler("both", cloudevents.event("com.example.other"), mqtt.topic("sensors/#")),
            handler("rest", FALLBACK),
            handler("temp", slack.command("/temp {room}")),
        ]
    )
    taking = {handler.name for handler, _, reason in router.explain(event) if reason is None}

    assert taking == {name for name, _ in routed(router, event)}


def test_events_that_match_alike_are_told_apart_by_their_parameters() -> None:
    router = Router([handler("temp", slack.command("/temp {room}"))])

    assert [routed(router, command(room)) for room in ("attic", "cellar", "attic")] == [
        [("demo.temp", {"room": room})] for room in ("attic", "cellar", "attic")
    ]


@pytest.mark.parametrize(
    "further",
    [
        {"type": ["com.example.happened"], "data": {"celsius": [31]}},
        {"type": [{"prefix": "com.example."}], "subject": ["attic"], "data": {"celsius": [{"exists": True}]}},
        {"data": {"celsius": [31]}},
        {"$or": [{"type": ["com.example.other"]}, {"data": {"celsius": [31]}}]},
        {"type": ["com.example.happened"], "$or": [{"subject": ["attic"]}, {"data": {"celsius": [31]}}]},
        {"source": [{"prefix": "urn:"}], "partitionkey": ["U1"]},
        {"type": ["com.example.happened"], "subject": [{"exists": False}]},
    ],
)
def test_events_of_the_same_names_are_told_apart_where_somebody_looks_further(further: dict[str, Any]) -> None:
    router = Router(
        [
            handler("all", cloudevents.event("com.example.happened")),
            handler("further", cloudevents.event(matching=further)),
            handler("rest", FALLBACK),
        ]
    )
    events = [
        happened(type=type, subject=subject, data={"celsius": celsius}, extensions={"partitionkey": user})
        for type in ("com.example.happened", "com.example.other", "org.else")
        for subject in ("attic", "cellar", None)
        for celsius in (31, 30)
        for user in ("U1", "U2")
    ]

    for event in [*events, *reversed(events)]:
        reasons = {handler.name: reason for handler, _, reason in router.explain(event)}
        assert [name for name, _ in routed(router, event)] == [name for name, reason in reasons.items() if not reason]


def test_more_answers_than_are_remembered_are_found_all_the_same() -> None:
    router = Router([handler("room", mqtt.topic("sensors/{room}/temperature"))])

    for number in [*range(REMEMBERED + 2), 0]:
        assert routed(router, message(f"sensors/{number}/temperature")) == [("demo.room", {"room": str(number)})]


def test_no_more_is_remembered_than_there_is_room_for() -> None:
    known: dict[int, int] = {}

    for number in range(REMEMBERED + 2):
        assert keep(known, number, -number) == -number
        assert known[number] == -number

    assert len(known) == 2
