"""What DynamoDB adds to the contract: limits, expiry, few requests, and effects in one process's hands at a time."""

from __future__ import annotations

from typing import Any

import pytest

from botplatform.source import EffectRequest
from botplatform.store import Change, Commit, Committed, Outcome, Run, StateKey, Work, Write
from botplatform.stores.dynamodb import DynamoStore
from botplatform.stores.dynamodb.marker import ASKED_LIMIT, KEPT
from tests.handlers import SOURCE, happened, replaced
from tests.stores.conftest import Clock
from tests.stores.dynamodb.faulty import Faulty, after

COUNT = StateKey("demo", "count")
WORK = Work(SOURCE, "1", "demo.handle")
TEXTS = [EffectRequest("text", {"to": "owner", "body": str(n)}, "owner") for n in range(3)]
AGAIN = Outcome(duplicate=True)


def commit(id: str = "1", **asked: Any) -> Commit:
    return Commit(Work(SOURCE, id, "demo.handle"), happened(id), **{"outcome": Outcome(), **asked})


def put(json: bytes, expires: float | None = None) -> Write:
    return Write("put", json, expires)


def item(dynamodb: Any, table: str, pk: str) -> dict[str, Any]:
    """The one item of a partition, as it is in the table."""
    query = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": pk}}}
    (found,) = dynamodb.query(TableName=table, **query)["Items"]
    return {name: next(iter(value.values())) for name, value in found.items()}


def marker(dynamodb: Any, table: str) -> dict[str, Any]:
    return item(dynamodb, table, f"done#{SOURCE}#1")


# The table.


def test_a_table_has_what_a_deployed_one_has(dynamodb: Any, table: str) -> None:
    made = dynamodb.describe_table(TableName=table)["Table"]

    assert [key["AttributeName"] for key in made["KeySchema"]] == ["pk", "sk"]
    (index,) = made["GlobalSecondaryIndexes"]
    assert (index["IndexName"], [key["AttributeName"] for key in index["KeySchema"]]) == ("pending", ["pending", "due"])
    assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    expiry = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert expiry == {"AttributeName": "expires", "TimeToLiveStatus": "ENABLED"}


def test_people_can_read_what_is_in_it(store: DynamoStore, dynamodb: Any, table: str) -> None:
    store.commit(commit(outcome=Outcome(reply={"text": "warm"}), writes={COUNT: put(b'{"celsius":21.5}')}))

    state = item(dynamodb, table, "state#demo")
    assert (state["sk"], state["json"]) == ("count", '{"celsius":21.5}')
    assert marker(dynamodb, table)["sk"] == "demo.handle"
    assert '"text":"warm"' in marker(dynamodb, table)["json"]


# Requests, which cost money and time.


@pytest.mark.parametrize(
    ("unit", "requests"),
    [
        ({}, ["put_item"]),
        ({"effects": TEXTS}, ["put_item"]),
        ({"writes": {COUNT: put(b"1")}}, ["transact_write_items"]),
        ({"reads": {COUNT: 0}}, ["transact_write_items"]),
        ({"writes": {COUNT: Write("add", b"1")}}, ["get_item", "transact_write_items"]),
        ({"outcome": AGAIN}, ["get_item"]),
    ],
)
def test_a_commit_asks_no_more_of_dynamodb_than_it_has_to(
    store: DynamoStore, faulty: Faulty, unit: Any, requests: list[str]
) -> None:
    store.commit(commit(**unit))

    assert faulty.names() == requests


def test_an_event_that_comes_again_is_not_written_again(store: DynamoStore, faulty: Faulty) -> None:
    store.commit(commit(effects=TEXTS))
    faulty.calls.clear()

    assert store.commit(commit(outcome=AGAIN)).outcome.duplicate
    assert faulty.names() == ["get_item"]


def test_a_host_writes_one_value_without_a_transaction(store: DynamoStore, faulty: Faulty) -> None:
    store.write({COUNT: put(b"1")})
    store.write({COUNT: Write("delete")})
    store.write({})

    assert faulty.names() == ["put_item", "delete_item"]
    assert store.read(COUNT).json is None


