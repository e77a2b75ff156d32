"""What is remembered of messages of QoS 2 on their way out: enough to send none of them twice, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from botplatform.errors import Retry, StateUnavailable
from botplatform.hosts.mqtt.exchanges import FIRST_ID, Exchange, Exchanges
from botplatform.store import StateKey, Value, Write
from botplatform.stores.sqlite import SqliteStore

LAST_ID = 65_535
IDS = LAST_ID - FIRST_ID + 1
Open = Callable[[], Exchanges]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db", synchronous="OFF")
    yield store
    store.close()


@pytest.fixture
def start(store: SqliteStore) -> Open:
    """What a process finds at its start."""
    return lambda: Exchanges(store, "c")


def completed(exchanges: Exchanges, key: str) -> Exchange:
    return exchanges.reach("complete", exchanges.reach("received", exchanges.begin(key)[0]))


def test_the_next_process_goes_on_where_the_last_one_was(start: Open) -> None:
    first = start()
    begun, received = first.begin("begun")[0], first.reach("received", first.begin("received")[0])
    complete = completed(first, "complete")
    second = start()

    assert [second.begin(key) for key in ("begun", "received", "complete")] == [
        (begun, True),
        (received, True),
        (complete, True),
    ]
    assert {exchange.packet_id for exchange in (begun, received, complete)} == {FIRST_ID, FIRST_ID + 1, FIRST_ID + 2}


def test_a_message_nobody_knows_of_has_a_packet_id_of_its_own(start: Open) -> None:
    first, again = start().begin("a")
    second, _ = start().begin("b")

    assert not again
    assert (first.packet_id, second.packet_id) == (FIRST_ID, FIRST_ID + 1)


def test_what_was_under_way_in_a_session_that_is_gone_begins_anew(start: Open) -> None:
    first = start()
    received, complete = first.reach("received", first.begin("received")[0]), completed(first, "complete")
    first.session_lost()

    second = start()
    anew, again = first.begin("received")
    assert (anew.stage, again, anew.packet_id != received.packet_id) == ("begun", False, True)
    assert second.begin("received") == (anew, False)
    assert [process.begin("complete") for process in (first, second)] == [(complete, True)] * 2


def test_a_step_of_a_session_that_is_gone_leads_nowhere(start: Open) -> None:
    exchanges = start()
    old, _ = exchanges.begin("a")
    exchanges.session_lost()
    with pytest.raises(Retry, match="lost its session"):
        exchanges.reach("received", old)

    assert start().begin("a")[0].stage == "begun"


def test_what_the_broker_has_handed_on_is_done_though_its_session_ended_then(start: Open) -> None:
    exchanges = start()
    received = exchanges.reach("received", exchanges.begin("a")[0])
    exchanges.session_lost()
    exchanges.reach("complete", received)

    assert [process.begin("a")[0].stage for process in (exchanges, start())] == ["complete", "complete"]


def test_what_was_refused_is_forgotten(start: Open) -> None:
    exchanges = start()
    exchanges.end(exchanges.begin("a")[0])
    next_process = start()

    assert [process.begin("a")[1] for process in (exchanges, next_process)] == [False, False]


def test_packet_ids_are_used_again_when_their_messages_are_complete() -> None:
    exchanges = Exchanges(None, "c")
    stuck, _ = exchanges.begin("stuck")
    for number in range(2 * IDS):
        packet_id = completed(exchanges, f"message {number}").packet_id
        assert FIRST_ID < packet_id <= LAST_ID

    assert exchanges.begin("stuck") == (stuck, True)
    assert [exchanges.begin(f"message {number}")[1] for number in (IDS // 2, 2 * IDS - 1)] == [False, True]


def test_while_all_packet_ids_are_taken_a_message_has_to_wait() -> None:
    exchanges = Exchanges(None, "c")
    begun = [exchanges.begin(f"message {number}")[0] for number in range(IDS)]
    with pytest.raises(Retry, match="4096 messages"):
        exchanges.begin("one more")
    exchanges.reach("complete", begun[7])

    assert exchanges.begin("one more")[0].packet_id == begun[7].packet_id


def test_what_could_not_be_noted_is_noted_before_it_goes_on(store: SqliteStore) -> None:
    failures = [StateUnavailable("the disk is full")]

    class Notes:
        def read(self, key: StateKey) -> Value:
            return store.read(key)

        def scan(self, plugin: str, prefix: str) -> Iterator[tuple[str, Value]]:
            return store.scan(plugin, prefix)

        def write(self, writes: dict[StateKey, Write], wait: bool = True) -> None:
            assert wait, "it has to be durable"
            for failure in failures:
                raise failure
            store.write(writes)

    exchanges = Exchanges(Notes(), "c")  # type: ignore[arg-type]
    with pytest.raises(StateUnavailable):
        exchanges.begin("a")
    failures.clear()
    exchanges.begin("a")

    assert Exchanges(store, "c").begin("a")[1], "it was noted"
