"""A plugin's state, as its handlers see it and as it is afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count, product
from pathlib import Path
from typing import Any

import pytest

from botplatform.errors import Conflict
from botplatform.state import TOTAL_LIMIT, VALUE_LIMIT, VALUES_LIMIT, State
from botplatform.store import Commit, Outcome, Work
from botplatform.stores.sqlite import SqliteStore
from botplatform.work import Unit
from tests.handlers import SOURCE, happened

NOW = 1_800_000_000.0
Do = Callable[[State], Any]
_ids = map(str, count())


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "state.db", clock, synchronous="OFF")
    yield store
    store.close()


def opened(store: SqliteStore, plugin: str = "demo") -> State:
    return State(store, plugin, NOW)


def commit(store: SqliteStore, state: State) -> None:
    id_ = next(_ids)
    work = Work(SOURCE, id_, "demo.handle")
    store.commit(Commit(work, happened(id_), Outcome(), state.reads(), state.writes()))


def change(store: SqliteStore, *todo: Do) -> None:
    """One handler after the other, each committed."""
    for do in todo:
        state = opened(store)
        do(state)
        commit(store, state)


def each(*todo: Do) -> Do:
    return lambda state: [do(state) for do in todo]


# What each operation does to a plain dict: the model every combination of them is held against.


def model_create(values: dict[str, Any], value: Any) -> None:
    values.setdefault("k", value)


def model_change(values: dict[str, Any], amount: Any) -> None:
    values["k"] = values["k"] + amount if "k" in values else amount


NUMBERS: list[tuple[str, Do, Callable[[dict[str, Any]], Any]]] = [
    ("set", lambda s: s.set("k", 10), lambda m: m.update(k=10)),
    ("delete", lambda s: s.__delitem__("k"), lambda m: m.pop("k", None)),
    ("create", lambda s: s.create("k", 7), lambda m: model_create(m, 7)),
    ("create other", lambda s: s.create("k", 8), lambda m: model_create(m, 8)),
    ("add", lambda s: s.add("k"), lambda m: model_change(m, 1)),
    ("add half", lambda s: s.add("k", 0.5), lambda m: model_change(m, 0.5)),
]
LISTS: list[tuple[str, Do, Callable[[dict[str, Any]], Any]]] = [
    ("set", lambda s: s.set("k", [10]), lambda m: m.update(k=[10])),
    ("delete", lambda s: s.__delitem__("k"), lambda m: m.pop("k", None)),
    ("create", lambda s: s.create("k", [7]), lambda m: model_create(m, [7])),
    ("append", lambda s: s.append("k", "a"), lambda m: model_change(m, ["a"])),
    ("append two", lambda s: s.append("k", "b", {}), lambda m: model_change(m, ["b", {}])),
    ("append none", lambda s: s.append("k"), lambda m: model_change(m, [])),
]
combinations = pytest.mark.parametrize(
    ("operations", "before"), [(NUMBERS, None), (NUMBERS, 5), (LISTS, None), (LISTS, [5])]
)


@combinations
@pytest.mark.parametrize("look", [True, False], ids=["reading in between", "without reading"])
def test_any_three_operations_do_what_they_do_to_a_dict_in_the_handler_and_after_it(
    store: SqliteStore, operations: Any, before: Any, look: bool
) -> None:
    for chosen in product(operations, repeat=3):
        model: dict[str, Any] = {} if before is None else {"k": before}
        change(store, lambda s: s.set("k", before) if before is not None else s.__delitem__("k"))
        state = opened(store)
        for name, do, like in chosen:
            do(state)
            like(model)
            assert not look or (state.get("k"), "k" in state) == (model.get("k"), "k" in model), name
        commit(store, state)
        assert opened(store).get("k") == model.get("k"), [name for name, *_ in chosen]


# Reading.


def test_what_is_not_there_is_the_default_or_a_key_error(store: SqliteStore) -> None:
    state = opened(store)

    assert state.get("k") is None
    assert state.get("k", 5) == 5
    assert "k" not in state
    with pytest.raises(KeyError, match="k"):
        state["k"]


def test_none_is_a_value_like_any_other(store: SqliteStore) -> None:
    change(store, lambda s: s.set("k", None))
    state = opened(store)

    assert "k" in state
    assert state["k"] is None
    assert state.get("k", 5) is None


def test_what_was_read_is_a_copy(store: SqliteStore) -> None:
    change(store, lambda s: s.set("k", {"list": [1]}))
    state = opened(store)
    state["k"]["list"].append(2)

    assert state["k"] == {"list": [1]}


def test_what_was_set_is_a_copy(store: SqliteStore) -> None:
    value = {"list": [1]}
    state = opened(store)
    state["k"] = value
    value["list"].append(2)

    assert state["k"] == {"list": [1]}


def test_each_plugin_sees_only_its_own(store: SqliteStore) -> None:
    change(store, lambda s: s.set("k", 1))
    other = opened(store, "other")

    assert "k" not in other
    assert list(other.items()) == []


def test_nothing_is_seen_by_others_before_the_commit(store: SqliteStore) -> None:
    state = opened(store)
    state["k"] = 1

    assert "k" not in opened(store)


def test_items_are_by_prefix_in_order_with_own_changes_on_top(store: SqliteStore) -> None:
    change(store, lambda s: s.set("room/c", 0), lambda s: s.set("room/a", 0), lambda s: s.set("room/b", 0))
    change(store, lambda s: s.set("door", 0), lambda s: s.set("roof", 0))
    state = opened(store)
    state["room/d"] = 1
    state["rooftop"] = 1
    state.add("room/a", 5)
    state.create("room/b", 5)
    del state["room/c"]

    assert list(state.items("room/")) == [("room/a", 5), ("room/b", 0), ("room/d", 1)]
    assert [key for key, _ in state.items()] == ["door", "roof", "rooftop", "room/a", "room/b", "room/d"]


# Conflicts.


def conflicts(store: SqliteStore, mine: Do, theirs: Do) -> bool:
    """Whether a handler that did `mine` has to run again when another one's `theirs` committed first."""
    state = opened(store)
    mine(state)
    change(store, theirs)
    try:
        commit(store, state)
    except Conflict:
        return True
    return False