def test_a_host_writes_several_values_at_once(store: DynamoStore, faulty: Faulty) -> None:
    store.write({COUNT: put(b"1"), StateKey("demo", "other"): Write("delete")})

    assert faulty.names() == ["transact_write_items"]
    assert store.read(COUNT).json == b"1"


def test_what_was_written_is_read(store: DynamoStore, faulty: Faulty) -> None:
    """An emulator always does; DynamoDB has to be asked for it."""
    store.outcome(WORK)
    store.read(COUNT)
    list(store.scan("demo", ""))

    assert [request["ConsistentRead"] for _, request in faulty.calls] == [True] * 3


def test_a_scan_of_more_than_one_page_is_whole(store: DynamoStore, faulty: Faulty) -> None:
    large = b'"%s"' % (b"x" * 350_000)
    for n in range(5):
        store.write({StateKey("demo", str(n)): put(large)})

    assert [key for key, _ in store.scan("demo", "")] == list("01234")
    assert faulty.names().count("query") > 1


# Expiry.


def test_a_value_expires_for_dynamodb_too(store: DynamoStore, clock: Clock, dynamodb: Any, table: str) -> None:
    store.commit(commit(writes={COUNT: put(b"1", expires=clock.now + 59.2)}))

    assert item(dynamodb, table, "state#demo")["expires"] == str(int(clock.now + 60))


def test_a_marker_goes_when_no_sender_can_bring_its_event_any_more(
    store: DynamoStore, clock: Clock, dynamodb: Any, table: str
) -> None:
    store.commit(commit())

    assert marker(dynamodb, table)["expires"] == str(int(clock.now + KEPT))


def test_a_marker_stays_as_long_as_one_of_its_effects_is_pending(
    store: DynamoStore, clock: Clock, dynamodb: Any, table: str
) -> None:
    first, second = store.commit(commit(effects=TEXTS[:2])).effects
    store.performed(first, {})
    assert "expires" not in marker(dynamodb, table)

    clock.now += 30 * 86400
    store.postponed(second, "unknown number", given_up=True)
    settled = marker(dynamodb, table)
    assert settled["expires"] == str(int(clock.now + KEPT))
    assert not {"pending", "due"} & settled.keys()


def test_a_marker_that_expired_and_is_there_still_holds(store: DynamoStore, clock: Clock) -> None:
    store.commit(commit())
    clock.now += KEPT + 1

    assert store.outcome(WORK) == AGAIN
    assert store.commit(commit()).outcome.duplicate


# Limits.


def test_a_reply_and_effects_that_do_not_fit_into_a_marker_are_refused(store: DynamoStore, faulty: Faulty) -> None:
    large = EffectRequest("slack", {"text": "x" * ASKED_LIMIT})

    with pytest.raises(ValueError, match=r"the reply and the effects would take 358,\d+ bytes, 358,400 are possible"):
        store.commit(commit(effects=[large]))
    assert faulty.calls == []


