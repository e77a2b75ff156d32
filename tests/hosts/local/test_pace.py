"""Which handlers are quick."""

from __future__ import annotations

from botplatform.hosts.local.pace import Pace


def pace(*seconds: float) -> Pace:
    pace = Pace()
    for taken in seconds:
        pace.note(taken)
    return pace


def test_a_handler_that_was_never_seen_is_not_quick() -> None:
    assert not pace().quick


def test_one_run_tells_whether_a_handler_is_quick() -> None:
    assert pace(0.0001).quick
    assert not pace(0.5).quick


def test_a_run_that_was_interrupted_does_not_make_its_handler_slow() -> None:
    assert pace(0.0001, 0.0001, 5.0, 0.0001, 0.0001, 5.0).quick


def test_some_slow_runs_do() -> None:
    assert not pace(0.0001, 0.02, 0.02, 0.02).quick


def test_a_handler_that_overran_is_slow_until_some_of_its_runs_were_quick() -> None:
    seen = pace(0.0001)
    seen.overran()
    assert not seen.quick

    for _ in range(20):
        seen.note(0.0001)
    assert seen.quick


def test_what_a_run_will_take_is_about_what_the_last_ones_took() -> None:
    assert abs(pace(*[0.0002] * 50).seconds - 0.0002) < 0.00001
