"""What comes back of what we published is known, and what a device says is not taken for it."""

from __future__ import annotations

from botplatform.effect import Publication
from botplatform.hosts.mqtt.echoes import LIMIT, SECONDS, Echoes
from botplatform.sources.mqtt.message import Message

NOW = 1_000_000.0


def published(
    echoes: Echoes, topic: str = "lamp", chain: str = "a.b", now: float = NOW, payload: bytes = b"on"
) -> None:
    echoes.published(Publication(topic, payload, chain=chain), now)


def chain_of(echoes: Echoes, topic: str = "lamp", now: float = NOW, payload: bytes = b"on") -> str:
    return echoes.chain_of(Message(topic, payload, 1, False, False, 1), now)


def test_an_echo_has_the_chain_of_what_was_published() -> None:
    echoes = Echoes()
    published(echoes)

    assert chain_of(echoes) == "a.b"


def test_what_says_something_else_is_no_echo() -> None:
    echoes = Echoes()
    published(echoes)

    assert (chain_of(echoes, topic="door"), chain_of(echoes, payload=b"off")) == ("", "")


def test_a_device_that_says_the_same_after_the_echo_is_believed() -> None:
    echoes = Echoes()
    published(echoes)

    assert [chain_of(echoes), chain_of(echoes)] == ["a.b", ""]


def test_each_of_several_alike_comes_back_with_its_own_chain() -> None:
    echoes = Echoes()
    published(echoes, chain="first")
    published(echoes, chain="second")

    assert [chain_of(echoes) for _ in range(3)] == ["first", "second", ""]


def test_after_a_minute_it_is_forgotten() -> None:
    echoes = Echoes()
    published(echoes)
    published(echoes, chain="later", now=NOW + 1)

    assert [chain_of(echoes, now=NOW + SECONDS) for _ in range(2)] == ["later", ""]


def test_what_never_came_back_makes_room() -> None:
    echoes = Echoes()
    for number in range(LIMIT + 1):
        published(echoes, topic=f"lamp/{number}")
    published(echoes, topic="late", now=NOW + SECONDS)

    assert len(echoes._chains) == 1


def test_of_very_many_the_latest_are_known() -> None:
    echoes = Echoes()
    for number in range(LIMIT + 1):
        published(echoes, topic=f"lamp/{number}")

    assert [chain_of(echoes, topic=f"lamp/{number}") for number in (0, 1, LIMIT)] == ["", "a.b", "a.b"]


def test_what_no_handler_published_is_not_remembered() -> None:
    echoes = Echoes()
    published(echoes, chain="")

    assert not echoes._chains
