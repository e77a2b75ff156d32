"""Bars of benchmarks: held against the medians of their rounds."""

from __future__ import annotations

import pytest

from benchmarks.bars import BY_HAND, at_least, at_most, summary

ROUNDS = {
    "orjson": [{"us": 2.0, "p99 us": 8.0}, {"us": 4.0, "p99 us": 9.0}, {"us": 3.0, "p99 us": 9.0}],
    "ours": [{"us": 3.0, "p99 us": 2.0}, {"us": 6.4, "p99 us": 2.0}, {"us": 4.2, "p99 us": 1.0}],
}


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        (at_most("ours", 1.5, of="orjson"), True),
        (at_most("ours", 1.49, of="orjson"), False),
        (at_least("ours", 1.5, of="orjson"), True),
        (at_least("ours", 1.51, of="orjson"), False),
        (at_most("ours", 4.2), True),
        (at_most("ours", 4.1), False),
        (at_most("ours", 1 / 4, of="orjson", figure="p99 us"), True),
        (at_most("ours", 1 / 5, of="orjson", figure="p99 us"), False),
        (at_most("ours", 1, of="a peer that is absent"), None),
        (at_most("a row that is absent", 1), None),
    ],
)
def test_a_bar_is_held_against_the_median_of_the_rounds_ratios(bar, met):
    assert bar.judge(ROUNDS).met is met


def test_a_bar_says_what_it_wants_and_what_there_was():
    assert (
        str(at_most("ours", 1.49, of="orjson").judge(ROUNDS)) == "ours: at most 1.49 x orjson: 1.5 (1.4 to 1.6), MISSED"
    )


def test_a_small_ratio_is_told_as_a_fraction():
    bar = at_most("ours", 1 / 5, of="orjson", figure="p99 us")
    assert str(bar.judge(ROUNDS)) == "ours, p99 us: at most 1/5 x orjson: 1/4.5 (1/9 to 0.25), MISSED"


def test_a_bar_without_another_row_is_told_in_the_figures_own_unit():
    rounds = {"ours": [{"ms": 1038.4}]}
    assert str(at_most("ours", 1500).judge(rounds)) == "ours: at most 1500: 1,038 (1,038 to 1,038), met"


def test_a_bar_of_a_row_that_was_not_measured_says_so():
    assert str(at_least("ours", 4, of="bolt").judge(ROUNDS)) == "ours: at least 4 x bolt: not measured"


def test_a_bar_tells_what_a_loop_by_hand_came_to():
    rounds = {**ROUNDS, BY_HAND: [{"us": 4.0}, {"us": 4.0}, {"us": 4.5}]}
    assert at_most("ours", 1.5, of="orjson").judge(rounds).to_dict()["by hand"] == [2.0, 1.0, 1.5]
    assert "by hand" not in at_most("ours", 1.5, of="orjson").judge(ROUNDS).to_dict()


def test_the_summary_counts_the_bars_and_names_those_that_were_not_met():
    bars = [at_most("ours", 2, of="orjson"), at_most("ours", 1, of="orjson"), at_most("ours", 1, of="bolt")]
    met, *others = summary([("a race", bar.judge(ROUNDS)) for bar in bars])
    assert met == "1 of 3 bars met"
    assert [line.rpartition(",")[-1].rpartition(":")[-1].strip() for line in others] == ["MISSED", "not measured"]
    assert all(line.startswith("- a race: ours: at most 1 x ") for line in others)


def test_there_is_no_summary_without_bars():
    assert list(summary([])) == []
