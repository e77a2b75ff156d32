"""Which handlers are quick."""

from __future__ import annotations

from botplatform.hosts.local.pace import Paces


def paces(*seconds: float) -> Paces:
    paces = Paces()
    for taken in seconds:
        paces.note("demo.handle", taken)
    return paces


def test_a_handler_that_was_never_seen_is_not_quick() -> None:
    assert not paces().quick("demo.handle")


def test_one_run_tells_whether_a_handler_is_quick() -> None:
    assert paces(0.0001).quick("demo.handle")
    assert not paces(0.5).quick("demo.handle")


def test_a_run_that_was_interrupted_does_not_make_its_handler_slow() -> None:
    assert paces(0.0001, 0.0001, 5.0, 0.0001, 0.0001, 5.0).quick("demo.handle")


def test_some_slow_runs_do() -> None:
    assert not paces(0.0001, 0.02, 0.02, 0.02).quick("demo.handle")


def test_a_handler_that_overran_is_slow_until_some_of_its_runs_were_quick() -> None:
    seen = paces(0.0001)
    seen.overran("demo.handle")
    assert not seen.quick("demo.handle")

    for _ in range(20):
        seen.note("demo.handle", 0.0001)
    assert seen.quick("demo.handle")


def test_what_a_run_will_take_is_about_what_the_last_ones_took() -> None:
    assert abs(paces(*[0.0002] * 50).expected("demo.handle") - 0.0002) < 0.00001