READS: dict[str, Do] = {
    "get": lambda s: s.get("k"),
    "subscript": lambda s: s["k"],
    "in": lambda s: "k" in s,
    "items": lambda s: list(s.items()),
    "get after add": each(lambda s: s.add("k"), lambda s: s.get("k")),
    "get after create": each(lambda s: s.create("k", 1), lambda s: s.get("k")),
}
BLIND: dict[str, Do] = {
    "set": lambda s: s.set("k", 1),
    "delete": lambda s: s.__delitem__("k"),
    "add": each(lambda s: s.add("k"), lambda s: s.add("k", 2)),
    "create": lambda s: s.create("k", 1),
    "create and add": each(lambda s: s.create("k", 1), lambda s: s.add("k")),
    "set and get": each(lambda s: s.set("k", 1), lambda s: s.get("k")),
    "of another name": lambda s: s.get("other"),
}


@pytest.mark.parametrize("mine", READS.values(), ids=READS.keys())
@pytest.mark.parametrize("theirs", [lambda s: s.set("k", 2), lambda s: s.add("k"), lambda s: s.__delitem__("k")])
def test_what_was_read_and_changed_meanwhile_is_a_conflict(store: SqliteStore, mine: Do, theirs: Do) -> None:
    change(store, lambda s: s.set("k", 1))

    assert conflicts(store, mine, theirs)


@pytest.mark.parametrize("mine", BLIND.values(), ids=BLIND.keys())
@pytest.mark.parametrize("theirs", [lambda s: s.set("k", 2), lambda s: s.add("k")])
def test_what_was_only_changed_is_no_conflict(store: SqliteStore, mine: Do, theirs: Do) -> None:
    change(store, lambda s: s.set("k", 1))

    assert not conflicts(store, mine, theirs)


def test_reading_that_there_is_nothing_conflicts_with_what_appears(store: SqliteStore) -> None:
    assert conflicts(store, lambda s: s.get("k"), lambda s: s.set("k", 1))


def test_a_create_and_add_adds_to_what_another_created_first(store: SqliteStore) -> None:
    conflicts(store, each(lambda s: s.create("k", 100), lambda s: s.add("k")), lambda s: s.create("k", 5))

    assert opened(store)["k"] == 6


# Expiry.


@pytest.mark.parametrize("expires", ["1h", timedelta(hours=1)])
def test_a_value_is_gone_after_its_time(store: SqliteStore, clock: Clock, expires: str | timedelta) -> None:
    change(store, lambda s: s.set("k", 1, expires=expires))
    clock.now = NOW + 3599
    assert opened(store).get("k") == 1

    clock.now = NOW + 3600
    assert opened(store).get("k") is None
    assert list(opened(store).items()) == []


