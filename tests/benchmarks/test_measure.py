"""Races: who is measured when, and the table that comes of it."""

from __future__ import annotations

from itertools import count

import pytest

from benchmarks.bars import at_most
from benchmarks.measure import Contender, Race


def test_contenders_are_measured_in_turn_and_the_first_round_only_warms_up():
    order = []

    def measuring(name):
        numbers = count()
        return Contender(name, lambda: order.append(name) or {"us": next(numbers) + 1.0})

    table = Race("a race", [measuring("a"), measuring("b")]).run(2)
    assert order == ["a", "b"] * 3
    assert [[figures["us"] for figures in row.rounds] for row in table.rows] == [[2.0, 3.0], [2.0, 3.0]]


def test_a_table_shows_ratios_further_figures_notes_and_bars():
    contenders = [
        Contender("yardstick", lambda: {"us": 2.0}),
        Contender("ours", lambda: {"us": 3.0, "patterns": 1000.0}, "in process"),
    ]
    race = Race("a race", contenders, {"a peer": "it is not installed"}, [at_most("ours", 1, of="yardstick")])
    lines = "\n".join(race.run(1).lines())
    assert "| ours      | 3.00 (3.00 to 3.00) | 1.50 (1.50 to 1.50) | 1,000    |" in lines
    assert "| yardstick | 2.00 (2.00 to 2.00) | 1.00 (1.00 to 1.00) |          |" in lines
    assert "- ours: in process\n- a peer: not measured, it is not installed\n" in lines
    assert "- bar: ours: at most 1 x yardstick: 1.5 (1.5 to 1.5), MISSED" in lines


def test_a_bar_about_no_row_is_a_mistake():
    with pytest.raises(ValueError, match=r"is about \['our'\], which is no row"):
        Race("a race", [Contender("ours", dict)], bars=[at_most("our", 1)])


def test_the_json_of_a_table_has_every_round_and_every_bar():
    race = Race("a race", [Contender("ours", lambda: {"us": 3.0})], bars=[at_most("ours", 4)])
    assert race.run(2).to_dict() == {
        "title": "a race",
        "rows": [{"name": "ours", "rounds": [{"us": 3.0}, {"us": 3.0}], "ratios": [1.0, 1.0]}],
        "absent": {},
        "bars": [{"bar": "ours: at most 4", "limit": 4, "rounds": [3.0, 3.0], "met": True}],
    }
