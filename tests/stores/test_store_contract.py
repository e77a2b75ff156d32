"""What the engine may rely on of every store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from botplatform import codec
from botplatform.errors import Conflict
from botplatform.source import EffectRequest
from botplatform.store import Abandoned, Commit, Outcome, Run, StateKey, Store, Value, Work, Write
from tests.handlers import SOURCE, happened

COUNT = StateKey("demo", "count")
ADD_ONE = Write("add", b"1")
REQUESTS = [EffectRequest("text", {"to": "owner", "body": str(n)}, "owner") for n in range(3)]


def put(value: Any, expires: float | None = None) -> Write:
    return Write("put", codec.encode(value), expires)


def commit(id: str = "1", handler: str = "demo.handle", **asked: Any) -> Commit:
    return Commit(Work(SOURCE, id, handler), happened(id), **{"outcome": Outcome(), **asked})


def numbers() -> Callable[[], str]:
    return map(str, range(1_000_000)).__next__


def stored(store: Store, key: StateKey = COUNT) -> Any:
    json = store.read(key).json
    return None if json is None else codec.decode(json)


def write(store: Store, id: str, **writes: Write) -> None:
    store.commit(commit(id, writes={StateKey("demo", key): change for key, change in writes.items()}))


# The done-marker.


def test_work_has_no_outcome_until_it_is_committed(store: Store) -> None:
    unit = commit(outcome=Outcome(reply={"text": "warm"}, attempts=3, took=0.25, suppressed=("a text",)))

    assert store.outcome(unit.work) is None
    assert store.commit(unit).outcome == unit.outcome
    assert store.outcome(unit.work) == unit.outcome._replace(duplicate=True)


def test_work_is_known_by_its_source_its_id_and_its_handler(store: Store) -> None:
    store.commit(commit())

    for other in (Work("/others", "1", "demo.handle"), Work(SOURCE, "2", "demo.handle"), Work(SOURCE, "1", "demo.b")):
        assert store.outcome(other) is None


def test_the_first_commit_of_work_wins_and_nothing_of_a_second_happens(store: Store) -> None:
    store.commit(commit(outcome=Outcome(reply={"text": "first"}), writes={COUNT: put(1)}, effects=REQUESTS[:1]))
    second = store.commit(
        commit(outcome=Outcome(reply={"text": "second"}), writes={COUNT: put(2)}, effects=REQUESTS[1:])
    )

    assert second.outcome == Outcome(reply={"text": "first"}, duplicate=True)
    assert [effect.request for effect in second.effects] == REQUESTS[:1]
    assert stored(store) == 1


def test_what_a_host_remembers_is_there_once_the_commit_is_and_not_otherwise(store: Store) -> None:
    position = StateKey("@demo", "position")
    store.commit(commit("1", writes={COUNT: put(1)}, also={position: put(1)}))
    with pytest.raises(Abandoned):
        store.commit(commit("2", writes={COUNT: put(2)}, also={position: put(2)}, run=Run(abandoned=True)))

    assert (stored(store), stored(store, position)) == (1, 1)


def test_of_many_commits_of_the_same_work_at_once_one_wins(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        committed = list(threads.map(lambda _: store.commit(commit(writes={COUNT: ADD_ONE})), range(50)))

    assert [done.outcome.duplicate for done in committed].count(False) == 1
    assert stored(store) == 1


# State.


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        (None, put([1]), [1]),
        ("old", put({"a": None}), {"a": None}),
        ("old", put(None), None),
        ("old", Write("delete"), None),
        (None, Write("delete"), None),
        (None, Write("create", b"1"), 1),
        (0, Write("create", b"1"), 0),
        (None, Write("add", b"2"), 2),
        (40, Write("add", b"2"), 42),
        (1, Write("add", b"-0.5"), 0.5),
        (-1, Write("add", b"1"), 0),
        (999_999_999_999_999, Write("add", b"999999999999999"), 1_999_999_999_999_998),
        (9_999_999_999_999_999, Write("add", b"1"), 10_000_000_000_000_000),
        (None, Write("add", b"2", initial=b"10"), 12),
        (40, Write("add", b"2", initial=b"10"), 42),
        (None, Write("append", b"[1]"), [1]),
        ([0], Write("append", b"[1,2]"), [0, 1, 2]),
        (None, Write("append", b"[1]", initial=b"[0]"), [0, 1]),
        ([], Write("append", b"[1]", initial=b"[0]"), [1]),
    ],
)
def test_a_change_is_applied_to_what_is_there_at_the_commit(
    store: Store, before: Any, change: Write, after: Any
) -> None:
    if before is not None:
        write(store, "before", count=put(before))
    write(store, "after", count=change)

    assert stored(store) == after


def test_each_change_gives_a_value_a_version_it_never_had(store: Store) -> None:
    next_id, versions = numbers(), set()
    for change in (put(1), put(1), ADD_ONE, Write("delete"), put(1), Write("delete"), Write("create", b"1")):
        write(store, next_id(), count=change)
        versions.add(store.read(COUNT).version)

    assert len(versions) == 6  # 0, where there is none, twice


def test_a_commit_that_read_what_is_no_longer_current_changes_nothing_at_all(store: Store) -> None:
    write(store, "before", count=put(1))
    seen = store.read(COUNT).version
    write(store, "meanwhile", count=put(2))
    late = commit("late", reads={COUNT: seen}, writes={StateKey("demo", "other"): put(1)}, effects=REQUESTS)

    with pytest.raises(Conflict):
        store.commit(late)
    assert store.outcome(late.work) is None
    assert stored(store, StateKey("demo", "other")) is None
    assert store.pending() == []


@pytest.mark.parametrize("change", [put(3), Write("delete"), Write("create", b"3"), ADD_ONE])
def test_a_commit_that_changes_what_it_read_and_is_no_longer_current_conflicts(store: Store, change: Write) -> None:
    write(store, "before", count=put(1))
    seen = store.read(COUNT).version
    write(store, "meanwhile", count=put(2))

    with pytest.raises(Conflict):
        store.commit(commit("late", reads={COUNT: seen}, writes={COUNT: change}))
    assert stored(store) == 2


def test_a_commit_that_read_what_is_still_current_happens(store: Store) -> None:
    write(store, "before", count=put(1))
    reads = {COUNT: store.read(COUNT).version, StateKey("demo", "none"): 0}
    store.commit(commit("late", reads=reads, writes={COUNT: put(2)}))

    assert stored(store) == 2


def test_having_seen_nothing_conflicts_with_what_appeared_meanwhile(store: Store) -> None:
    write(store, "meanwhile", count=put(1))

    with pytest.raises(Conflict):
        store.commit(commit("late", reads={COUNT: 0}))


def test_a_value_that_was_replaced_by_an_equal_one_has_changed(store: Store) -> None:
    write(store, "before", count=put(1))
    seen = store.read(COUNT).version
    write(store, "away", count=Write("delete"))
    write(store, "back", count=put(1))

    with pytest.raises(Conflict):
        store.commit(commit("late", reads={COUNT: seen}))


def test_a_create_that_comes_too_late_changes_no_version(store: Store) -> None:
    write(store, "before", count=put(1))
    seen = store.read(COUNT)
    write(store, "meanwhile", count=Write("create", b"2"))

    assert store.read(COUNT) == seen


@pytest.mark.parametrize(
    ("value", "change"),
    [("text", ADD_ONE), (True, ADD_ONE), ([], ADD_ONE), (None, ADD_ONE), (1, Write("append", b"[1]"))],
)
def test_a_change_that_does_not_fit_the_value_is_refused_and_nothing_happens(
    store: Store, value: Any, change: Write
) -> None:
    write(store, "before", count=put(value), other=put(1))
    late = commit("late", writes={StateKey("demo", "other"): put(2), COUNT: change})

    with pytest.raises(TypeError, match=f"cannot {change.kind} to a {type(value).__name__}"):
        store.commit(late)
    assert store.outcome(late.work) is None
    assert (stored(store), stored(store, StateKey("demo", "other"))) == (value, 1)


def test_a_value_that_expired_is_not_there(store: Store, clock: Any) -> None:
    write(store, "before", count=put(1, expires=clock.now + 60))
    seen = store.read(COUNT).version
    assert stored(store) == 1

    clock.now += 60
    assert store.read(COUNT) == Value(None)
    clock.now += 1
    assert list(store.scan("demo", "")) == []
    with pytest.raises(Conflict):
        store.commit(commit("late", reads={COUNT: seen}))


@pytest.mark.parametrize("change", [Write("create", b"7"), Write("add", b"7")])
def test_a_change_finds_nothing_where_a_value_expired(store: Store, clock: Any, change: Write) -> None:
    write(store, "before", count=put(1, expires=clock.now + 60))
    clock.now += 61
    write(store, "after", count=change)
    clock.now += 3600

    assert stored(store) == 7


@pytest.mark.parametrize("change", [ADD_ONE, Write("create", b"1")])
def test_a_change_leaves_the_expiry_as_it_is(store: Store, clock: Any, change: Write) -> None:
    write(store, "before", count=put(1, expires=clock.now + 60))
    write(store, "after", count=change)

    clock.now += 60
    assert stored(store) is None


def test_a_scan_gives_a_plugins_own_values_by_prefix_in_order(store: Store) -> None:
    keys = ["room_", "room%b", "room", "room/ü", "room/a", "Room/a", "rooms", "ro"]
    write(store, "before", **dict.fromkeys(keys, put(1)))
    store.commit(commit("others", writes={StateKey("demo2", "room/a"): put(1), StateKey("dem", "room/a"): put(1)}))

    assert [key for key, _ in store.scan("demo", "room")] == ["room", "room%b", "room/a", "room/ü", "room_", "rooms"]
    assert [key for key, _ in store.scan("demo", "room_")] == ["room_"]
    assert [key for key, _ in store.scan("demo", "")] == sorted(keys)


def test_what_a_scan_gives_is_what_a_read_gives(store: Store) -> None:
    write(store, "before", a=put(1), b=put([2]))

    assert dict(store.scan("demo", "")) == {key: store.read(StateKey("demo", key)) for key in ("a", "b")}


def test_numbers_added_by_many_threads_are_all_in_the_sum(store: Store) -> None:
    def add(thread: int) -> None:
        for n in range(12):
            store.commit(commit(f"{thread}.{n}", writes={COUNT: ADD_ONE}))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(8)))

    assert stored(store) == 96


# Effects.


def test_committed_effects_are_pending_in_their_order(store: Store) -> None:
    first = store.commit(commit("1", effects=REQUESTS[:2])).effects
    second = store.commit(commit("2", effects=REQUESTS[2:])).effects

    assert [effect.request for effect in first] == REQUESTS[:2]
    assert store.pending() == [*first, *second]
    assert len({effect.key for effect in store.pending()}) == 3


def test_an_effect_keeps_its_key_and_number_whenever_it_is_asked_for(store: Store) -> None:
    first = store.commit(commit(effects=REQUESTS)).effects

    assert store.commit(commit()).effects == first == store.pending()


def test_a_performed_effect_is_pending_no_more(store: Store) -> None:
    first, *rest = store.commit(commit(effects=REQUESTS)).effects
    store.performed(first, {"id": "7"})

    assert store.pending() == rest == store.commit(commit()).effects


def test_a_postponed_effect_is_pending_and_its_attempts_are_counted(store: Store) -> None:
    (effect,) = store.commit(commit(effects=REQUESTS[:1])).effects
    store.postponed(effect, "no answer", given_up=False)
    store.postponed(effect, "no answer", given_up=False)

    assert store.pending() == [effect._replace(attempts=2)]


def test_an_effect_that_was_given_up_is_pending_no_more(store: Store) -> None:
    (effect,) = store.commit(commit(effects=REQUESTS[:1])).effects
    store.postponed(effect, "unknown number", given_up=True)

    assert store.pending() == []


# The run.


def test_a_run_that_was_given_up_commits_nothing(store: Store) -> None:
    late = commit(writes={COUNT: put(1)}, effects=REQUESTS, run=Run(abandoned=True))

    with pytest.raises(Abandoned):
        store.commit(late)
    assert (store.outcome(late.work), stored(store), store.pending()) == (None, None, [])


@pytest.mark.parametrize(("answered", "effects"), [(True, REQUESTS), (False, REQUESTS[:2])])
def test_the_reply_follows_as_the_last_effect_only_if_the_sender_was_answered(
    store: Store, answered: bool, effects: Sequence[EffectRequest]
) -> None:
    unit = commit(effects=REQUESTS[:2], follow_up=REQUESTS[2], run=Run(answered=answered))

    assert [effect.request for effect in store.commit(unit).effects] == effects


@pytest.mark.parametrize("found", [True, False], ids=["knowing the outcome", "racing"])
def test_the_reply_of_work_that_is_done_follows_once_its_sender_was_answered_without_it(
    store: Store, found: bool
) -> None:
    first = store.commit(commit(effects=REQUESTS[:1], follow_up=REQUESTS[2])).effects
    outcome = Outcome(duplicate=found)
    answered = commit(outcome=outcome, follow_up=REQUESTS[2], run=Run(answered=True))

    # A run that lost the race knows only its own reply, which may be another one: it has to ask again.
    asked = [effect.request for effect in store.commit(answered).effects]
    assert asked == ([REQUESTS[0], REQUESTS[2]] if found else [REQUESTS[0]])
    assert [effect.request for effect in store.commit(answered).effects] == asked
    assert store.pending()[:1] == first


@pytest.mark.parametrize("follow_up", [REQUESTS[2], EffectRequest("slack", {"blocks": ({"type": "divider"},)})])
def test_a_follow_up_that_was_sent_is_not_sent_again(store: Store, follow_up: EffectRequest) -> None:
    (sent,) = store.commit(commit(follow_up=follow_up, run=Run(answered=True))).effects
    store.performed(sent, {})

    again = store.commit(commit(outcome=Outcome(duplicate=True), follow_up=follow_up, run=Run(answered=True)))
    assert again.effects == store.pending() == []


def test_a_follow_up_that_is_asked_for_later_is_an_effect_like_any_other(store: Store) -> None:
    (first,) = store.commit(commit(effects=REQUESTS[:1])).effects
    store.performed(first, {})

    (later,) = store.commit(
        commit(outcome=Outcome(duplicate=True), follow_up=REQUESTS[2], run=Run(answered=True))
    ).effects
    assert store.pending() == [later]
    assert later.key not in ("", first.key)
    store.performed(later, {})
    assert store.pending() == []


def test_what_was_performed_stays_so(store: Store) -> None:
    (effect,) = store.commit(commit(effects=REQUESTS[:1])).effects
    store.performed(effect, {"id": "7"})
    store.postponed(effect, "no answer", given_up=False)

    assert store.pending() == []


@pytest.mark.parametrize("size", [98, 97])
def test_a_unit_of_as_many_values_as_a_handler_may_touch_fits_into_one_commit(store: Store, size: int) -> None:
    keys = [StateKey("demo", str(n)) for n in range(size)]
    host = {StateKey("@host", "packet"): put(1)}
    reads = dict.fromkeys(keys[:50], 0)
    store.commit(commit(reads=reads, writes={**{key: put(1) for key in keys[40:]}, **host}))

    assert len(list(store.scan("demo", ""))) == size - 40


def test_any_characters_may_be_in_any_name(store: Store) -> None:
    works = [Work(*names, "demo.handle") for names in (("a#b", "c"), ("a", "b#c"), ("a%23b", "c"), ("ü" * 2000, "é"))]
    for work in works:
        event = happened(work.id, source=work.source)
        store.commit(Commit(work, event, Outcome(reply={"text": work.source}), effects=REQUESTS[:1]))

    assert [store.outcome(work).reply for work in works] == [{"text": work.source} for work in works]  # type: ignore[union-attr]
    assert [effect.work for effect in store.pending()] == works
