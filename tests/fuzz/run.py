"""A long run: numbered malformed inputs into the targets, each made from the seed and its number alone."""

from __future__ import annotations

import faulthandler
import hashlib
import logging
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Never

from tests.fuzz.app import an_app
from tests.fuzz.mutate import mutated
from tests.fuzz.target import Target
from tests.fuzz.targets import PLATFORMS, all_targets

# Whatever takes longer is a finding, once it did so twice: the machine may have been busy.
SLOW = 2.0
# A batch that takes so long hangs where no signal is heard; the process says where, and dies.
_STUCK = 300.0
_BATCH = 200
_TRIES = 300


class TooSlow(BaseException):
    """An input takes too long; no Exception, which many a caller would handle."""


class Finding(NamedTuple):
    """An input that a target did not take as it should, as short as it could be made, and what happened.

    What happened at the same place (`bug`) is the same finding.
    """

    target: str
    bug: str
    input: bytes
    story: str

    def write(self, folder: Path) -> Path:
        """Add it to a corpus; returns its file."""
        path = folder / f"{self.target}.{hashlib.sha256(self.input).hexdigest()[:12]}"
        path.write_bytes(self.input)
        return path


class Report(NamedTuple):
    """What came of some inputs: (target, what) to how often."""

    came: Counter[tuple[str, str]]
    findings: list[Finding]


def planned(all_targets: Sequence[Target]) -> list[Target]:
    """The targets, each as often as its share, well mixed."""
    plan = [target for target in all_targets for _ in range(target.share)]
    Random(0).shuffle(plan)
    return plan


def input_of(plan: Sequence[Target], seed: int, number: int) -> tuple[Target, bytes]:
    """The input of a number, and the target it is for."""
    target = plan[number % len(plan)]
    return target, mutated(Random(f"{seed} {number}"), target.samples)


def feed(target: Target, body: bytes) -> Counter[str] | Finding:
    """What came of an input."""
    try:
        return _in_time(target, body)
    except TooSlow:
        pass
    except Exception as error:  # noqa: BLE001 - that is what we look for
        return Finding(target.name, _place(error), body, "".join(traceback.format_exception(error)))
    try:
        return _in_time(target, body)
    except (TooSlow, Exception) as error:  # noqa: BLE001 - the same
        return Finding(target.name, f"slow: {_place(error)}", body, "".join(traceback.format_exception(error)))


def work(
    seed: int, numbers: range, names: Sequence[str], end: float, stopping: Any, report: Callable[[Any], None]
) -> None:
    """Feed the inputs of some numbers, until `end` (by time.monotonic) or `stopping`; then report None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us stops us
    logging.basicConfig(handlers=[logging.NullHandler()])  # what refusals and handlers say is of no interest
    with ExitStack() as stack:
        stack.enter_context(watched())
        app = stack.enter_context(an_app()) if {*PLATFORMS} & {*names} else None
        every = all_targets(app)
        plan = planned([every[name] for name in names])
        for batch in _batches(numbers):
            if stopping.is_set() or time.monotonic() > end:
                break
            faulthandler.dump_traceback_later(_STUCK, exit=True)
            report(fed(plan, seed, batch))
    report(None)


def fed(plan: Sequence[Target], seed: int, numbers: range) -> Report:
    """What came of the inputs of some numbers."""
    report = Report(Counter(), [])
    for number in numbers:
        target, body = input_of(plan, seed, number)
        found = feed(target, body)
        report.came[target.name, "inputs"] += 1
        if isinstance(found, Finding):
            report.came[target.name, "findings"] += 1
            report.findings.append(_shortened(target, found))
        else:
            report.came.update({(target.name, what): times for what, times in found.items()})
    return report


def _batches(numbers: range) -> Iterator[range]:
    return (numbers[start : start + _BATCH] for start in range(0, len(numbers), _BATCH))


def _in_time(target: Target, body: bytes) -> Counter[str]:
    signal.setitimer(signal.ITIMER_REAL, SLOW)
    try:
        return target.feed(body)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@contextmanager
def watched() -> Iterator[None]:
    """Have an input that takes too long interrupted."""

    def interrupt(*_: object) -> Never:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()


def _place(error: BaseException) -> str:
    """The kind of an error, and where in our code it came up."""
    frames = traceback.extract_tb(error.__traceback__)
    others = [frame for frame in frames if frame.filename != __file__] or frames
    ours = [frame for frame in others if "/botplatform/" in frame.filename] or others
    return f"{type(error).__name__} at {Path(ours[-1].filename).name}:{ours[-1].lineno}"


def _shortened(target: Target, finding: Finding) -> Finding:
    """The same bug with less of the input, as far as some tries lead."""
    if finding.bug.startswith("slow"):
        return finding
    size, tries = len(finding.input) // 2, _TRIES
    while size and tries > 0:
        for start in range(0, len(finding.input), size):
            tries -= 1
            found = feed(target, finding.input[:start] + finding.input[start + size :])
            if isinstance(found, Finding) and found.bug == finding.bug:
                finding = found
                break
        else:
            size //= 2
    return finding
