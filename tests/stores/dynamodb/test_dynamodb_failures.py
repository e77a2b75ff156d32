"""What DynamoDB refuses, delays or leaves unanswered, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from botplatform.aws import client
from botplatform.errors import Conflict, StateUnavailable
from botplatform.store import Abandoned, Commit, Outcome, Run, StateKey, Work, Write
from botplatform.stores.dynamodb import DynamoStore
from botplatform.stores.dynamodb.table import ATTEMPTS, LONGEST_PAUSE, UNANSWERED
from tests.handlers import SOURCE, happened
from tests.stores.dynamodb.faulty import Fault, Faulty, after, cancelled, refused, unanswered

COUNT = StateKey("demo", "count")
ADD_ONE = Write("add", b"1")
PASSING = [
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "TransactionInProgressException",
]


def commit(id: str = "1", **asked: Any) -> Commit:
    return Commit(Work(SOURCE, id, "demo.handle"), happened(id), **{"outcome": Outcome(), **asked})


def count(store: DynamoStore) -> bytes | None:
    return store.read(COUNT).json


# Throttled.


@pytest.mark.parametrize("fault", [*map(refused, PASSING), refused("InternalServerError", status=500)])
def test_what_passes_is_waited_for(store: DynamoStore, faulty: Faulty, pauses: list[float], fault: Fault) -> None:
    faulty.next("get_item", fault, fault)

    assert store.outcome(commit().work) is None
    assert len(pauses) == 2
    assert faulty.names() == ["get_item"] * 3


def test_what_does_not_pass_makes_the_state_unavailable(
    store: DynamoStore, faulty: Faulty, pauses: list[float]
) -> None:
    faulty.next("put_item", *[refused("ThrottlingException", "too fast")] * ATTEMPTS)

    with pytest.raises(StateUnavailable, match=r"'table-\d+' cannot be used: ThrottlingException: too fast"):
        store.commit(commit())
    assert len(pauses) == ATTEMPTS - 1
    assert 0 <= min(pauses) <= max(pauses) <= LONGEST_PAUSE
    assert store.outcome(commit().work) is None


def test_a_table_that_cannot_be_used_is_not_asked_again(store: DynamoStore, faulty: Faulty) -> None:
    faulty.next("get_item", refused("AccessDeniedException", "not authorized"))

    with pytest.raises(StateUnavailable, match="AccessDeniedException: not authorized"):
        store.read(COUNT)
    assert faulty.names() == ["get_item"]


def test_a_client_without_credentials_is_not_asked_again(store: DynamoStore, faulty: Faulty) -> None:
    def fault(_: Any) -> Any:
        raise NoCredentialsError

    faulty.next("get_item", fault)
    with pytest.raises(StateUnavailable, match="credentials"):
        store.read(COUNT)
    assert faulty.names() == ["get_item"]


def test_where_nothing_answers_the_state_is_unavailable(aws: dict[str, str]) -> None:
    nobody = Faulty(client("dynamodb", {**aws, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}))
    store = DynamoStore("table", nobody, pause=lambda _: None)

    with pytest.raises(StateUnavailable, match="Could not connect"):
        store.read(COUNT)
    assert nobody.names() == ["get_item"] * UNANSWERED
    store.close()


# Cancelled, for each reason.


@pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_cancelled_for_what_passes_is_made_again(store: DynamoStore, faulty: Faulty, reason: str) -> None:
    faulty.next("transact_write_items", *[cancelled("None", reason)] * 2)

    assert not store.commit(commit(reads={COUNT: 0}, writes={COUNT: Write("put", b"1")})).outcome.duplicate
    assert count(store) == b"1"
    assert faulty.names().count("transact_write_items") == 3


@pytest.mark.parametrize("reason", ["ValidationError", "ItemCollectionSizeLimitExceeded"])
def test_a_transaction_cancelled_for_what_is_wrong_with_it_is_the_authors_to_mend(
    store: DynamoStore, faulty: Faulty, reason: str
) -> None:
    faulty.next("transact_write_items", cancelled("None", reason))

    with pytest.raises(ValueError, match=f"cannot store this: {reason}: because of {reason}"):
        store.commit(commit(writes={COUNT: Write("put", b"1")}))


def test_a_transaction_cancelled_for_a_reason_nobody_knows_makes_the_state_unavailable(
    store: DynamoStore, faulty: Faulty
) -> None:
    faulty.next("transact_write_items", cancelled("None", "Whim"))

    with pytest.raises(StateUnavailable, match="Whim: because of Whim"):
        store.commit(commit(writes={COUNT: Write("put", b"1")}))


def test_a_transaction_cancelled_for_its_marker_is_done_already(
    store: DynamoStore, other: DynamoStore, faulty: Faulty
) -> None:
    theirs = commit(outcome=Outcome(reply={"text": "theirs"}), writes={COUNT: Write("put", b"1")})
    faulty.next("transact_write_items", after(lambda: other.commit(theirs)))

    ours = store.commit(commit(reads={COUNT: 0}, writes={COUNT: Write("put", b"2")}))
    assert ours.outcome == Outcome(reply={"text": "theirs"}, duplicate=True)
    assert count(store) == b"1"


def test_a_transaction_cancelled_for_what_the_handler_read_is_a_conflict(
    store: DynamoStore, other: DynamoStore, faulty: Faulty
) -> None:
    faulty.next("transact_write_items", after(lambda: other.write({COUNT: Write("put", b"1")})))

    with pytest.raises(Conflict, match="'count' changed"):
        store.commit(commit(reads={COUNT: 0}, writes={StateKey("demo", "other"): Write("put", b"2")}))
    assert store.outcome(commit().work) is None


@pytest.mark.parametrize(
    ("theirs", "ours", "sum_"),
    [
        (Write("put", b"5"), ADD_ONE, b"6"),
        (Write("put", b"5"), Write("create", b"1"), b"5"),
        (Write("put", b"[5]"), Write("append", b"[1]"), b"[5,1]"),
    ],
)
@pytest.mark.parametrize("unit", [True, False], ids=["in a unit", "of a host"])
def test_a_transaction_cancelled_for_what_the_handler_never_saw_is_made_again(
    store: DynamoStore, other: DynamoStore, faulty: Faulty, theirs: Write, ours: Write, sum_: bytes, unit: bool
) -> None:
    meanwhile = after(lambda: other.write({COUNT: theirs}))
    faulty.next("transact_write_items" if unit else "put_item", meanwhile)

    if unit:
        store.commit(commit(writes={COUNT: ours}))
    else:
        store.write({COUNT: ours})
    assert count(store) == sum_


def test_a_write_that_others_always_win_makes_the_state_unavailable(store: DynamoStore, faulty: Faulty) -> None:
    faulty.next("transact_write_items", *[cancelled("None", "TransactionConflict")] * 50)

    with pytest.raises(StateUnavailable, match="others were first 50 times"):
        store.commit(commit(writes={COUNT: ADD_ONE}))


# Unanswered: it may have happened.


@pytest.mark.parametrize("writes", [{}, {COUNT: ADD_ONE}], ids=["a marker", "a transaction"])
def test_a_commit_whose_answer_was_lost_is_not_taken_for_somebody_elses(
    store: DynamoStore, faulty: Faulty, writes: Any
) -> None:
    operation = "transact_write_items" if writes else "put_item"
    faulty.next(operation, unanswered)

    committed = store.commit(commit(outcome=Outcome(reply={"text": "ours"}), writes=writes))
    assert committed.outcome == Outcome(reply={"text": "ours"})
    assert count(store) == (b"1" if writes else None)
    assert faulty.names().count(operation) == 2


def test_a_transaction_that_is_tried_again_is_the_same_to_dynamodb(store: DynamoStore, faulty: Faulty) -> None:
    faulty.next("transact_write_items", unanswered)
    store.commit(commit(writes={COUNT: Write("put", b"1")}))
    store.commit(commit("2", writes={COUNT: Write("put", b"1")}))

    first, again, second = (request for name, request in faulty.calls if name == "transact_write_items")
    assert first == again
    assert first["ClientRequestToken"] != second["ClientRequestToken"]


def test_a_commit_whose_answer_was_lost_for_good_is_found_when_the_event_comes_again(
    store: DynamoStore, faulty: Faulty
) -> None:
    faulty.next("put_item", unanswered, *[refused("ThrottlingException")] * ATTEMPTS)

    with pytest.raises(StateUnavailable):
        store.commit(commit())
    assert store.commit(commit()).outcome.duplicate


# Who may still give the run up.


def test_a_run_cannot_be_given_up_while_it_commits(store: DynamoStore, faulty: Faulty) -> None:
    run, given_up = Run(), []
    faulty.next("put_item", after(lambda: given_up.append(run.abandon())))

    store.commit(commit(run=run))
    assert given_up == [False]


def test_a_run_can_be_given_up_while_the_store_looks_at_what_is_there(store: DynamoStore, faulty: Faulty) -> None:
    run = Run()
    faulty.next("get_item", after(run.abandon))

    with pytest.raises(Abandoned):
        store.commit(commit(writes={COUNT: ADD_ONE}, run=run))
    assert (store.outcome(commit().work), count(store)) == (None, None)


def test_a_run_that_lost_its_commit_can_be_given_up(store: DynamoStore, other: DynamoStore, faulty: Faulty) -> None:
    run = Run()
    faulty.next("transact_write_items", after(lambda: other.write({COUNT: Write("put", b"1")})))

    with pytest.raises(Conflict):
        store.commit(commit(reads={COUNT: 0}, run=run))
    assert run.abandon()
