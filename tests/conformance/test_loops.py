"""Events that lead to events, on every stage: a loop ends in the dead letters, a long way does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.stage import Stage
from tests.mosquitto import eventually


def emitted(kind: str, **extensions: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "first", "source": "/shop", "type": f"example.{kind}", **extensions}


def test_a_handler_that_emits_to_itself_is_stopped_and_its_dead_letter_shows_the_chain(stage: Stage) -> None:
    stage.cloudevent(emitted("echo"))
    eventually(stage.dead_letters, 60)
    stage.settle()

    chain = " > ".join(["loops.echo"] * 8)
    assert stage.dead_letters() == [("loops.echo", f"a loop: loops.echo passed 8 times in {chain}")]
    assert stage.state("loops") == {"echoes": 8}


def test_so_are_two_that_emit_to_each_other(stage: Stage) -> None:
    stage.cloudevent(emitted("ping"))
    eventually(stage.dead_letters, 60)
    stage.settle()

    chain = " > ".join(["loops.ping", "loops.pong"] * 8)
    assert stage.dead_letters() == [("loops.ping", f"a loop: loops.ping passed 8 times in {chain}")]
    assert stage.state("loops") == {"pings": 8}


def test_a_long_way_through_different_handlers_is_no_loop(stage: Stage) -> None:
    stage.cloudevent(emitted("leg.1"))
    eventually(lambda: "leg 10" in stage.state("loops"), 60)
    stage.settle()

    assert stage.state("loops")["leg 10"] == " ".join(f"loops.leg_{number}" for number in range(1, 10))
    assert stage.dead_letters() == []


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        (" ".join(["loops.echo"] * 8), "a loop: loops.echo passed 8 times in "),
        ("x" * 10_000, "a loop, or made up: the handlers that led here have 10001 characters"),
    ],
    ids=["a loop", "too long"],
)
def test_a_chain_that_somebody_made_up_can_only_stop_its_own_event(stage: Stage, chain: str, reason: str) -> None:
    stage.cloudevent(emitted("echo", handlerchain=chain))
    eventually(stage.dead_letters, 60)
    stage.settle()

    [(handler, said)] = stage.dead_letters()
    assert handler == "loops.echo"
    assert said.startswith(reason)
    assert stage.state("loops") == {}