@pytest.mark.parametrize("together", [True, False], ids=["in one handler", "in a later one"])
def test_adding_to_a_value_does_not_make_it_stay(store: SqliteStore, clock: Clock, together: bool) -> None:
    todo: list[Do] = [lambda s: s.set("k", 1, expires="1h"), lambda s: s.add("k")]
    change(store, *([each(*todo)] if together else todo))
    assert opened(store)["k"] == 2

    clock.now = NOW + 3600
    assert "k" not in opened(store)


def test_setting_a_value_anew_without_an_expiry_makes_it_stay(store: SqliteStore, clock: Clock) -> None:
    change(store, lambda s: s.set("k", 1, expires="1h"), lambda s: s.set("k", 2))
    clock.now = NOW + 3600

    assert opened(store)["k"] == 2


# Mistakes.


@pytest.mark.parametrize("key", ["", "x" * 901, "ü" * 451, 5, None])
def test_a_name_is_a_text_of_1_to_900_bytes(store: SqliteStore, key: Any) -> None:
    state = opened(store)

    with pytest.raises(ValueError, match="a state name is a text of 1 to 900 bytes"):
        state[key] = 1
    with pytest.raises(ValueError, match="a state name is a text of 1 to 900 bytes"):
        state.get(key)


def test_a_name_may_take_900_bytes(store: SqliteStore) -> None:
    change(store, lambda s: s.set("ü" * 450, 1))

    assert opened(store)["ü" * 450] == 1


def test_a_value_over_the_limit_is_refused_when_it_is_set(store: SqliteStore) -> None:
    state = opened(store)
    state["fits"] = "x" * (VALUE_LIMIT - 2)

    with pytest.raises(ValueError, match=r"state 'large' would take 399,361 bytes, 399,360 are possible"):
        state["large"] = "x" * (VALUE_LIMIT - 1)


def test_a_list_may_not_grow_over_the_limit_bit_by_bit(store: SqliteStore) -> None:
    state = opened(store)
    state.append("list", "x" * (VALUE_LIMIT // 2))

    with pytest.raises(ValueError, match="are possible"):
        state.append("list", "x" * (VALUE_LIMIT // 2))


def test_a_handler_may_change_98_values(store: SqliteStore) -> None:
    state = opened(store)
    for n in range(VALUES_LIMIT):
        state[str(n)] = n
    state["0"] = "again"

    with pytest.raises(ValueError, match="read and change at most 98 values for one event"):
        state["one more"] = 1


@pytest.mark.parametrize(
    "one_more",
    [lambda s: s.get("one more"), lambda s: list(s.items()), lambda s: s.add("one more"), lambda s: "one more" in s],
)
def test_what_a_handler_reads_counts_as_much_as_what_it_changes(store: SqliteStore, one_more: Do) -> None:
    change(store, lambda s: s.set("one more", 1))
    state = opened(store)
    for n in range(VALUES_LIMIT // 2):
        state.get(str(n))
        state[f"other {n}"] = n
        state[str(n)] = n

    with pytest.raises(ValueError, match="at most 98 values"):
        one_more(state)


def test_what_the_platform_remembers_for_a_handler_counts_as_much(store: SqliteStore) -> None:
    unit = Unit(store, "demo", NOW)
    for n in range(VALUES_LIMIT):
        unit.state[str(n)] = n

    with pytest.raises(ValueError, match="at most 98 values"):
        unit.last_said.get("owner")


def test_all_values_together_have_to_fit_into_one_commit(store: SqliteStore) -> None:
    state = opened(store)
    large = "x" * (VALUE_LIMIT - 2)
    for n in range(TOTAL_LIMIT // VALUE_LIMIT):
        state[str(n)] = large
    state["0"] = large

    with pytest.raises(ValueError, match="at most 3,584,000 bytes for one event"):
        state["one more"] = large


def test_a_value_has_to_be_json(store: SqliteStore) -> None:
    with pytest.raises(TypeError):
        opened(store)["k"] = object()


@pytest.mark.parametrize(
    ("value", "wrong"),
    [("text", lambda s: s.add("k")), (True, lambda s: s.add("k")), (1, lambda s: s.append("k", 1))],
)
def test_a_change_that_does_not_fit_is_refused_where_the_value_is_known(
    store: SqliteStore, value: Any, wrong: Do
) -> None:
    state = opened(store)
    state["k"] = value

    with pytest.raises(TypeError, match="cannot"):
        wrong(state)
