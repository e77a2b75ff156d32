"""An event that a handler emits says what led to it (CloudEvents, "Correlation"), whatever the handler says of it."""

from __future__ import annotations

from typing import Any

import pytest

from botplatform import Context, Event
from botplatform.engine import CHAIN_SIZE, Engine, Failed
from botplatform.sources.cloudevents import SOURCE
from botplatform.store import Run
from botplatform.stores.forgetful import Forgetful
from tests.handlers import happened, match_of

EMITTED = {"type": "com.example.followed"}


def emitted(cause: Event, **attributes: Any) -> dict[str, Any]:
    """The envelope of an event that a handler emits for that cause."""

    def emit(ctx: Context) -> None:
        ctx.emit(Event(**{**EMITTED, **attributes}))

    store = Forgetful()
    (effect,) = Engine(store, {"cloudevents": SOURCE}).run(cause, match_of(emit, uses={"emit"})).effects
    envelope: dict[str, Any] = effect.request.arguments["event"]
    return envelope


def handled(cause: Event, **limits: int) -> Any:
    return Engine(Forgetful(), {"cloudevents": SOURCE}, **limits).run(cause, match_of(lambda: None), Run(answered=True))


def chained(*handlers: str) -> Event:
    return happened(extensions={"handlerchain": " ".join(handlers)})


def test_it_names_its_cause_and_begins_a_correlation_where_there_is_none() -> None:
    told = emitted(happened("7"))
    assert (told["correlationid"], told["causationid"], told["handlerchain"]) == ("7", "7", "demo.emit")


def test_it_goes_on_with_the_correlation_and_the_chain_of_its_cause() -> None:
    cause = happened("7", extensions={"correlationid": "1", "causationid": "6", "handlerchain": "a.b c.d"})
    told = emitted(cause)
    assert (told["correlationid"], told["causationid"], told["handlerchain"]) == ("1", "7", "a.b c.d demo.emit")


def test_a_correlation_that_is_empty_is_none() -> None:
    assert emitted(happened("7", extensions={"correlationid": ""}))["correlationid"] == "7"


def test_a_handler_cannot_hide_what_led_to_it() -> None:
    told = emitted(chained("a.b"), extensions={"handlerchain": "", "causationid": "made up", "color": "red"})
    assert (told["causationid"], told["handlerchain"], told["color"]) == ("1", "a.b demo.emit", "red")


def test_a_handler_that_passed_often_enough_is_not_run() -> None:
    handled(chained(*["demo.<lambda>"] * 2), chain_limit=3)
    with pytest.raises(Failed, match=r"^a loop: demo.<lambda> passed 3 times in demo.<lambda> > ") as stopped:
        handled(chained(*["demo.<lambda>"] * 3), chain_limit=3)
    assert stopped.value.final


def test_a_chain_of_different_handlers_may_be_long_but_not_without_end() -> None:
    longest = [f"p.{number:05}" for number in range(CHAIN_SIZE // 8)]
    assert handled(chained(*longest))
    with pytest.raises(Failed, match="a loop, or made up: the handlers that led here have 8194 characters"):
        handled(chained(*longest, "x"))


@pytest.mark.parametrize("chain", [7, True, "", "   "])
def test_a_chain_that_is_none_is_taken_as_it_is(chain: Any) -> None:
    assert handled(happened(extensions={"handlerchain": chain}))
