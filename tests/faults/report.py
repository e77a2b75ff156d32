"""What injected faults did, point by point, as a file from which the docs make their table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Fault:
    """What came of `runs` faults at one point: how many events or effects were lost or doubled, all runs together.

    `recovery` has the seconds until the platform took events again, where it did before the next fault. Of the doubled
    effects, `unexcused` were not on their way out when the process died; `disordered` counts what did not come in the
    order of its key.
    """

    point: str
    runs: int
    lost: int = 0
    duplicated_state: int = 0
    duplicated_effects: int = 0
    recovery: Sequence[float] = ()
    unexcused: int = 0
    disordered: int = 0

    @property
    def breaks_the_promise(self) -> bool:
        """Whether anything came of it that the docs say does not."""
        return bool(self.lost or self.duplicated_state or self.unexcused or self.disordered)

    def __add__(self, other: Fault) -> Fault:
        """Both together: runs at the same point, side by side."""
        return replace(
            self,
            runs=self.runs + other.runs,
            lost=self.lost + other.lost,
            duplicated_state=self.duplicated_state + other.duplicated_state,
            duplicated_effects=self.duplicated_effects + other.duplicated_effects,
            recovery=[*self.recovery, *other.recovery],
            unexcused=self.unexcused + other.unexcused,
            disordered=self.disordered + other.disordered,
        )

    def to_dict(self) -> dict[str, Any]:
        """As the report keeps it; seconds with two digits, None where no run was timed."""
        return {
            "point": self.point,
            "runs": self.runs,
            "lost": self.lost,
            "duplicated_state": self.duplicated_state,
            "duplicated_effects": self.duplicated_effects,
            "recovery_median": round(median(self.recovery), 2) if self.recovery else None,
            "recovery_max": round(max(self.recovery), 2) if self.recovery else None,
        }


class Report:
    """A file of faults, if there is one; what is noted of a point replaces what an earlier run noted of it."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def note(self, fault: Fault) -> None:
        """Note what came of a fault: the file is a JSON list of `Fault.to_dict`."""
        if self._path is None:
            return
        known = {entry["point"]: entry for entry in json.loads(self._path.read_text())} if self._path.exists() else {}
        known[fault.point] = fault.to_dict()
        self._path.write_text(json.dumps([*known.values()], indent=2) + "\n")
