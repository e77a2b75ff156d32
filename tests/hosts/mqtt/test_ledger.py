"""What the next process finds of the messages that came to the last one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from botplatform import codec
from botplatform.hosts.mqtt.ledger import Ledger
from botplatform.sources.mqtt.deliveries import digest
from botplatform.sources.mqtt.message import Message
from botplatform.store import StateKey, Write
from botplatform.stores.sqlite import SqliteStore

CLIENT = "c"
DIGEST = digest("home/door", b"open")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db", synchronous="OFF")
    yield store
    store.close()


def message(packet_id: int, duplicate: bool = False, qos: int = 1) -> Message:
    return Message("home/door", b"open", qos, False, duplicate, packet_id if qos else 0)


def entered(ledger: Ledger, store: SqliteStore, *packet_ids: int, duplicate: bool = False) -> list[str]:
    """The event ids of messages that arrive and are handled."""
    ids = []
    for packet_id in packet_ids:
        [(id, also)] = ledger.enter([message(packet_id, duplicate)])
        store.write(also)
        ids.append(id)
    return ids


def next_process(store: SqliteStore) -> Ledger:
    """The ledger of a process that begins when all that was written before is stored."""
    store.write({})
    return Ledger(store, CLIENT)


def test_the_next_process_knows_what_was_handled_and_may_come_again(store: SqliteStore) -> None:
    ids = entered(Ledger(store, CLIENT), store, 1, 2)

    assert entered(next_process(store), store, 1, 2, duplicate=True) == ids


def test_what_is_stored_with_one_message_has_the_others_that_came_with_it(store: SqliteStore) -> None:
    entries = Ledger(store, CLIENT, together=3).enter([message(packet_id) for packet_id in (1, 2, 3, 4)])
    store.write(entries[1][1])

    ids = [id for id, _ in entries]
    assert entered(next_process(store), store, 1, 2, 3, 4, duplicate=True)[:3] == ids[:3]
    assert entered(next_process(store), store, 4, duplicate=True) != ids[3:]


def test_what_an_earlier_version_stored_is_known(store: SqliteStore) -> None:
    store.write({StateKey(f"@mqtt.deliveries {CLIENT}", "0"): Write("put", codec.encode([5, 0, 1, DIGEST, "old-6"]))})

    assert entered(Ledger(store, CLIENT), store, 1, duplicate=True) == ["old-6"]


def test_another_client_has_another_session(store: SqliteStore) -> None:
    ids = entered(Ledger(store, CLIENT), store, 1)

    assert entered(Ledger(store, "another"), store, 1, duplicate=True) != ids


def test_the_next_process_does_not_take_a_message_for_one_that_was_confirmed(store: SqliteStore) -> None:
    ledger = Ledger(store, CLIENT)
    first, second = entered(ledger, store, 1, 2)
    ledger.confirmed([1])
    later = next_process(store)

    assert entered(later, store, 2, duplicate=True) == [second]
    assert entered(later, store, 1, duplicate=True) != [first]


def test_nothing_of_a_lost_session_is_known_later(store: SqliteStore) -> None:
    ledger = Ledger(store, CLIENT)
    ids = entered(ledger, store, 1, 2)
    ledger.session_lost()

    assert {*entered(next_process(store), store, 1, 2, duplicate=True)} & {*ids} == set()


def test_what_is_kept_does_not_grow_with_the_messages(store: SqliteStore) -> None:
    ledger = Ledger(store, CLIENT)
    for packet_id in range(1, 200):
        entered(ledger, store, packet_id)
        ledger.confirmed([packet_id])

    assert len(list(store.scan(f"@mqtt.deliveries {CLIENT}", ""))) == 1


def test_messages_of_qos_0_are_different_events_and_nothing_is_kept_of_them(store: SqliteStore) -> None:
    ledger = Ledger(store, CLIENT)
    (first, kept), (second, _) = ledger.enter([message(0, qos=0), message(0, qos=0)])

    assert first != second
    assert not kept
