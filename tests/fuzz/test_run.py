"""The long run finds what is there to be found, keeps it as short as it can, and makes the same inputs every time."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz.app import App
from tests.fuzz.run import Finding, Report, fed, feed, input_of, planned, watched
from tests.fuzz.samples import of_source
from tests.fuzz.target import Target
from tests.fuzz.targets import NAMES


def forgetful(body: bytes) -> Counter[str]:
    """A normalize with a bug: it takes for granted what is not always there."""
    fields = dict.fromkeys(body.split())
    return Counter(events=1) if b"x" not in body else Counter(fields[b"missing"])


def endless(_: bytes) -> Counter[str]:
    """Goes on until it is interrupted, which is not in the power of a test to wait for."""
    signal.raise_signal(signal.SIGALRM)
    time.sleep(60)
    return Counter()


@pytest.fixture
def finding() -> Finding:
    found = feed(Target("planted", (), forgetful), b"a" * 50 + b"x" + b"b" * 50)
    assert isinstance(found, Finding)
    return found


def test_a_bug_is_found_with_its_place(finding: Finding) -> None:
    assert finding.bug.startswith("KeyError at test_run.py:")
    assert "KeyError: b'missing'" in finding.story


def test_a_bug_in_a_route_is_found_with_its_place(app: App, tmp_path: Path) -> None:
    buggy = App(app.platform, tmp_path)

    @buggy.flask.get("/planted")
    def planted() -> str:
        raise KeyError("planted")

    found = feed(Target("http", (), lambda text: Counter(status=buggy.ask(text).status)), b"GET /planted\n\n")

    assert isinstance(found, Finding)
    assert found.bug.startswith("KeyError at test_run.py:")


def test_what_is_kept_of_a_finding_is_short(tmp_path: Path) -> None:
    sample = b"a" * 50 + b"x" + b"b" * 50
    found: Report = fed([Target("planted", [sample], forgetful)], 0, range(20))

    assert {finding.input for finding in found.findings} == {b"x"}
    assert found.findings[0].write(tmp_path).read_bytes() == b"x"


def test_an_input_that_takes_too_long_twice_is_found() -> None:
    with watched():
        found = feed(Target("planted", (), endless), b"")

    assert isinstance(found, Finding)
    assert found.bug.startswith("slow: TooSlow at test_run.py:")


def test_the_same_seed_makes_the_same_inputs() -> None:
    plan = [Target("slack", of_source("slack"), forgetful)]

    assert input_of(plan, 7, 3) == input_of(plan, 7, 3)
    assert (
        len({input_of(plan, 7, number)[1] for number in range(20)} & {input_of(plan, 8, n)[1] for n in range(20)}) < 5
    )


def test_every_target_gets_its_share(targets: dict[str, Target]) -> None:
    assert tuple(targets) == NAMES
    assert Counter(target.name for target in planned([*targets.values()])) == {
        t.name: t.share for t in targets.values()
    }