def test_a_reply_has_to_fit_into_a_marker_twice_for_it_may_follow_later(store: DynamoStore) -> None:
    half = "x" * (ASKED_LIMIT // 2)
    unit = commit(outcome=Outcome(reply={"text": half}), follow_up=EffectRequest("slack", {"text": half}))

    store.commit(replaced(unit, follow_up=None))
    with pytest.raises(ValueError, match="are possible"):
        store.commit(replaced(unit, work=WORK._replace(id="2")))


def test_what_comes_of_an_effect_is_noted_only_where_there_is_room(
    store: DynamoStore, dynamodb: Any, table: str
) -> None:
    full = EffectRequest("slack", {"text": "x" * (ASKED_LIMIT - 1000)})
    first, second = store.commit(commit(effects=[full, TEXTS[0]])).effects
    store.performed(first, {"id": "noted"})
    store.performed(second, {"answer": "y" * 50_000})

    assert '"noted"' in marker(dynamodb, table)["json"]
    assert "yyy" not in marker(dynamodb, table)["json"]
    assert "pending" not in marker(dynamodb, table)


def test_more_values_than_a_transaction_can_hold_are_refused(store: DynamoStore, faulty: Faulty) -> None:
    reads = {StateKey("demo", str(n)): 0 for n in range(100)}

    with pytest.raises(ValueError, match="at most 99 values, not 100"):
        store.commit(commit(reads=reads))
    assert faulty.calls == []


def test_what_dynamodb_finds_too_large_is_said_to_be(store: DynamoStore) -> None:
    with pytest.raises(ValueError, match=r"DynamoDB cannot store this: .*[Ii]tem size"):
        store.commit(commit(writes={COUNT: put(b'"%s"' % (b"x" * 420_000))}))


# Effects, in one process's hands at a time.


def test_effects_are_left_to_who_committed_them_for_a_while(
    store: DynamoStore, other: DynamoStore, clock: Clock
) -> None:
    effects = store.commit(commit(effects=TEXTS)).effects
    clock.now += 59
    assert other.pending() == []
    assert other.commit(commit(outcome=AGAIN)).effects == []

    clock.now += 1
    assert other.pending() == effects


def test_an_event_that_comes_again_takes_up_the_effects_of_a_process_that_died(
    store: DynamoStore, other: DynamoStore, clock: Clock
) -> None:
    effects = store.commit(commit(effects=TEXTS)).effects
    clock.now += 60

    assert other.commit(commit(outcome=AGAIN)).effects == effects
    assert store.commit(commit(outcome=AGAIN)).effects == store.pending() == []


def test_a_run_that_takes_over_gets_what_the_other_one_left(store: DynamoStore, other: DynamoStore) -> None:
    effects = store.commit(commit(effects=TEXTS)).effects

    assert other.commit(commit(outcome=AGAIN, run=Run(takes_over=True))).effects == effects
    assert other.commit(commit(outcome=AGAIN)).effects == []


def test_two_sweeps_do_not_take_the_same(store: DynamoStore, other: DynamoStore, clock: Clock, faulty: Faulty) -> None:
    store.commit(commit("1", effects=TEXTS[:1]))
    store.commit(commit("2", effects=TEXTS[1:2]))
    clock.now += 60
    theirs: list[Any] = []
    faulty.next("put_item", after(lambda: theirs.extend(other.pending())))

    ours = store.pending()
    assert sorted(effect.request.arguments["body"] for effect in [*ours, *theirs]) == ["0", "1"]


def test_what_a_sweep_took_and_did_not_finish_is_taken_again(
    store: DynamoStore, other: DynamoStore, clock: Clock
) -> None:
    effects = store.commit(commit(effects=TEXTS)).effects
    clock.now += 60
    assert store.pending() == effects

    clock.now += 15 * 60 - 1
    assert other.pending() == []
    clock.now += 1
    assert other.pending() == effects


def test_an_effect_that_fails_waits_longer_each_time(store: DynamoStore, clock: Clock) -> None:
    (effect,) = store.commit(commit(effects=TEXTS[:1])).effects
    for wait in (120, 240, 480):
        store.postponed(effect, "no answer", given_up=False)
        clock.now += wait - 1
        assert store.pending() == []
        clock.now += 1
        (effect,) = store.pending()


def test_a_process_that_is_at_it_keeps_what_is_left_in_its_hands(
    store: DynamoStore, other: DynamoStore, clock: Clock
) -> None:
    first, second = store.commit(commit(effects=TEXTS[:2])).effects
    clock.now += 59
    store.performed(first, {})
    clock.now += 59
    assert other.pending() == []

    clock.now += 1
    assert other.pending() == [second]


def test_two_that_perform_the_same_effect_both_mark_it_and_the_first_mark_stays(
    store: DynamoStore, other: DynamoStore, faulty: Faulty, dynamodb: Any, table: str
) -> None:
    first, second = store.commit(commit(effects=TEXTS[:2])).effects
    faulty.next("put_item", after(lambda: other.performed(first, {"by": "other"})))
    store.performed(first, {"by": "us"})
    other.performed(second, {"by": "other"})

    assert marker(dynamodb, table)["json"].count('{"by":"other"}') == 2
    assert "pending" not in marker(dynamodb, table)


def test_effects_settled_at_once_are_all_settled(
    store: DynamoStore, other: DynamoStore, faulty: Faulty, dynamodb: Any, table: str
) -> None:
    first, second = store.commit(commit(effects=TEXTS[:2])).effects
    faulty.next("put_item", after(lambda: other.performed(second, {})))
    store.performed(first, {})

    assert marker(dynamodb, table)["json"].count('"performed"') == 2


def test_two_that_ask_for_the_same_follow_up_at_once_ask_for_it_once(
    store: DynamoStore, other: DynamoStore, faulty: Faulty
) -> None:
    store.commit(commit())
    asking = commit(outcome=AGAIN, follow_up=TEXTS[0], run=Run(answered=True))
    theirs: list[Any] = []
    faulty.next("put_item", after(lambda: theirs.extend(other.commit(asking).effects)))

    ours = store.commit(asking).effects
    assert [effect.request for effect in [*ours, *theirs]] == TEXTS[:1]


def test_a_follow_up_is_performed_at_once_and_what_others_perform_is_left_to_them(
    store: DynamoStore, other: DynamoStore
) -> None:
    store.commit(commit(effects=TEXTS[:2]))
    asking = commit(outcome=AGAIN, follow_up=TEXTS[2], run=Run(answered=True))

    assert [effect.request for effect in other.commit(asking).effects] == [TEXTS[2]]


def test_nothing_is_settled_of_a_marker_that_is_gone(store: DynamoStore, dynamodb: Any, table: str) -> None:
    (effect,) = store.commit(commit(effects=TEXTS[:1])).effects
    key = {name: {"S": marker(dynamodb, table)[name]} for name in ("pk", "sk")}
    dynamodb.delete_item(TableName=table, Key=key)
    store.performed(effect, {})

    assert store.outcome(WORK) is None
    assert store.commit(commit(outcome=AGAIN)) == Committed(AGAIN, [])


# What a commit changed.


@pytest.mark.parametrize(
    ("there", "write", "looked", "changed"),
    [
        (b"1", put(b"2"), True, Change(COUNT, b"1", b"2")),
        (b"1", put(b"2"), False, Change(COUNT, None, b"2", seen=False)),
        (b"1", put(b"1"), True, None),
        (None, put(b"2"), True, Change(COUNT, None, b"2")),
        (b"1", Write("delete"), True, Change(COUNT, b"1", None)),
        (b"1", Write("delete"), False, Change(COUNT, None, None, seen=False)),
        (None, Write("delete"), True, None),
        (b"1", Write("add", b"2"), False, Change(COUNT, b"1", b"3")),
        (None, Write("add", b"2"), False, Change(COUNT, None, b"2")),
        (b"[1]", Write("append", b"[2]"), True, Change(COUNT, b"[1]", b"[1,2]")),
        (None, Write("create", b"1"), False, Change(COUNT, None, b"1")),
        (b"1", Write("create", b"2"), False, None),
    ],
)
def test_it_tells_what_it_changed_as_far_as_it_knows_without_asking(
    there: bytes | None, write: Write, looked: bool, changed: Change | None, store: DynamoStore
) -> None:
    if there is not None:
        store.write({COUNT: put(there)})
    value = store.read(COUNT)
    known = {"reads": {COUNT: value.version}, "found": {COUNT: value.json}} if looked else {}

    assert store.commit(commit(writes={COUNT: write}, **known)).changes == ([changed] if changed else [])


def test_a_second_commit_of_the_same_work_changed_nothing(store: DynamoStore) -> None:
    store.commit(commit(writes={COUNT: put(b"1")}))

    assert not store.commit(commit(writes={COUNT: put(b"2")})).changes
